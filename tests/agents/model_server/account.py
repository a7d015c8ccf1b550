"""The server's own account: what it was asked, and the tokens and tool calls it handed out, by conversation."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.agents.model_server.script import Said, Turn, calls


@dataclass(frozen=True)
class Spent:
    """Tokens (`input` includes the cached and the written ones) and tool calls of whole answers."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0
    tool_calls: int = 0
    answers: int = 0

    def __add__(self, other: Spent) -> Spent:
        mine, theirs = asdict(self), asdict(other)
        return Spent(**{key: mine[key] + theirs[key] for key in mine})


@dataclass(frozen=True)
class Asked:
    """One request: its conversation (the agent's own session id), its model, and the history it carried."""

    protocol: str
    conversation: str
    model: str
    history: tuple[Said, ...]
    body: Mapping[str, Any] = field(repr=False)
    turn: int = 0


def price_of(turn: Turn, number: int) -> Spent:
    """What a turn spends: as its script says, else figures that differ from turn to turn, so that no sum fits by luck."""
    said = turn.get("usage", {})
    return Spent(
        input=said.get("input", 1000 + 137 * number),
        cached=said.get("cached", 100 * number),
        written=said.get("written", 0),
        output=said.get("output", 31 + 7 * number),
        reasoning=said.get("reasoning", 0),
        tool_calls=len(calls(turn)),
        answers=1,
    )


class Account:
    """Filled by many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spent: dict[str, Spent] = {}
        self._tries: Counter[tuple[str, str, int]] = Counter()
        self._asked: list[Asked] = []
        self._unfinished: Counter[str] = Counter()

    def asked(self, request: Asked) -> None:
        with self._lock:
            self._asked.append(request)

    def spend(self, conversation: str, spent: Spent) -> None:
        with self._lock:
            self._spent[conversation] = self._spent.get(conversation, Spent()) + spent

    def take_back(self, conversation: str, spent: Spent) -> None:
        """An answer that was written, and that the agent did not wait for."""
        taken = Spent(**{name: -count for name, count in asdict(spent).items()})
        self.spend(conversation, taken)
        self.unfinished(conversation)

    def unfinished(self, conversation: str) -> None:
        """An answer that broke off, by script or because the agent went away."""
        with self._lock:
            self._unfinished[conversation] += 1

    def tries(self, conversation: str, script: str, number: int) -> int:
        """How often this turn was tried before now."""
        with self._lock:
            self._tries[conversation, script, number] += 1
            return self._tries[conversation, script, number] - 1

    def spent(self, *conversations: str) -> Spent:
        """The sum over these conversations, or over all of them."""
        with self._lock:
            chosen = conversations or tuple(self._spent)
            return sum((self._spent.get(name, Spent()) for name in chosen), Spent())

    def requests(self, conversation: str | None = None) -> list[Asked]:
        """Every request with tools, in order."""
        with self._lock:
            return [item for item in self._asked if conversation in (None, item.conversation)]

    def broken_off(self, conversation: str) -> int:
        with self._lock:
            return self._unfinished[conversation]

    def heard(self, conversation: str, role: str = "person") -> list[str]:
        """What the newest request of a conversation carried from `role`: every text, in order."""
        asked = self.requests(conversation)
        return [said.text for said in asked[-1].history if said.role == role] if asked else []
