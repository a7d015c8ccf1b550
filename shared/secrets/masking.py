"""What may be stored and shown of a text: kept secrets are masked in it, whoever wrote it.

A person's own words keep the place of a secret, `[secret NAME]`, so that the agent still gets what was said; the door
of the web process hides, the worker reveals when it hands the words on. Everything else is masked for good.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from shared.secrets import kept
from shared.secrets.redaction import MIN_SECRET_BYTES, Redactor

PLACE = re.compile(r"\[secret ([A-Za-z_][A-Za-z0-9_]*)\]")


def masked(text: str) -> str:
    """`text` without any form of a kept secret."""
    found = _redactor(tuple(kept.values().items()))
    return text if found is None else found.redact(text)


def hidden(text: str) -> str:
    """A person's words as they are stored: each kept value as its place, a place they wrote themselves spelled apart."""
    said = PLACE.sub(r"[secret-\1]", text) if "[secret " in text else text
    pattern, names = _words(tuple(kept.values().items()))
    return pattern.sub(lambda found: f"[secret {names[found[0]]}]", said) if names else said


def revealed(text: str) -> str:
    """Those words as they were said; the place of a secret that is kept no more stays."""
    if "[secret " not in text:
        return text
    known = kept.values()
    return PLACE.sub(lambda found: known.get(found[1], found[0]), text)


def named_in(text: str) -> str | None:
    """The first kept secret whose place stands in hidden words."""
    known = kept.values()
    return next((found[1] for found in PLACE.finditer(text) if found[1] in known), None)


def throughout(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with `change` applied to every text in it, keys included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): throughout(item, change) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [throughout(item, change) for item in value]
    return value


def recalled(text: str) -> str:
    """`text` without kept secrets, as they were last read here, and without known shapes; never asks the store."""
    return _every(tuple(kept.last_read().items())).redact(text)


def log_to_stderr(form: str) -> None:
    """Set this process's log up, from INFO on, so that no line and no traceback holds a secret."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class Formatter(logging.Formatter):
    """Without kept secrets, as they were last read: where a log line is due the store may not answer.

    A message is one line, whatever a caller's words in it; only a traceback has more, and they are indented.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(_BREAKS)

    def format(self, record: logging.LogRecord) -> str:
        said = recalled(super().format(record))
        return "\n  ".join(line.translate(_BREAKS) for line in said.split("\n"))


#: What moves a terminal's cursor or begins a new line, each as its code.
_BREAKS = {code: f"\\x{code:02x}" for code in (*range(9), *range(10, 32), *range(127, 160))}
_BREAKS |= {0x2028: "\\u2028", 0x2029: "\\u2029"}


@functools.lru_cache(maxsize=2)
def _words(known: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], Mapping[str, str]]:
    """The values as people paste them, with their names: also without the space around, and as a form ends its lines."""
    names: dict[str, str] = {}
    for name, value in known:
        for form in (value, value.strip()):
            if len(form.encode()) >= MIN_SECRET_BYTES:
                names |= {form: name, form.replace("\n", "\r\n"): name}
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))), names


@functools.lru_cache(maxsize=2)
def _redactor(known: tuple[tuple[str, str], ...]) -> Redactor | None:
    return Redactor(dict(known), rules=False) if known else None


@functools.lru_cache(maxsize=2)
def _every(known: tuple[tuple[str, str], ...]) -> Redactor:
    return Redactor(dict(known))
