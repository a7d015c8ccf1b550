"""Groups: several tasks for one goal, compared, of which a person picks one."""

from __future__ import annotations

from flask import Response, request

from shared import groups, workspaces
from shared.clock import rfc3339
from shared.review import group_files, points
from shared.review.points import State
from shared.store.models import Command, Task, TaskGroup
from web import answers, comparing, effects, idempotency, views
from web.api import diffs, results, schemas
from web.api.tasks import body_digest, wanted
from web.reading import snapshot
from web.resource import Resource
from web.security import Authority, authority, writes
from web.services import services

api = Resource("groups", __name__)


@api.post("/groups", responses={200: results.Group})
@authority(Authority.CLIENT)
def create(body: schemas.NewGroup) -> Response:
    """Record one task for each variant, all or none; `Idempotency-Key` makes a repeated request give the same group."""
    variants, home = [wanted(one) for one in body.tasks()], services().home
    workspaces.resolve(body.workspace, home)  # a slow disk must not hold the store's write lock below
    key = request.headers.get("Idempotency-Key")

    def first() -> Task:
        return groups.create(variants, home)[0]

    task = first() if key is None else idempotency.once(key, f"group:{body_digest()}", first)
    return _shown(groups.get(str(task.group_id)))


@api.get("/groups/<id>", responses={200: results.Group})
@authority(Authority.CLIENT)
def show(path: schemas.ById) -> Response:
    """The group's tasks in the order they were asked for, archived ones included."""
    return _shown(groups.get(path.id))


@api.get("/groups/<id>/files", responses={200: results.GroupFiles})
@authority(Authority.CLIENT)
def files(path: schemas.ById) -> Response:
    """The files that the latest captures of the group's tasks change, and where several tasks made the same of one."""
    with snapshot():
        group = groups.get(path.id)
        return answers.value(views.group_files(group, group_files.across(groups.members(group))))


@api.get("/groups/<id>/diff", responses={200: results.GroupDiff, 202: results.Looked})
@authority(Authority.CLIENT)
@writes
def diff(path: schemas.ById, query: schemas.GroupDiffQuery) -> Response:
    """What would turn one task's latest state into another's; 202 where a worker is still comparing them."""
    group = groups.get(path.id)
    first, second = groups.two(group, query.from_, query.to)
    found = points.pair(first, points.LATEST, points.LATEST, second)
    row = comparing.made(found, effects.WORK_SECONDS)
    if isinstance(row, Command):
        return answers.value({"task_id": first.id, "pending_command": views.command(row)}, 202)
    sides = {"from": _side(first, found.old), "to": _side(second, found.new)}
    return answers.value(
        {"group_id": group.id, **sides, "rebased": found.is_rebased, **diffs.listed(row, query)}
    )


def _side(task: Task, state: State) -> dict[str, str | None]:
    return {"task_id": task.id, "tree_oid": state.oid, "captured_at": rfc3339(state.captured_at)}


@api.post("/groups/<id>/pick", responses={200: results.Group})
@authority(Authority.OWNER)
def pick(path: schemas.ById, body: schemas.Pick) -> Response:
    """Keep one task; the others are stopped and archived. 409 while another one is picked."""
    return _shown(groups.pick(groups.get(path.id), body.task_id))


@api.post("/groups/<id>/unpick", responses={200: results.Group})
@authority(Authority.OWNER)
def unpick(path: schemas.ById) -> Response:
    """Put the others back into the lists; what was stopped stays stopped until it is started again."""
    return _shown(groups.unpick(groups.get(path.id)))


def _shown(group: TaskGroup) -> Response:
    with snapshot():
        return answers.value(views.group(groups.get(group.id), groups.members(group)))
