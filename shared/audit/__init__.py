"""The audit log."""

from shared.audit.log import (
    TEXT_CHARACTERS,
    Act,
    Actor,
    Filter,
    all_of,
    append,
    keep_heads,
    note_head,
    page,
    record,
    speak_as,
)

__all__ = [
    "TEXT_CHARACTERS",
    "Act",
    "Actor",
    "Filter",
    "all_of",
    "append",
    "keep_heads",
    "note_head",
    "page",
    "record",
    "speak_as",
]
