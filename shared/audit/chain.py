"""The chain of the audit log: how an entry is bound to the one before it, and how a break in it is found.

Whoever can write the store can rewrite it whole; so every head is also appended to a file beside it, and history that
was put back or rewritten does not fit that file. The account's own user can change both: this detects, it does not
prevent (reliability.md 6.3).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What stands before the first entry.
GENESIS = "0" * 64
#: The hashed fields, in the table's order; the words themselves count by their hash, so that a scrub keeps the chain.
FIELDS = ("seq", "at", "actor", "kind", "object", "object_id", "task_id", "detail_hash", "prev_hash")
COLUMNS = ", ".join((*FIELDS, "detail", "hash"))
SCRUB = "scrub"
HEAD_LINE = re.compile(r"(\d{1,18}) ([0-9a-f]{64}) \S+\n?")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def entry_hash(fields: Sequence[Any]) -> str:
    """SHA-256 of the canonical JSON of an entry's `FIELDS`."""
    known = dict(zip(FIELDS, fields, strict=True))
    return digest(json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=True))


@dataclass(frozen=True)
class Verdict:
    """What `verify` found: the number of entries that are right, the last one's hash, and the first bad entry."""

    entries: int
    head: str
    first_bad: int | None = None
    problem: str = ""

    @property
    def stands(self) -> bool:
        return self.first_bad is None


@dataclass(frozen=True)
class Head:
    """The last entry at one moment."""

    seq: int
    hash: str


def heads_file(data: Path) -> Path:
    """The file of heads in the data directory, one line each: seq, hash, instant."""
    return data / "audit.heads"


def verify(store: sqlite3.Connection, heads: Path) -> Verdict:
    """Walk the whole log, then hold it against the file of heads. About 5 µs an entry; writes nothing."""
    #: Measured before the store is read: what is appended meanwhile may be newer than the entries seen here.
    size = heads.stat().st_size if heads.exists() else 0
    verdict = _walk(store)
    lost = _against_heads(store, heads, size, verdict)
    if lost is None or (verdict.first_bad is not None and verdict.first_bad <= lost[0]):
        return verdict
    return Verdict(verdict.entries, verdict.head, *lost)


def _walk(store: sqlite3.Connection) -> Verdict:
    """The entries one after the other, each against the one before it."""
    last, head = 0, GENESIS
    blank: list[int] = []
    scrubbed: set[int] = set()
    for row in store.execute(f"SELECT {COLUMNS} FROM audit_entry ORDER BY seq"):  # noqa: S608
        fields, detail, hash = row[: len(FIELDS)], row[-2], row[-1]
        known = dict(zip(FIELDS, fields, strict=True))
        problem = _problem(known, detail, hash, last, head)
        if problem:
            return Verdict(last, head, last + 1 if known["seq"] != last + 1 else known["seq"], problem)
        if detail is None:
            blank.append(known["seq"])
        elif known["kind"] == SCRUB:
            scrubbed.update(json.loads(detail).get("entries", ()))
        last, head = known["seq"], hash
    bare = next((seq for seq in blank if seq not in scrubbed), None)
    if bare is not None:
        return Verdict(last, head, bare, "its words are gone, and no scrub took them away")
    return Verdict(last, head)


def _problem(known: dict[str, Any], detail: Any, hash: Any, last: int, head: str) -> str:
    if known["seq"] != last + 1:
        return "it is missing"
    if known["prev_hash"] != head:
        return "it does not follow the entry before it"
    if entry_hash(list(known.values())) != hash:
        return "it was changed"
    if detail is not None and (not isinstance(detail, str) or digest(detail) != known["detail_hash"]):
        return "its words were changed"
    return ""


def _against_heads(
    store: sqlite3.Connection, heads: Path, size: int, walked: Verdict
) -> tuple[int, str] | None:
    """The first entry that the file of heads knows otherwise, and why; None when all fits."""
    found: tuple[int, str] | None = None
    any_head = False
    for head in read_heads(heads, size):
        any_head = True
        row = store.execute("SELECT hash FROM audit_entry WHERE seq = ?", (head.seq,)).fetchone()
        if row is None and walked.stands:
            bad = walked.entries + 1, f"it is missing: {heads.name} knows the log up to entry {head.seq}"
        elif row is not None and row[0] != head.hash:
            bad = head.seq, f"it is not the one that {heads.name} knows: history was rewritten"
        else:
            continue
        if found is None or bad[0] < found[0]:
            found = bad
    if not any_head and walked.entries:
        return 1, f"nothing proves it: {heads.name} is missing or empty"
    return found


def read_heads(heads: Path, size: int) -> Iterator[Head]:
    """The heads in the first `size` bytes of the file; a line that a power cut tore is none."""
    if not size:
        return
    left = size
    with heads.open(encoding="ascii", errors="replace") as lines:
        for line in lines:
            if left <= 0:
                return
            left -= len(line)
            if match := HEAD_LINE.fullmatch(line):
                yield Head(int(match[1]), match[2])


def append_head(heads: Path, head: Head, at: str) -> None:
    """Add a line to the file of heads. One write to a file opened for appending: processes do not tear each other's."""
    descriptor = os.open(heads, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{head.seq} {head.hash} {at}\n".encode())
    finally:
        os.close(descriptor)
