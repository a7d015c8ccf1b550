"""What surrounds every page: navigation, how many tasks wait for a person, which runners work, the CSRF token."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, current_app, g, render_template, request

from shared import fleet, tasks
from shared.errors import Refused
from shared.lifecycle import Status
from shared.store.models import Task
from web import answers, views
from web.security import Authority, authority
from web.services import services

#: How many waiting tasks the script is told about.
NAMED = 50


@dataclass(frozen=True)
class Item:
    """A place in the navigation; `secondary` ones fold under More on a narrow screen."""

    endpoint: str
    path: str
    label: str
    icon: str
    keys: str
    secondary: bool = False


#: In the order shown; only those whose page exists appear.
NAVIGATION = (
    Item("board", "/", "Board", "board", "g b"),
    Item("inbox", "/ui/inbox", "Inbox", "inbox", "g i"),
    Item("sessions", "/ui/sessions", "Sessions", "sessions", "g s", secondary=True),
    Item("workspaces_page", "/ui/workspaces", "Workspaces", "folder", "g w"),
    Item("runners_page", "/ui/runners", "Runners", "runner", "g r", secondary=True),
    Item("costs", "/ui/costs", "Costs", "coins", "g c", secondary=True),
    Item("audit", "/ui/audit", "Audit", "audit", "g a", secondary=True),
    Item("search", "/ui/search", "Search", "search", "g f", secondary=True),
    Item("settings", "/ui/settings", "Settings", "settings", "g t", secondary=True),
)
#: Pages below one of these.
WITHIN = {"transcript": "sessions"}
#: What a person is waited for by: these count in the top bar, the title and the favicon.
WAITING = ("approval", "question", "policy")


def install(app: Flask) -> None:
    app.add_url_rule("/ui/needs", "needs", needs)
    app.context_processor(_surroundings)


def _surroundings() -> dict[str, Any]:
    """Values for every template; signed out there are none."""
    return {
        "frame": Frame(),
        "csrf_token": csrf_token(),
        "refusal": refusal(),
        "task_path": task_path,
        "here": here(),
    }


def here() -> str:
    """The address of the page being rendered, for forms to come back to."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    return request.form.get("back", "/")


class Frame:
    """Read lazily, so that partials ask the store only for what they show."""

    @property
    def navigation(self) -> list[Item]:
        return [item for item in NAVIGATION if item.endpoint in current_app.view_functions]

    @property
    def pages(self) -> Container[str]:
        """The endpoints there are: links to pages appear with them."""
        return current_app.view_functions

    @property
    def data(self) -> str:
        """Where everything is kept."""
        return str(services().config.data)

    @property
    def current(self) -> str:
        """The endpoint of the navigation that this page belongs to."""
        return WITHIN.get(request.endpoint or "", request.endpoint or "")

    @property
    def waiting(self) -> int:
        return int(waiting().count())

    @property
    def runners(self) -> list[fleet.RunnerState]:
        return fleet.runners()

    @property
    def has_worker(self) -> bool:
        return bool(fleet.live_workers())


def waiting() -> Any:
    """Tasks that wait for a person's answer, oldest first."""
    return (
        Task.select()
        .where(Task.status == Status.NEEDS_INPUT, Task.archived_at.is_null())
        .order_by(Task.updated_at, Task.number)
    )


@authority(Authority.PAGE)
def needs() -> Response:
    """How many wait, and what the newest of everything that needs a person is about; for title and notifications."""
    wanted = (Status.NEEDS_INPUT, Status.READY_FOR_REVIEW, Status.FAILED)
    query = Task.select().where(Task.status.in_(wanted), Task.archived_at.is_null())
    rows = list(query.order_by(Task.updated_at.desc()).limit(NAMED))
    known = views.context(rows)
    named = [
        {
            "id": row.id,
            "title": row.title,
            "attention": "approval" if row.number in known.asked else tasks.attention(row),
        }
        for row in rows
    ]
    return answers.value({"waiting": waiting().count(), "tasks": named})


def csrf_token() -> str:
    """The token every form of this browser's login carries; empty under a bearer token."""
    found = getattr(g, "credential", None)
    return found.login.csrf if found is not None and found.login is not None else ""


@dataclass(frozen=True)
class Refusal:
    """Why a form came back: which form (`scope`), one sentence, and what had been typed."""

    scope: str
    detail: str
    draft: dict[str, str]


def refusal() -> Refusal | None:
    found: Refusal | None = g.get("refusal")
    return found


def refuse(scope: str, error: Refused) -> None:
    """Have the page that is rendered next show the error at the form it concerns."""
    g.refusal = Refusal(scope, error.detail, request.form.to_dict())


def query(name: str) -> str:
    """A query parameter of the page: of this request, or of the page a refused form came from."""
    source = g.get("page_query", request.args)
    return str(source.get(name, "")).strip()


def task_path(task_id: str) -> str | None:
    """Where a task is shown, or None as long as there is no such page."""
    return f"/ui/tasks/{quote(task_id)}" if "task_page" in current_app.view_functions else None


def page(template: str, **values: Any) -> str:
    return render_template(template, **values)
