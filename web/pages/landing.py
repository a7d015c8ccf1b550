"""Landing from the dashboard: the look at what it would meet, the merge, and removing the worktree."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from werkzeug.wrappers import Response as BaseResponse

from shared import tasks
from shared.commands import CommandKind
from shared.errors import BadRequest, Refused
from shared.review import landings, marks
from shared.review.gates import CHECKOUT, GateKind
from shared.store.models import Command, Task
from shared.task_place import TaskPlace
from web import effects, quoting
from web.api import schemas
from web.pages import captures, forms, frame, reviewing, said, task_details
from web.pages.repositories import inspection
from web.security import Authority, authority, writes

STRATEGIES = {
    "squash": ("Squash", "One commit on the target branch."),
    "merge": ("Merge commit", "Keeps the work as a commit of its own beside the branch."),
    "rebase": ("Rebase", "The work on top of the branch, without a merge commit."),
    "apply": ("Apply to the checkout", "Uncommitted edits in your checkout; you commit them."),
}
#: A folder in no git repository has no branch to commit to.
FOLDER_STRATEGIES = {"apply": ("Apply to the folder", "The files of your folder change; you can undo it.")}
LISTED = 50
#: How a rebase treats conflicts, by the button that asks for it.
REBASES: dict[str, dict[str, Any]] = {
    "now": {"conflicts": "refuse"},
    "mark": {"conflicts": "mark"},
    "ask": {"conflicts": "mark", "ask": True},
}
#: What a gate's objection means for a person, and what to do; one without words of its own says only why.
OBJECTIONS = {
    GateKind.CHANGED_CONFIGURATION: (
        "Git’s configuration changed since the attempt started.",
        "The landing itself starts none of it; your own git may.",
    ),
    GateKind.FILE_GLOBS: (
        "Files outside the policy’s globs would land.",
        "Ask the agent to put them back, or land them all the same.",
    ),
    GateKind.CONFLICT_MARKERS: (
        "A conflict is not resolved.",
        "Resolve it in the worktree, or ask the agent to.",
    ),
    GateKind.MASS_DELETION: (
        "More than half of the files would be deleted.",
        "Is that what you asked for? The landing can be undone.",
    ),
    GateKind.UNREVIEWED: (
        "Not every file is viewed.",
        "This workspace asks for it before a task lands.",
    ),
    GateKind.VERIFY: (
        "A check did not pass on what would land.",
        "Its output is in the timeline.",
    ),
    GateKind.SECRETS: (
        "A secret would land.",
        "Ask the agent to take it out. What was ever pushed must be replaced, not only removed.",
    ),
}


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/merge", "merge_page", merge_page)
    app.add_url_rule("/ui/tasks/<id>/merge", "merge_form", merge, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/cleanup", "cleanup_form", cleanup, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/rebase", "rebase_form", rebase, methods=["POST"])
    app.add_url_rule("/ui/tasks/<id>/verify", "verify_form", verify, methods=["POST"])


@authority(Authority.PAGE)
@writes
def merge_page(id: str) -> str:
    """What a landing would meet now, and the form for it: a page of its own, or what the dialog holds."""
    task = tasks.get(id)
    strategy = frame.query("strategy")
    strategies = FOLDER_STRATEGIES if task.place == TaskPlace.COPY else STRATEGIES
    strategy = strategy if strategy in strategies else next(iter(strategies))
    target = frame.query("target_branch")[:255] or task.target_branch or ""
    seen, problem = _looked(task, strategy, target)
    task = tasks.get(id)
    shown = captures.latest(task)
    review = marks.of(task, shown)
    reviewed = frame.query("head")[:64]
    values: dict[str, Any] = {
        "task": task,
        "act": f"/ui/tasks/{task.id}",
        "strategies": strategies,
        "strategy": strategy,
        "target": (seen or {}).get("target_branch") or target,
        "branches": inspection(task.workspace).branches,
        "seen": seen,
        "problem_said": problem,
        "message": landings.proposed_message(task),
        "files": review.total,
        "unviewed": review.total - review.viewed,
        "in_part": reviewing.in_part(review),
        "unanswered": said.unanswered(quoting.of(task, shown)),
        "has_moved": bool(reviewed and seen and seen.get("head_oid") != reviewed),
        "reviewed": reviewed,
        "listed": LISTED,
        "objections": objections(seen),
        "in_the_way": [found for found in (seen or {}).get("blocking", []) if found["kind"] == CHECKOUT],
        "ready": is_ready(seen),
        "can_ask": task.runner != "shell" and task.runner_session_id is not None,
    }
    if forms.is_upgraded():
        return frame.page("changes/merge_form.html", **values)
    return frame.page("changes/merge.html", tab="changes", details=task_details.details(task), **values)


def objections(seen: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What the gates object to, by kind, with words for it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in (seen or {}).get("blocking", []):
        if one["kind"] != CHECKOUT:
            found.setdefault(one["kind"], []).append(one)
    return [
        {
            "kind": kind,
            "title": OBJECTIONS.get(GateKind(kind), ("Something must be looked at first.", ""))[0],
            "advice": OBJECTIONS.get(GateKind(kind), ("", ""))[1],
            "overridable": all(one["overridable"] for one in items),
            "found": items,
        }
        for kind, items in found.items()
    ]


def is_ready(seen: dict[str, Any] | None) -> bool:
    """Whether it lands as it is, or when a person says so of everything that objects."""
    return seen is not None and not seen["conflicts"] and all(one["overridable"] for one in seen["blocking"])


def _looked(task: Task, strategy: str, target: str) -> tuple[dict[str, Any] | None, str | None]:
    try:
        wished = forms.body(schemas.Merge, strategy=strategy, target_branch=target)
    except Refused as refused:
        return None, refused.detail
    return look(task, CommandKind.PREVIEW, wished)


def look(task: Task, kind: CommandKind, wished: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """What a worker sees, or the sentence that says why it cannot."""
    try:
        command = effects.carried_out(landings.request_work(task, kind, wished), effects.WORK_SECONDS)
    except Refused as refused:
        return None, refused.detail
    if command.finished_at is None:
        return None, "No worker has looked at this yet. Try again in a moment."
    return dict(command.result or {}), None


@forms.action(lambda id: f"merge:{id}")
def merge(id: str) -> BaseResponse:
    """Land exactly what was shown."""
    task = tasks.get(id)
    wished = forms.body(
        schemas.Merge,
        strategy=forms.field("strategy", 16),
        target_branch=forms.field("target_branch", 255),
        message=forms.field("message", 20_000),
        head_oid=forms.field("head_oid", 64),
        target_oid=forms.field("target_oid", 64),
    )
    if "head_oid" not in wished:
        raise BadRequest("Look at the changes first; the merge lands what was shown.")
    if override := request.form.getlist("override"):
        wished |= forms.body(schemas.Merge, override=override)
    if forms.field("cleanup", 4) == "1":
        wished["cleanup"] = True
    _done(landings.request_work(task, CommandKind.MERGE, wished))
    return forms.leave(f"/ui/tasks/{task.id}/changes")


@forms.action(lambda id: f"cleanup:{id}")
def cleanup(id: str) -> BaseResponse:
    """Remove the worktree; `force` says that unmerged work may go."""
    task = tasks.get(id)
    _done(landings.request_work(task, CommandKind.CLEANUP, {"force": forms.field("force", 4) == "1"}))
    return forms.leave(f"/ui/tasks/{task.id}/changes")


@forms.action(lambda id: f"resolve:{id}")
def rebase(id: str) -> BaseResponse:
    """Bring the work onto its target; what conflicts is refused, or marked for the agent or for the person's editor."""
    task = tasks.get(id)
    how = forms.field("how", 8)
    if how not in REBASES:
        raise BadRequest("Choose how to rebase: now, with the agent, or in your editor.")
    target = forms.body(schemas.Merge, target_branch=forms.field("target_branch", 255))
    _done(landings.request_work(task, CommandKind.REBASE, {**target, **REBASES[how]}))
    return forms.leave(f"/ui/tasks/{task.id}" if how == "ask" else f"/ui/tasks/{task.id}/changes")


@forms.action(lambda id: f"verify:{id}")
def verify(id: str) -> BaseResponse:
    """Run the checks on what would land, and show the landing again."""
    task = tasks.get(id)
    wished = forms.body(
        schemas.Merge, strategy=forms.field("strategy", 16), target_branch=forms.field("target_branch", 255)
    )
    _done(landings.request_work(task, CommandKind.VERIFY, {**wished, "again": True}))
    return forms.leave(f"/ui/tasks/{task.id}/changes?merge")


def _done(command: Command) -> None:
    effects.carried_out(command, effects.WORK_SECONDS)
