"""What a message of an agent's transcript says, as one short line that may be stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.clock import parse
from shared.secrets import masking

SHOWN_CHARACTERS = 220
#: Looked at before it is cut: a secret must not lose the words that give it away.
LOOKED_AT_CHARACTERS = 4000
#: What programs put in a person's mouth: contexts, reminders, commands typed at the agent's own prompt.
SYNTHETIC = (
    "<environment_context>", "<user_instructions>", "<permissions instructions>", "<skills_instructions>",
    "<user_shell_command>", "<turn_aborted>", "# AGENTS.md instructions", "<command-", "<local-command",
    "<system-reminder>", "<task-notification>", "[Request interrupted by user",
)  # fmt: skip
TEXTS = ("text", "input_text", "output_text")


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or its blocks of text; empty for tools, results and pictures."""
    if isinstance(content, str):
        return content[:LOOKED_AT_CHARACTERS]
    found = []
    for block in content if isinstance(content, list) else ():
        text = block.get("text") if isinstance(block, dict) and block.get("type") in TEXTS else None
        if isinstance(text, str) and text.strip():
            found.append(text[:LOOKED_AT_CHARACTERS])
    return "\n".join(found)[:LOOKED_AT_CHARACTERS]


def is_synthetic(text: str) -> bool:
    """Whether a program wrote this in a person's name."""
    return text.lstrip().startswith(SYNTHETIC)


def gist(text: str) -> str:
    """The beginning of what a program wrote, on one line: there is more of it than anybody reads."""
    line = " ".join(text[:LOOKED_AT_CHARACTERS].split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"


def shown(text: Any) -> str | None:
    """One redacted line of at most 220 characters, or None when nothing can be shown."""
    if not isinstance(text, str):
        return None
    clean = text[:LOOKED_AT_CHARACTERS].encode("utf-8", "replace").decode()
    #: Only the beginning is shown: the rest need not be looked at mark by mark.
    clean = " ".join(masking.recalled(clean).split())[: 4 * SHOWN_CHARACTERS]
    if not clean.isprintable():
        clean = " ".join("".join(mark if mark.isprintable() else " " for mark in clean).split())
    line = clean
    if len(line) > SHOWN_CHARACTERS:
        return f"{line[:SHOWN_CHARACTERS]}..."
    return line or None


def instant(value: Any) -> datetime | None:
    """An RFC 3339 instant, or None for anything else."""
    try:
        return parse(value) if isinstance(value, str) else None
    except ValueError:
        return None
