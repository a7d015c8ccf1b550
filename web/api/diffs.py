"""What a task changed: all of it, or between two of its states; and the captures and turns those states come from."""

from __future__ import annotations

import base64
from typing import Any

from flask import Response

from shared import tasks
from shared.clock import rfc3339
from shared.commands import CommandKind
from shared.errors import NotFound
from shared.review import landings, points, turns
from shared.review.patches import HEADER
from shared.review.points import BASE, LATEST, Pair
from shared.store.models import INSERTED, Attempt, Capture, Command, Comparison, Task, Turn
from web import answers, comparing, effects, views
from web.api import results, schemas
from web.resource import Resource
from web.security import Authority, authority, writes

api = Resource("diffs", __name__)

MOST_CAPTURES = 1_000
REBASED = "The work was rebased in between: what its branch had gained is among these changes."


@api.get("/tasks/<id>/diff", responses={200: results.Diff, 202: results.Looked})
@authority(Authority.CLIENT)
@writes
def diff(path: schemas.ById, query: schemas.DiffQuery) -> Response:
    """The latest capture, or what differs between two states; `refresh` takes a new capture first."""
    task = tasks.get(path.id)
    if query.refresh and task.worktree_path and task.worktree_cleaned_at is None:
        effects.finished(landings.request_work(task, CommandKind.CAPTURE), effects.STEER_SECONDS)
        task = tasks.get(path.id)
    if query.old is None and query.new is None:
        return answers.value(_whole(task, landings.latest_capture(task), query))
    old, new = BASE if query.old is None else query.old, LATEST if query.new is None else query.new
    return compared(points.pair(task, old, new), query)


def compared(pair: Pair, query: schemas.DiffPart) -> Response:
    """The answer that says what differs between two states; 202 while that is being found out."""
    found = comparing.made(pair, effects.WORK_SECONDS)
    if isinstance(found, Command):
        return answers.value({"task_id": pair.task.id, "pending_command": views.command(found)}, 202)
    shown = _shown(pair.task, found, query)
    told = {
        "head_oid": pair.new.head_oid,
        "base_oid": pair.old.head_oid,
        "captured_at": rfc3339(pair.new.captured_at) if pair.new.captured_at else None,
        "from": pair.old.word,
        "to": pair.new.word,
        "note": REBASED if pair.is_rebased else None,
    }
    return answers.value({**shown, **told})


def _whole(task: Task, capture: Capture | None, query: schemas.DiffPart) -> dict[str, Any]:
    if capture is None:
        if query.path is not None:
            raise NotFound("This file is not among the task's changes.")
        empty: dict[str, Any] = {"files": [], "head_oid": None, "base_oid": None, "captured_at": None}
        empty |= {"total_files": 0, "next_cursor": None}
        stat = task.diff_stat or ""
        return {**_head(task, isolated=False), "stat": stat, "patch": "", **empty, "truncated": False}
    return {
        **_shown(task, capture, query),
        "head_oid": capture.head_oid,
        "base_oid": capture.base_oid,
        "captured_at": rfc3339(capture.captured_at),
    }


def _shown(task: Task, row: Capture | Comparison, query: schemas.DiffPart) -> dict[str, Any]:
    return {**_head(task, isolated=True), **listed(row, query)}


def listed(row: Capture | Comparison, query: schemas.DiffPart) -> dict[str, Any]:
    """The files that a query asks for, with their part of the patch. Raises NotFound."""
    files, patch = row.files, bytes(row.patch)
    total, first, end = len(files), int(query.cursor), int(query.cursor) + query.limit
    if query.path is not None:
        files, patch = only(files, patch, query.path)
    elif first or end < total:
        files, patch = _some(files, patch, first, end)
    return {
        "stat": row.stat,
        **patch_text(patch),
        "files": files,
        "total_files": total,
        "next_cursor": str(end) if query.path is None and end < total else None,
        "truncated": row.truncated,
    }


