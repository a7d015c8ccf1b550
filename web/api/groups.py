"""Groups: several tasks for one goal, compared, of which a person picks one."""

from __future__ import annotations

from flask import Response, request

from shared import groups, workspaces
from shared.review import group_files
from shared.store.models import Task, TaskGroup
from web import answers, idempotency, views
from web.api import results, schemas
from web.api.tasks import body_digest, wanted
from web.reading import snapshot
from web.resource import Resource
from web.security import Authority, authority
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
