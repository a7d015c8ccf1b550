"""The composer: what a new task is made of, from one form."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from shared import creation, fleet, groups, tasks, workspaces
from shared.agents import adoption, sessions
from shared.agents.sessions import Session
from shared.errors import BadRequest, NotFound, NotReady, Refused
from shared.fleet import RunnerState
from shared.lifecycle import Status
from shared.secrets import kept
from shared.store.models import Task
from web import idempotency, problems
from web.api import schemas
from web.pages import forms, frame, policies, words
from web.pages.repositories import Inspection, inspection
from web.services import services

SCOPE = "compose"
BUDGETS = (5, 15, 30, 60, 120, 240)
TITLE = 90
PREFERRED = ("claude-code", "codex", "shell")


@dataclass(frozen=True)
class Example:
    """A task to try; `runner` decides whether it can run here."""

    title: str
    runner: str
    goal: str


EXAMPLES = (
    Example(
        "See the machine work",
        "shell",
        'for n in 1 2 3 4 5; do echo "step $n of 5"; sleep 1; done; echo done',
    ),
    Example(
        "Explain this repository",
        "agent",
        "Read this repository and explain in ten lines what it does and how it is built.",
    ),
    Example(
        "Find a bug",
        "agent",
        "Look for one real bug in this repository, write a failing test for it, then fix it.",
    ),
)


@dataclass(frozen=True)
class Composer:
    """What the form offers, and what is chosen."""

    workspaces: list[tuple[str, str, str]]
    workspace: str
    inspection: Inspection
    runners: list[RunnerState]
    runner: str
    presets: Mapping[str, tuple[str, str]]
    preset: str
    budgets: tuple[int, ...]
    draft: Mapping[str, str]
    key: str
    session: Session | None = None
    secrets: tuple[str, ...] = ()
    examples: tuple[Example, ...] = EXAMPLES

    @property
    def has_agent(self) -> bool:
        return self._agent() is not None

    @property
    def others(self) -> list[RunnerState]:
        """The agents that may try the same goal beside the one that is chosen."""
        agents = [state for state in self.runners if state.available and state.name != "shell"]
        return agents if len(agents) > 1 else []

    @property
    def also(self) -> list[str]:
        """The names of those that are ticked."""
        return [state.name for state in self.others if self.draft.get(f"also-{state.name}")]

    def runner_for(self, example: Example) -> str:
        """The shell, or the agent there is."""
        return "shell" if example.runner == "shell" else self._agent() or "claude-code"

    def _agent(self) -> str | None:
        names = [state.name for state in self.runners if state.available]
        return next((name for name in PREFERRED if name in names and name != "shell"), None)


def install(app: Flask) -> None:
    app.add_url_rule("/ui/compose", "compose", compose, methods=["POST"])


def composer(keep: Mapping[str, str] | None = None) -> Composer:
    """The form; with `keep` (the last one sent) its choices stay and its text is gone."""
    refused = frame.refusal()
    draft = refused.draft if refused is not None and refused.scope == SCOPE else {}
    chosen = draft or keep or _prefilled()
    places = workspaces.listed(services().home)
    workspace = chosen.get("workspace") or _last("workspace") or places[0][2]
    runners = fleet.runners()
    defaults = workspaces.defaults_for(workspace)
    return Composer(
        workspaces=places,
        workspace=workspace,
        inspection=inspection(workspace),
        runners=runners,
        runner=chosen.get("runner") or _last("runner") or _first_available(runners),
        presets=policies.choices(defaults, unasked=True),
        preset=chosen["preset"] if "preset" in chosen else policies.chosen(defaults),
        budgets=BUDGETS,
        draft=draft or _prefilled(),
        key=draft.get("key") or secrets.token_urlsafe(12),
        session=_session(draft or _prefilled()),
        secrets=tuple(row.name for row in kept.listed()),
    )


def _prefilled() -> dict[str, str]:
    """An example's link fills the form without a script."""
    if not frame.query("compose"):
        return {}
    given = {name: frame.query(name) for name in ("goal", "runner", "workspace", "session")}
    return {name: value for name, value in given.items() if value}


def _session(chosen: Mapping[str, str]) -> Session | None:
    """The agent session that is to go on, while it is there."""
    if not chosen.get("session"):
        return None
    with suppress(NotFound):
        return sessions.find(chosen["session"])
    return None


def _last(field: str) -> str | None:
    row = Task.select(getattr(Task, field)).order_by(Task.number.desc()).first()
    return getattr(row, field) if row is not None else None


def _first_available(runners: list[RunnerState]) -> str:
    names = [state.name for state in runners if state.available]
    return next((name for name in PREFERRED if name in names), "shell")


