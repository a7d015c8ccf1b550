"""What `diff` prints: a task's whole change, what lies between two of its states, or between two tasks of a group."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import click

from openruntime.cli import groups, ids
from openruntime.cli.client import task_path
from shared.errors import Unavailable

if TYPE_CHECKING:
    from openruntime.cli.client import Client

#: Between the ids of two tasks, as git has it between revisions.
APART = ".."


def states(since: str | None, attempt: int | None, old: str | None, new: str | None) -> dict[str, str]:
    """The two states of a task as the API names them; nothing for the whole change. Raises UsageError."""
    if sum(each is not None for each in (since, attempt, old or new)) > 1:
        raise click.UsageError("Say one of --since, --attempt, and --from with --to.")
    if attempt is not None:
        return {"from": f"before-attempt-{attempt}", "to": f"attempt-{attempt}"}
    return {name: word for name, word in (("from", since or old), ("to", new)) if word is not None}


def found(client: Client, given: str, between: dict[str, str]) -> dict[str, Any]:
    """The API's answer for `ID`, or for `ID..ID` what would turn the first task's latest state into the second's.

    Raises BadRequest where the first of two has no group, Unavailable while no worker has compared them.
    """
    if APART not in given:
        path, query = task_path(ids.task(client, given), "diff"), between
    elif between:
        raise click.UsageError(
            "Two tasks are compared as they are now, without --since, --attempt, --from and --to."
        )
    else:
        path, query = _of_group(client, *given.split(APART, 1))
    parts = [client.get(path, **query)]
    while cursor := parts[-1].get("next_cursor"):
        parts.append(client.get(path, **query, cursor=cursor))
    if any("patch" not in part for part in parts):
        raise Unavailable("No worker has compared them yet; try again in a moment.")
    return joined(parts)


def _of_group(client: Client, *given: str) -> tuple[str, dict[str, str]]:
    """Where two tasks of a group are compared, and by which query."""
    first, second = (ids.task(client, one) for one in given)
    return f"{groups.path_of(client, first)}/diff", {"from": first, "to": second}


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The parts of a long answer as one: all files, and the whole patch."""
    whole = parts[0]
    if len(parts) > 1:
        patches = [base64.b64decode(part.get("patch_b64", "")) or part["patch"].encode() for part in parts]
        patch = b"".join(patches)
        whole |= {"patch": patch.decode(errors="replace"), "next_cursor": None}
        whole["files"] = [file for part in parts for file in part["files"]]
        if any("patch_b64" in part for part in parts):
            whole["patch_b64"] = base64.b64encode(patch).decode()
    return whole
