"""Two tasks of a group compared, as `diff A..B` names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openruntime.cli import ids
from openruntime.cli.client import task_path
from shared.errors import BadRequest, Unavailable

if TYPE_CHECKING:
    from openruntime.cli.client import Client

#: Between the ids of the two, as git has it between revisions.
APART = ".."


def between(client: Client, given: str) -> dict[str, Any]:
    """What would turn the first task's latest state into the second's: the API's answer.

    Raises BadRequest where the first has no group, Unavailable while no worker has compared them.
    """
    first, second = (ids.task(client, part) for part in given.split(APART, 1))
    group = client.get(task_path(first), events=0).get("group_id")
    if group is None:
        raise BadRequest(f"The task {ids.short(first)} has no group: two tasks for one goal can be compared.")
    found: dict[str, Any] = client.get(f"/groups/{group}/diff", **{"from": first, "to": second})
    if "patch" not in found:
        raise Unavailable("No worker has compared them yet; try again in a moment.")
    return found
