"""What the policy's rules find in words for an agent: shown to a person, never a reason to refuse.

A rule reads commands, so only what could be one is read: each line, and each piece in backquotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.events import Category, Draft, Kind
from shared.policy import RULES, Finding, Policy
from shared.policy.shell_words import simple_commands

#: A goal may be a megabyte long; its beginning says what is asked for.
READ_CHARACTERS = 64 * 1024
LINE_CHARACTERS = 2000
MOST = 20
QUOTED = re.compile(r"`([^`\n]{1,2000})`")
#: What people put before a line: a list's mark, a prompt's sign.
MARKS = re.compile(r"\s*(?:[-*+•>]|\d{1,3}[.)])?\s*(?:[$%]\s+)?")


def in_words(policy: Policy, text: str) -> list[Finding]:
    """What the rules object to in a goal or a reply, each once, in the order found."""
    found: dict[tuple[str, str], Finding] = {}
    for line in _candidates(text[:READ_CHARACTERS]):
        commands = simple_commands(line)
        for check in RULES.values():
            finding = check(policy, commands)
            if finding is not None:
                found.setdefault((finding.rule, finding.message), finding)
        if len(found) >= MOST:
            break
    return list(found.values())[:MOST]


def _candidates(text: str) -> Iterator[str]:
    for line in text.splitlines():
        line = line[:LINE_CHARACTERS]
        yield from QUOTED.findall(line)
        if "`" not in line:
            yield MARKS.sub("", line, count=1)


def drafts(policy: Policy, text: str, what: str) -> list[Draft]:
    """The event that tells a person; none where nothing was found. `what` is the goal or the reply."""
    found = in_words(policy, text)
    if not found:
        return []
    about = {"category": Category.POLICY, "findings": [vars(one) for one in found]}
    return [Draft(Kind.LIFECYCLE, f"Found in {what}: {' '.join(one.message for one in found)}", about)]
