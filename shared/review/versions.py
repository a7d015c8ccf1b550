"""Kept versions of changed files: pictures, and texts that were asked for, by the id of their blob.

They belong to their task: they outlive its worktree, and go with it. Content has lost its secrets before it comes here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import peewee

from shared.clock import now
from shared.store.database import transaction
from shared.store.models import KeptVersion, Task

TEXT = "text/plain"
#: Of one version, and of a task's pictures and its texts; beyond the latter those go that were used longest ago.
PICTURE_BYTES, TEXT_BYTES = 2 << 20, 1 << 20
TASK_PICTURE_BYTES, TASK_TEXT_BYTES = 32 << 20, 8 << 20
#: Raster pictures of more pixels are not drawn beside others: a decoder needs four bytes for each.
DRAWN_PIXELS = 50_000_000


@dataclass(frozen=True)
class Version:
    """One version of a file, ready to be kept; `is_cut` says that a text's `content` is only its beginning."""

    blob: str
    media_type: str
    content: bytes
    width: int | None = None
    height: int | None = None
    is_cut: bool = False


def find(task: Task, blob: str | None) -> KeptVersion | None:
    """The kept version with this blob, with its content."""
    return (
        KeptVersion.get_or_none(KeptVersion.task == task.number, KeptVersion.blob == blob) if blob else None
    )


def listed(holders: Collection[Task], blobs: Collection[str | None]) -> dict[str, KeptVersion]:
    """Those of these versions that are kept with one of the tasks, by blob, without their content."""
    fields = [field for field in KeptVersion._meta.sorted_fields if field is not KeptVersion.content]
    rows = KeptVersion.select(*fields).where(
        KeptVersion.task.in_([task.number for task in holders]),
        KeptVersion.blob.in_([blob for blob in blobs if blob]),
    )
    return {row.blob: row for row in rows}


def keep(task: Task, versions: Iterable[Version], in_use: Collection[str] = ()) -> None:
    """Keep these, count those `in_use` as used now, and let go of what a task may not keep beside them."""
    with transaction():
        at = now()
        for one in versions:
            KeptVersion.insert(
                task=task.number, size_bytes=len(one.content), kept_at=at, **vars(one)
            ).on_conflict_replace().execute()
        KeptVersion.update(kept_at=at).where(
            KeptVersion.task == task.number, KeptVersion.blob.in_(list(in_use))
        ).execute()
        is_text = KeptVersion.media_type == TEXT
        _prune(task, is_text, TASK_TEXT_BYTES)
        _prune(task, ~is_text, TASK_PICTURE_BYTES)


def _prune(task: Task, which: peewee.Expression, most_bytes: int) -> None:
    rows = KeptVersion.select(KeptVersion.blob, KeptVersion.size_bytes).where(
        KeptVersion.task == task.number, which
    )
    left, going = most_bytes, []
    for row in rows.order_by(KeptVersion.kept_at.desc(), KeptVersion.blob):
        left -= row.size_bytes
        if left < 0:
            going.append(row.blob)
    if going:
        KeptVersion.delete().where(KeptVersion.task == task.number, KeptVersion.blob.in_(going)).execute()
