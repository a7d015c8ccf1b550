"""Diffs and landings."""

from __future__ import annotations

from typing import Any

from web.api.results.result import Result
from web.api.results.tasks import Task


class Landed(Result):
    task: Task
    message: str


class Pushed(Landed):
    """`pushed` is `{remote, branch, commit_oid}`; `compare_url` the page to open a pull request on by hand."""

    pushed: dict[str, str] | None = None
    compare_url: str | None = None
    pull_request_url: str | None = None
    pull_request_refused: str | None = None


class Looked(Result):
    """What a worker found; with 202 only `task_id` and `pending_command`."""

    task_id: str | None = None
    conflicts: list[Any] | None = None
    blocking: list[Any] | None = None


class Diff(Result):
    """`from`, `to` and a `note` for a reader are there where two states were named; an oid is null of what is no commit."""

    task_id: str
    isolated: bool
    worktree_path: str | None
    runner_session_id: str | None
    base_commit: str | None
    stat: str
    patch: str
    files: list[dict[str, Any]]
    total_files: int
    next_cursor: str | None
    head_oid: str | None
    base_oid: str | None
    captured_at: str | None
    truncated: bool


class Lines(Result):
    """Of one version of a changed file; `truncated` where only the first 1 MiB of it is kept."""

    task_id: str
    path: str
    side: str
    start: int
    lines: list[str]
    total_lines: int
    truncated: bool


class HunkReview(Result):
    """`hunk` names what the hunk removes and adds, wherever it stands; `state` is `open` or `viewed`."""

    hunk: str
    header: str
    state: str
    viewed_by: str | None
    viewed_at: str | None


class Capture(Result):
    """`attempt` and `turn` are the numbers of those that ended with it; `files` counts them."""

    id: str
    attempt: int | None
    turn: int | None
    why: str
    captured_at: str
    base_oid: str
    head_oid: str
    tree_oid: str
    files: int
    additions: int
    deletions: int
    flags: list[Any]
    truncated: bool
    has_patch: bool


class Turn(Result):
    """`began_from` is a capture, null for the base; `ended_with` is null while it lasts, or where nothing was captured."""

    number: int
    attempt: int | None
    began_from: str | None
    ended_with: str | None
    began_at: str
    ended_at: str | None


class FileReview(Result):
    """`hunks` is null where the answer has as many as it may; ask for that `path`."""

    path: str
    path_b64: str | None
    state: str
    viewed_by: str | None
    viewed_at: str | None
    hunks: list[HunkReview] | None


class Review(Result):
    """How far the review of the latest capture has come; `state` is `open`, `viewed` or `changed` since."""

    task_id: str
    head_oid: str | None
    total: int
    viewed: int
    files: list[FileReview]


class Comment(Result):
    """`state` is `draft`, `sent`, `addressed` or `outdated`; `now` what stands where its lines stood, null where they
    still stand, left the change, or cannot be told.
    """

    id: str
    path: str
    side: str
    line: int
    last_line: int
    quote: str
    body: str
    state: str
    outdated: bool
    now: str | None
    author: str
    created_at: str
    edited_at: str | None
    sent_at: str | None
    resolved_by: str | None
    resolved_at: str | None
