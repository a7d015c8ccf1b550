"""What a person says about lines of a task's changes: drafts, one message to the agent made of all of them, and what
became of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any
from uuid import uuid4

from shared import tasks
from shared.clock import now
from shared.errors import Conflict, NotFound
from shared.review import marks
from shared.review.anchors import QUOTE_CHARACTERS
from shared.store.database import transaction
from shared.store.models import INSERTED, Attempt, Command, Comment, Task

#: Bounds of what one message can become: this many drafts of this many characters, with their quotes.
MOST_DRAFTS = 100
MOST_COMMENTS = 1_000
BODY_CHARACTERS = 4_000
QUOTE_LINES = 40


class Side(StrEnum):
    """Which version of a file a line number counts in."""

    OLD = "old"
    NEW = "new"


class State(StrEnum):
    """A comment is a draft until it is sent. Sent, it is open (`sent`) while its lines read as it quotes them; it is
    addressed when the agent changed them since, or a person says so, and outdated when they left the change.
    """

    DRAFT = "draft"
    SENT = "sent"
    ADDRESSED = "addressed"
    OUTDATED = "outdated"


def of(task: Task) -> list[Comment]:
    """The task's comments, oldest first."""
    return list(Comment.select().where(Comment.task == task.number).order_by(INSERTED))


def add(
    task: Task,
    file: marks.File,
    side: Side,
    lines: tuple[int, int],
    quote: str,
    body: str,
    author: str,
    around: Mapping[str, Any] | None = None,
) -> Comment:
    """Keep a draft about lines (first, last) of a captured file that read `quote`, with what is `around` them.

    Raises Conflict when there are too many.
    """
    with transaction():
        known = Comment.select().where(Comment.task == task.number)
        if known.where(Comment.sent_at.is_null()).count() >= MOST_DRAFTS:
            raise Conflict(f"There are {MOST_DRAFTS} drafts already; send them first.")
        if known.count() >= MOST_COMMENTS:
            raise Conflict(f"The task has {MOST_COMMENTS:,} comments already; delete some first.")
        return Comment.create(
            id=str(uuid4()),
            task=task.number,
            path=marks.name_of(file),
            shown_path=file["path"],
            content=marks.content_of(file),
            side=side,
            first_line=lines[0],
            last_line=lines[1],
            quote=quote[:QUOTE_CHARACTERS],
            body=body,
            author=author,
            around=around,
            created_at=now(),
        )


def edit(task: Task, id: str, body: str) -> Comment:
    """Say something else in a draft. Raises NotFound, and Conflict for a comment that was sent."""
    with transaction():
        comment = _of(task, id)
        if comment.sent_at is not None:
            raise Conflict("The comment was sent; it can no longer be edited.")
        if body != comment.body:
            Comment.update(body=body, edited_at=now()).where(Comment.id == id).execute()
        return _of(task, id)


def resolve(task: Task, id: str, by: str | None) -> Comment:
    """Record that `by` takes a sent comment for addressed, or with None that nobody does any more.

    Raises NotFound, and Conflict for a draft.
    """
    with transaction():
        if _of(task, id).sent_at is None:
            raise Conflict("The comment is a draft; send it, or delete it.")
        values = {"resolved_by": by, "resolved_at": now() if by is not None else None}
        Comment.update(values).where(Comment.id == id).execute()
        return _of(task, id)


def _of(task: Task, id: str) -> Comment:
    found = Comment.get_or_none(Comment.task == task.number, Comment.id == id)
    if found is None:
        raise NotFound("The task has no such comment.")
    return found


def remove(task: Task, id: str) -> None:
    """Delete a comment; one that was sent is with the agent all the same. Raises NotFound."""
    with transaction():
        _of(task, id).delete_instance()


def send(task: Task, outdated: Collection[str] = ()) -> Command | Attempt:
    """Send every draft to the agent as one reply, in the same transaction; raises as `tasks.request_reply` does, and
    Conflict where there is no draft, or a shell that would run the words.

    `outdated` are the ids of those whose lines have changed before they were sent.
    """
    if task.runner == "shell":
        raise Conflict("A shell has no agent to read comments; they stay as drafts.")
    with transaction():
        drafts = [comment for comment in of(task) if comment.sent_at is None]
        if not drafts:
            raise Conflict("There is no draft to send.")
        accepted = tasks.request_reply(task, message(drafts), None)
        ids = [draft.id for draft in drafts]
        Comment.update(sent_at=now()).where(Comment.id.in_(ids)).execute()
        late = [id for id in ids if id in outdated]
        Comment.update(was_outdated=True).where(Comment.id.in_(late)).execute()
        return accepted


def message(drafts: Sequence[Comment]) -> str:
    """The comments as an agent reads them: which lines, what they said, and what the person says to that."""
    said = "There is a review comment" if len(drafts) == 1 else f"There are {len(drafts)} review comments"
    return "\n\n".join([f"{said} on your changes.", *map(_told, range(1, len(drafts) + 1), drafts)])


def _told(number: int, draft: Comment) -> str:
    version = " of the version before your changes" if draft.side == Side.OLD else ""
    quoted = "\n".join(f"> {line}".rstrip() for line in draft.quote.split("\n"))
    return f"{number}. {draft.shown_path}, {lines_of(draft)}{version}:\n{quoted}\n{draft.body}"


def lines_of(comment: Comment) -> str:
    """`line 3` or `lines 3 to 5`."""
    if comment.first_line == comment.last_line:
        return f"line {comment.first_line}"
    return f"lines {comment.first_line} to {comment.last_line}"