@forms.action(SCOPE)
def compose() -> BaseResponse:
    """Record a task and start it, or one for each runner that is to try the goal."""
    variants = _variants(_new())
    for new in variants:
        _require_runner(new.runner)
    new = variants[0]
    home = services().home
    workspaces.resolve(new.workspace, home)  # a slow disk must not hold the store's write lock below
    sent = {name: value for name, value in request.form.items() if name != "csrf_token"}
    digest = hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()
    wanted = forms.field("session", 200)
    session = sessions.find(wanted) if wanted else None

    def create() -> Task:
        if len(variants) > 1:
            return groups.create(variants, home)[0]
        return adoption.create(new, home, session)

    task = idempotency.once(forms.field("key", 64), digest, create)
    for one in groups.siblings(task):
        if one.status is Status.QUEUED and one.live_attempt is None:
            #: A task that waits for its approval says so on its card; it is there all the same.
            with suppress(NotReady):
                tasks.request_start(one, resume=adoption.is_adopted(one))
    answer = forms.done(lambda: frame.page("parts/composer.html", composer=composer(_choices())))
    answer.headers["HX-Trigger"] = json.dumps({"openruntime:task": {"id": task.id}})
    return answer


def _choices() -> dict[str, str]:
    return {name: request.form.get(name, "") for name in ("workspace", "runner", "preset", "budget")}


def _variants(new: creation.NewTask) -> list[creation.NewTask]:
    """The task, and the same for every further agent that is ticked."""
    ticked = [state.name for state in fleet.runners() if request.form.get(f"also-{state.name}")]
    also = [name for name in ticked if name != new.runner]
    if also and new.runner == "shell":
        raise BadRequest("A shell command is not for agents: choose an agent, or clear “Also try with”.")
    if also and forms.field("session", 200):
        raise BadRequest("A session goes on with its own runner only: clear “Also try with”.")
    return [new, *(replace(new, runner=name) for name in also)]


def _new() -> creation.NewTask:
    goal = forms.field("goal", schemas.PROMPT_BYTES)
    runner = forms.field("runner", 100) or "shell"
    if not goal:
        raise BadRequest(
            "Write the command to run." if runner == "shell" else "Write what the agent should do."
        )
    cents = _cents(forms.field("cost", 32))
    given: dict[str, Any] = {
        "title": forms.field("title", 1000) or title_of(goal),
        "prompt": "" if runner == "shell" else goal,
        "runner": runner,
        "command": goal if runner == "shell" else None,
        "workspace": forms.field("workspace") or None,
        "budget_minutes": forms.whole("budget", None, 1, 240),
        "preset": forms.field("preset", 64) or None,
        "priority": forms.whole("priority", 0, -1000, 1000),
        "base_ref": forms.field("base_ref", 255) or None,
        "env": forms.field("env").replace(",", " ").split() or None,
        "place": forms.field("place", 16) or None,
    }
    try:
        body = schemas.NewTask.model_validate(given)
    except ValidationError as error:
        raise problems.shape(error) from None
    return creation.NewTask(
        title=body.title,
        prompt=body.prompt,
        runner=body.runner,
        command=body.command,
        workspace=body.workspace,
        budget_minutes=body.budget_minutes,
        policy={"budget_cents": cents} if cents is not None else None,
        preset=body.preset,
        priority=body.priority or 0,
        base_ref=body.base_ref,
        options=body.model_dump(include={"env", "place"}, exclude_none=True),
    )


def title_of(goal: str) -> str:
    """The first line of a goal, cut at a word."""
    line = next((line.strip() for line in goal.splitlines() if line.strip()), "Task")
    if len(line) <= TITLE:
        return line
    head = line[:TITLE].rpartition(" ")[0] or line[:TITLE]
    return head.rstrip(" ,;:.") + "…"


def _cents(text: str) -> int | None:
    """`5`, `$0.50` as cents."""
    amount = text.removeprefix("$").strip()
    if not amount:
        return None
    whole, _, part = amount.partition(".")
    if not ((whole + part).isascii() and (whole + part).isdigit() and len(whole) <= 6 and len(part) <= 2):
        raise BadRequest("The cost limit is an amount in dollars, such as 2.50.")
    return int(whole or 0) * 100 + int(f"{part:0<2}" if part else 0)


def _require_runner(name: str) -> None:
    """A task that could not start is not made: the text stays in the form."""
    known = fleet.runner(name)
    if known is not None and not known.available and fleet.live_workers():
        raise Refused(
            f"{words.runner_label(name)} is not available on this machine. {known.detail or ''}".strip()
        )
