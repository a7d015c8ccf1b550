"""What a script says, and which of its turns follows a conversation.

A script is a list of turns; each is an object, every key optional:

    say       the text of the answer                      think    the text of a thinking block
    refuse    a text by which the model declines          calls    several tool calls at once
    call      one tool by its own name, with `input`: {"call": "Bash", "input": {…}}
              Codex: one of an MCP `server`, which it does not offer from the start
    run       a shell command, by whichever tool the agent offers
    write     a file to create, with `content`            edit     a file to change, with `old` and `new`
    patch     a patch in Codex's own form
    usage     tokens: `input` (cached ones included), `cached`, `written` to the cache, `output`, `reasoning`
    after     seconds before the first byte               pace     seconds between the pieces of a text
    gate      a name: the answer waits until the test opens that gate
    status    an HTTP status instead of an answer, with `error` (its message) and `headers`
    cut       drop the connection half way                drop     drop it before the first byte
    broken    a text: an error event of the protocol half way
    times     how many tries of this turn fail so, before it succeeds (every one by default)

`$CWD` in any text is the agent's working directory, as its own request tells it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Turn = dict[str, Any]

MARKER = "script:"
CALLS = ("call", "run", "write", "edit", "patch")
WORKING_DIRECTORY = re.compile(r"(?:[Ww]orking directory: *|<cwd>)([^\n<]+)")


@dataclass(frozen=True)
class Said:
    """One step of a conversation; `turn` is the number of the turn it came from, where its ids tell."""

    role: Literal["person", "model", "tool"]
    text: str = ""
    turn: int | None = None


@dataclass(frozen=True)
class Chosen:
    """The turn to play, its number in its script, and the script's name."""

    turn: Turn
    number: int
    script: str


def goal(*turns: Turn, words: str = "") -> str:
    """A goal that makes the model play these turns, with `words` behind them."""
    return MARKER + json.dumps(list(turns)) + (f"\n{words}" if words else "")


def choose(history: Iterable[Said]) -> Chosen:
    """The turn that follows this conversation: the newest script's, as many as it has played since."""
    turns: list[Turn] | None = None
    name, played, previous = "", 0, None
    for said in history:
        if said.role == "person" and (found := _script(said.text)) is not None:
            turns, played = found, 0
            name = hashlib.sha256(said.text.encode("utf-8", "replace")).hexdigest()[:12]
        elif said.role == "model":
            #: One answer may come back as several items, with a tool's result between two of its calls.
            same = previous == "model" if said.turn is None else said.turn < played
            played += not same
        previous = said.role
    if turns is None:
        return Chosen({"say": "There is no script."}, played, name)
    if played >= len(turns):
        return Chosen({"say": "The script is over."}, played, name)
    return Chosen(turns[played], played, name)


def _script(text: str) -> list[Turn] | None:
    if MARKER not in text:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text.split(MARKER, 1)[1])
    except ValueError as error:
        return [{"say": f"The script is broken: {error}"}]
    return list(found)


def calls(turn: Turn) -> list[Turn]:
    """The tool calls of a turn, one alone or several."""
    return [*turn.get("calls", ()), *([turn] if any(key in turn for key in CALLS) else ())]


def working_directory(texts: Iterable[str]) -> str:
    """The last working directory these texts name."""
    found = [match for text in texts for match in WORKING_DIRECTORY.findall(text)]
    return found[-1].strip() if found else "."


def placed(value: Any, folder: str) -> Any:
    """`value` with the working directory in place of `$CWD`, in every text of it."""
    if isinstance(value, str):
        return value.replace("$CWD", folder)
    if isinstance(value, list):
        return [placed(item, folder) for item in value]
    if isinstance(value, dict):
        return {key: placed(item, folder) for key, item in value.items()}
    return value


def pieces(text: str, size: int = 20) -> list[str]:
    """A text in the pieces it is streamed in."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def text_of(content: Any, *kinds: str) -> str:
    """The text of a message: a string, or a list of typed parts of these kinds."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text", "")) for part in parts if part.get("type") in kinds)
