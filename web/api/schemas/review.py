"""Diffs, merges and cleanups."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shared.review.comments import BODY_CHARACTERS, Side
from shared.review.gates import GateKind
from shared.review.points import WORDS
from web.api.schemas.fields import BIGGEST, Body, ById, DiffPart, ObjectId, Plain, Query, Reference, Word


def _gate(kind: str) -> str:
    if kind not in list(GateKind):
        raise ValueError(f"there is no gate {kind!r}")
    return kind


Override = Annotated[list[Annotated[str, AfterValidator(_gate)]], Field(max_length=20)]
LineNumber = Annotated[int, Field(ge=1, le=BIGGEST)]
Message = Annotated[str, Field(max_length=20_000), Plain]


class Merge(Body):
    strategy: Literal["squash", "merge", "rebase", "apply"] | None = None
    message: Message | None = None
    head_oid: ObjectId | None = Field(
        None, description="The capture that was reviewed; 409 when there is a newer one."
    )
    target_oid: ObjectId | None = Field(None, description="Where the target stood; 409 when it has moved.")
    cleanup: bool | None = Field(None, description="Remove the worktree after the landing.")
    target_branch: Reference | None = Field(None, description="Another branch than the task's to land on.")
    override: Override | None = Field(
        None, description="Kinds of objections in `blocking` to land in spite of; recorded with the landing."
    )


class Verify(Body):
    strategy: Literal["squash", "merge", "rebase", "apply"] | None = None
    target_branch: Reference | None = Field(None, description="Another branch than the task's.")
    again: bool | None = Field(None, description="Also those that have a result for the merged tree.")


class Undo(Body):
    target_oid: ObjectId | None = Field(None, description="Where the target stood; 409 when it has moved.")


class PullRequest(Body):
    title: Annotated[str, Field(min_length=1, max_length=255), Plain] | None = None
    body: Message | None = None
    draft: bool | None = None


class Push(Body):
    remote: Word | None = Field(None, description="A remote of the repository; `origin`, or the only one.")
    branch: Reference | None = Field(
        None, description="The branch there; the task's, or after a landing the one it landed on."
    )
    strategy: Literal["squash", "merge", "rebase"] | None = Field(
        None, description="What is made of work that has not landed, as for a merge."
    )
    message: Message | None = None
    head_oid: ObjectId | None = Field(None, description="The capture that was reviewed, as for a merge.")
    target_oid: ObjectId | None = Field(None, description="Where the target stood; 409 when it has moved.")
    target_branch: Reference | None = Field(None, description="Another branch than the task's target.")
    override: Override | None = Field(None, description="As for a merge; recorded.")
    pull_request: PullRequest | None = Field(
        None, description="Open one afterwards, by `gh` or `glab`; `{}` takes the proposal."
    )


class Rebase(Body):
    target_branch: Reference | None = Field(None, description="Another branch than the task's.")
    conflicts: Literal["refuse", "mark"] | None = Field(
        None, description="`refuse` (409) unless said otherwise, or `mark` them in the worktree's files."
    )
    ask: bool | None = Field(None, description="Have the agent resolve what was marked, in its session.")


class Cleanup(Body):
    force: bool | None = Field(None, description="Also when unmerged work goes.")


Point = Annotated[str, Field(max_length=80)]


class DiffQuery(DiffPart):
    refresh: bool = Field(False, description="Capture now, and wait up to two seconds for it.")
    old: Point | None = Field(
        None, alias="from", description="Only what differs from this state: as `to`; `base` unless given."
    )
    new: Point | None = Field(
        None, alias="to", description=f"Only what differs up to this state: {WORDS}; `latest` unless given."
    )


class VersionQuery(Query):
    path: Annotated[str, Field(max_length=8192)] = Field(
        description="A changed file's path, or its `path_b64`."
    )
    side: Side = Field(Side.NEW, description="The version: as it was, or as it is now.")


class LinesQuery(VersionQuery):
    start: LineNumber = Field(1, description="The first line.")
    limit: Annotated[int, Field(ge=1, le=10_000)] = 1_000


class ReviewQuery(Query):
    path: Annotated[str, Field(max_length=8192)] | None = Field(None, description="Only this file.")


class Viewed(Body):
    path: Annotated[str, Field(max_length=8192)] = Field(
        description="A changed file's path, or its `path_b64`."
    )
    viewed: bool = Field(description="Whether the person has viewed this version of the file.")
    hunk: Annotated[str, Field(max_length=64)] | None = Field(
        None, description="Only this hunk of it, as the review names it."
    )
    head_oid: ObjectId | None = Field(
        None, description="The capture that was seen; the latest unless given, 409 when that is another."
    )


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must say something")
    return text.strip()


class NewComment(Body):
    path: Annotated[str, Field(max_length=8192)] = Field(
        description="A changed file's path, or its `path_b64`."
    )
    line: LineNumber = Field(description="A line of the file, whether the diff shows it or not.")
    last_line: LineNumber | None = Field(None, description="The last of several lines.")
    side: Literal["old", "new"] | None = Field(
        None, description="The version whose lines are counted; `new` unless given."
    )
    body: Annotated[str, Field(max_length=BODY_CHARACTERS), Plain, AfterValidator(_said)]


class CommentChange(Body):
    body: Annotated[str, Field(max_length=BODY_CHARACTERS), Plain, AfterValidator(_said)]


class Resolved(Body):
    resolved: bool = Field(description="Whether the person takes what the comment asks for as done.")


class ByComment(ById):
    comment_id: str = Field(description="The comment's id.")
