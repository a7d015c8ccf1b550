"""The states of a task that a person may name to compare them, and the two sides of a comparison."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import peewee

from shared.errors import BadRequest, Conflict, NotFound
from shared.review import turns
from shared.review.marks import File, name_of
from shared.secrets.redaction import MASK
from shared.store.models import INSERTED, Attempt, Capture, Task, Turn, ViewedFile, json_text

BASE, LATEST, TURN, REVIEW = "base", "latest", "turn", "review"
WORDS = "base, latest, turn, review, attempt-N, before-attempt-N, or a capture's id"
ATTEMPT = re.compile(r"(before-)?attempt-([1-9][0-9]{0,5})")
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ROW = [field for field in Capture._meta.sorted_fields if field.name not in ("patch", "files")]


@dataclass(frozen=True)
class Viewed:
    """The version of a changed file that a person has viewed; `blob` and `mode` are None where it was deleted.

    `old_path` is where it was moved from. Paths are bytes as on disk.
    """

    path: bytes
    old_path: bytes | None
    mode: str | None
    blob: str | None


@dataclass(frozen=True)
class State:
    """One side of a comparison.

    `word` names it again exactly, in a command for a worker. `oid` is its tree, or the base commit; of a review the
    base commit that the `viewed` versions go on top of. `base_oid` is the commit that its task's work began on, then;
    `head_oid` the commit of a capture, or the base. A review is stale where something in it was viewed on another base.
    """

    word: str
    kind: Literal["base", "capture", "review"]
    oid: str
    base_oid: str
    head_oid: str | None
    captured_at: datetime | None = None
    viewed: tuple[Viewed, ...] = ()
    is_stale: bool = False

    @property
    def key(self) -> str:
        """Text that is the same for the same content only."""
        if self.kind != "review":
            return self.oid
        said = json_text(sorted(str(one) for one in self.viewed))
        return f"review:{self.oid}:{hashlib.sha256(said.encode()).hexdigest()}"


@dataclass(frozen=True)
class Pair:
    """What is compared with what; the comparison is kept with `task`, and `other` is whose state `new` is, if another's."""

    task: Task
    old: State
    new: State
    other: Task | None = None

    @property
    def sides(self) -> str:
        return f"{self.old.key}..{self.new.key}"

    @property
    def is_rebased(self) -> bool:
        """Whether the work stood on another base in between: the branch's changes are among the differences."""
        return self.old.base_oid != self.new.base_oid or self.old.is_stale or self.new.is_stale

    def body(self) -> dict[str, str]:
        """What a worker is told."""
        told = {"from": self.old.word, "to": self.new.word}
        return told if self.other is None else {**told, "with": self.other.id}


def pair(task: Task, old: str, new: str, other: Task | None = None) -> Pair:
    """The two states with these names (see WORDS); `new` is one of `other` where that is given.

    Raises BadRequest for words that name nothing, NotFound for a capture or an attempt that the task does not have,
    Conflict where a state was not captured.
    """
    if other is not None and other.workspace != task.workspace:
        raise BadRequest("Only tasks of one workspace can be compared.")
    sides = [_state(task, old), _state(other or task, new)]
    found = [side for side in sides if side is not None]
    if not found:
        raise BadRequest("Both are the base: there is nothing to compare.")
    at = found[0].base_oid
    first, last = (side or State(BASE, "base", at, at, at) for side in sides)
    return Pair(task, first, last, other)


def _state(task: Task, word: str) -> State | None:
    """The state a word names; None for the base, which depends on what it is compared with."""
    attempt = ATTEMPT.fullmatch(word)
    if word == BASE:
        return None
    if word == LATEST:
        return _captured(_latest(task))
    if word == REVIEW:
        return reviewed(task)
    if word == TURN:
        known = turns.of(task)
        if not known:
            raise Conflict("No turn of the task has begun yet.")
        return _began_from(known[-1])
    if attempt is not None:
        return _of_attempt(task, int(attempt[2]), before=bool(attempt[1]))
    if _ID.fullmatch(word):
        return _captured(_with_id(task, word))
    raise BadRequest(f"{word[:80]!r} names no state of a task; say one of {WORDS}.")


def _of_attempt(task: Task, number: int, *, before: bool) -> State | None:
    attempt = Attempt.get_or_none(Attempt.task == task.number, Attempt.attempt_number == number)
    if attempt is None:
        raise NotFound(f"The task has no attempt {number}.")
    known = [turn for turn in turns.of(task) if turn.attempt == attempt.id]
    if not known:
        raise Conflict(f"The agent of attempt {number} never started.")
    if before:
        return _began_from(known[0])
    if known[-1].ended_at is None:
        raise Conflict(f"Attempt {number} has not ended.")
    if known[-1].ended_with is None:
        raise Conflict(f"What attempt {number} ended with was not captured.")
    return _captured(_with_id(task, known[-1].ended_with))


def _began_from(turn: Turn) -> State | None:
    return None if turn.began_from is None else _captured(_with_id(turn.task, turn.began_from))


def reviewed(task: Task) -> State:
    """The base with every viewed file in the version that was viewed. Raises Conflict where nothing is captured."""
    latest = _latest(task, Capture.files)
    base = latest.base_oid
    rows = list(ViewedFile.select().where(ViewedFile.task == task.number).order_by(ViewedFile.path))
    viewed = tuple(one for row in rows if (one := _viewed(row)) is not None)
    return State(REVIEW, "review", base, base, None, viewed=viewed, is_stale=_are_stale(rows, latest.files))


def _are_stale(rows: Sequence[ViewedFile], files: Sequence[File]) -> bool:
    """Whether a file was viewed with another old version than it has now: the work was rebased since."""
    now = {name_of(file): str(file.get("old_blob") or "-") for file in files}
    return any(now.get(row.path) not in (None, row.content.split(" ")[1]) for row in rows)


def _viewed(row: ViewedFile) -> Viewed | None:
    """None where a secret in the name is masked: the file counts as not viewed."""
    names = row.names or {"path": row.path}
    if any(MASK in str(name) for name in names.values()):
        return None
    _, _, mode, blob = (None if word == "-" else word for word in row.content.split(" "))
    path = _bytes(names, "path")
    assert path is not None  # noqa: S101 -- every captured file has one
    return Viewed(path, _bytes(names, "old_path"), mode, blob)


def _bytes(names: dict[str, Any], which: str) -> bytes | None:
    if f"{which}_b64" in names:
        return base64.b64decode(names[f"{which}_b64"])
    return str(names[which]).encode() if which in names else None


def _captured(row: Capture) -> State:
    return State(row.id, "capture", row.tree_oid, row.base_oid, row.head_oid, row.captured_at)


def _with_id(task: Task, id: str) -> Capture:
    row: Capture | None = Capture.select(*_ROW).where(Capture.task == task.number, Capture.id == id).first()
    if row is None:
        raise NotFound("The task has no such capture.")
    return row


def _latest(task: Task, *more: peewee.Field) -> Capture:
    wanted = Capture.select(*_ROW, *more).where(Capture.task == task.number)
    row: Capture | None = wanted.order_by(INSERTED.desc()).first()
    if row is None:
        raise Conflict("Nothing of this task is captured yet.")
    return row