def _head(task: Task, *, isolated: bool) -> dict[str, Any]:
    return {
        "task_id": task.id,
        "isolated": bool(task.worktree_path) or isolated,
        "worktree_path": task.worktree_path,
        "runner_session_id": task.runner_session_id,
        "base_commit": task.base_commit,
    }


def patch_text(patch: bytes) -> dict[str, str]:
    """JSON holds text only: bytes of another encoding are shown as best they can, and whole in base64."""
    try:
        return {"patch": patch.decode()}
    except UnicodeDecodeError:
        return {"patch": patch.decode(errors="replace"), "patch_b64": base64.b64encode(patch).decode()}


def only(files: list[dict[str, Any]], patch: bytes, path: str) -> tuple[list[dict[str, Any]], bytes]:
    """One file and its part of the patch. Raises NotFound when the task did not change it."""
    for place, file in enumerate(files):
        if path in (file.get("path"), file.get("path_b64"), file.get("old_path")):
            return _some(files, patch, place, place + 1)
    raise NotFound("This file is not among the task's changes.")


def _some(
    files: list[dict[str, Any]], patch: bytes, first: int, end: int
) -> tuple[list[dict[str, Any]], bytes]:
    """The files between two places, and their part of the patch."""
    starts = [found.start() for found in HEADER.finditer(patch)] + [len(patch)]
    #: git writes a change of type (a link instead of a file) as a deletion and an addition.
    pieces = [2 if file.get("status") == "type-changed" else 1 for file in files[:end]]
    places = (min(sum(pieces[:place]), len(starts) - 1) for place in (first, end))
    return files[first:end], patch[slice(*(starts[place] for place in places))]


@api.get("/tasks/<id>/captures", responses={200: results.Listed[results.Capture]})
@authority(Authority.CLIENT)
def captures(path: schemas.ById) -> Response:
    """The captures of the task that are kept, oldest first."""
    task = tasks.get(path.id)
    fields = [field for field in Capture._meta.sorted_fields if field is not Capture.patch]
    rows = Capture.select(*fields).where(Capture.task == task.number).order_by(INSERTED.desc())
    ends = {turn.ended_with: turn for turn in turns.of(task)}
    numbers = _attempts(task)
    found = list(rows.limit(MOST_CAPTURES))[::-1]
    return answers.value([_capture(row, ends.get(row.id), numbers) for row in found])


@api.get("/tasks/<id>/turns", responses={200: results.Listed[results.Turn]})
@authority(Authority.CLIENT)
def turns_of(path: schemas.ById) -> Response:
    """The turns of the task, in order."""
    task = tasks.get(path.id)
    numbers = _attempts(task)
    return answers.value([_turn(turn, numbers) for turn in turns.of(task)])


def _attempts(task: Task) -> dict[str, int]:
    rows = Attempt.select(Attempt.id, Attempt.attempt_number).where(Attempt.task == task.number)
    return {row.id: row.attempt_number for row in rows}


def _capture(row: Capture, turn: Turn | None, numbers: dict[str, int]) -> dict[str, Any]:
    attempt = turn.attempt if turn is not None else row.attempt
    return {
        "id": row.id,
        "attempt": numbers.get(attempt) if attempt is not None else None,
        "turn": turn.number if turn is not None else None,
        "why": row.why,
        "captured_at": rfc3339(row.captured_at),
        "base_oid": row.base_oid,
        "head_oid": row.head_oid,
        "tree_oid": row.tree_oid,
        "files": len(row.files),
        "additions": sum(int(file.get("additions") or 0) for file in row.files),
        "deletions": sum(int(file.get("deletions") or 0) for file in row.files),
        "flags": row.flags,
        "truncated": row.truncated,
        "has_patch": not row.patch_dropped,
    }


def _turn(turn: Turn, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "number": turn.number,
        "attempt": numbers.get(turn.attempt),
        "began_from": turn.began_from,
        "ended_with": turn.ended_with,
        "began_at": rfc3339(turn.began_at),
        "ended_at": rfc3339(turn.ended_at) if turn.ended_at else None,
    }
