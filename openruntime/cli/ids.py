"""Ids by unique prefix: a convenience of the program; the API takes whole ids only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from openruntime.cli.terminal import one_line
from shared.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from openruntime.cli.client import Client

WHOLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PAGE = 500
CANDIDATES = 10


def short(task_id: str) -> str:
    """The eight characters people see and type."""
    return task_id[:8]


def task(client: Client, prefix: str) -> str:
    """The whole id of the one task whose id begins with `prefix`.

    Raises NotFound for none and BadRequest, naming the candidates, for several.
    """
    wanted = prefix.strip().lower()
    if WHOLE.fullmatch(wanted):
        return wanted
    rows = (row for page in client.pages("/tasks", limit=PAGE, events=0) for row in page)
    return str(pick(rows, wanted, "task", "title")["id"])


def pick(rows: Iterable[Mapping[str, Any]], prefix: str, what: str, label: str) -> Mapping[str, Any]:
    """The one of `rows` whose `id` begins with `prefix`; `label` names the field that describes a candidate."""
    if not prefix:
        raise BadRequest(f"Give at least one character of the {what}'s id.")
    found = [row for row in rows if str(row["id"]).lower().startswith(prefix.lower())]
    exact = [row for row in found if str(row["id"]).lower() == prefix.lower()]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise NotFound(f"No {what} has an id that begins with {one_line(prefix)!r}.")
    named = ", ".join(
        f"{_distinct(row, found)} ({one_line(str(row.get(label) or ''))[:40]})" for row in found[:CANDIDATES]
    )
    more = f" and {len(found) - CANDIDATES} more" if len(found) > CANDIDATES else ""
    raise BadRequest(f"{prefix!r} begins the ids of {len(found)} {what}s: {named}{more}.")


def _distinct(row: Mapping[str, Any], rows: list[Mapping[str, Any]]) -> str:
    """The shortest beginning, of eight characters or more, that no other row shares."""
    own, others = str(row["id"]), [str(other["id"]) for other in rows if other is not row]
    return next(
        (
            own[:size]
            for size in range(8, len(own))
            if not any(other.startswith(own[:size]) for other in others)
        ),
        own,
    )
