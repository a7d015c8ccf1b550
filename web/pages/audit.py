"""The audit log: who decided what, newest first, whether the log is whole, and its export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from pydantic import ValidationError

from shared import audit
from shared.audit import Act, Actor, export
from shared.audit.chain import Verdict, heads_file, verify
from shared.commands import UNRECORDED, CommandKind
from shared.errors import BadRequest
from shared.store.database import raw
from shared.store.models import Task
from web.api import audit as api
from web.api.schemas.audit import AuditList
from web.pages import frame, words
from web.security import Authority, authority
from web.services import services

PATH = "/ui/audit"
SHOWN = 100
#: What can be chosen: the part before the colon stands for all of its kind.
WHO = {
    "owner": "You",
    "token": "API tokens",
    Actor.RULE: "Rules",
    Actor.TIMEOUT: "The clock",
    Actor.SYSTEM: "openRuntime",
}
KINDS = sorted({*map(str, Act), *(str(kind) for kind in CommandKind if kind not in UNRECORDED)})
#: What the row says already, or only a program reads.
DULL = ("title", "policy hash", "approved hash")
FILTERS = ("kind", "actor", "task", "since", "until")


@dataclass(frozen=True)
class Shown:
    """One entry; `words` is its detail as short pairs, `title` its task's, while that exists."""

    entry: Mapping[str, Any]
    title: str | None

    @property
    def who(self) -> str:
        return words.actor(str(self.entry["actor"]))

    @property
    def words(self) -> list[tuple[str, str]]:
        detail = self.entry["detail"] or {}
        return [(name.replace("_", " "), _text(value)) for name, value in detail.items()]

    @property
    def gist(self) -> list[tuple[str, str]]:
        """The first of them that tell more than the row does."""
        return [pair for pair in self.words if pair[0] not in DULL][:3]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return words.short_path(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return export.compact(value)


def install(app: Flask) -> None:
    app.add_url_rule(PATH, "audit", page)


@authority(Authority.PAGE)
def page() -> str:
    given = {name: frame.query(name)[:300] for name in FILTERS}
    query, problem = _asked(given)
    rows = (
        audit.page(
            api.wanted(query),
            after=int(query.cursor) if query.cursor else None,
            limit=SHOWN + 1,
            newest_first=True,
        )
        if query
        else []
    )
    kept = {name: value for name, value in given.items() if value}
    return frame.page(
        "audit.html",
        entries=_shown(rows[:SHOWN]),
        given=given,
        problem=problem,
        who=WHO,
        kinds=KINDS,
        verdict=_verdict(),
        kept=urlencode(kept),
        following=urlencode({**kept, "cursor": rows[SHOWN - 1]["seq"]}) if len(rows) > SHOWN else None,
        is_first=not (query and query.cursor),
    )


def _asked(given: Mapping[str, str]) -> tuple[AuditList | None, str]:
    """The query, or why it is none: a page says so where an API answers 400."""
    wanted = {name: value or None for name, value in given.items()}
    try:
        query = AuditList(**wanted, cursor=frame.query("cursor") or None)  # type: ignore[arg-type]
        api.wanted(query)
    except ValidationError:
        return None, "These filters cannot be used."
    except BadRequest as error:
        return None, error.detail
    return query, ""


def _verdict() -> Verdict | None:
    """Asked for by a click: the whole log is read."""
    return verify(raw(), heads_file(services().config.data)) if frame.query("verify") == "1" else None


def _shown(rows: list[dict[str, Any]]) -> list[Shown]:
    ids = {row["task_id"] for row in rows if row["task_id"]}
    titles = {task.id: task.title for task in Task.select(Task.id, Task.title).where(Task.id.in_(list(ids)))}
    return [Shown(row, titles.get(row["task_id"])) for row in rows]
