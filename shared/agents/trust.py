"""Which files of a repository may configure an agent: found by workers, trusted by a person, by their content.

Only what the agent's program runs or obeys by itself counts (hooks, servers, permission modes, commands); text that a
model merely reads does not. Trust holds for one workspace and one content: a changed file is asked about again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared import audit, fleet, policy, timeline, workspaces
from shared.audit import Act
from shared.clock import now
from shared.errors import BadRequest, Conflict, NotFound, NotReady
from shared.events import Category, Draft, Kind
from shared.lifecycle import Status
from shared.secrets import masking
from shared.store.database import transaction
from shared.store.models import AgentFile, Task

#: A task's (or its workspace's) word for them: `ask` a person, or start the agent without them.
WORDS = ("ask", "ignore")
#: A workspace keeps this many; the oldest that nobody trusts go first.
MOST_KEPT = 2_000
#: A refusal names this many.
NAMED = 5


@dataclass(frozen=True)
class Found:
    """One such file as a worker read it; `content` may be cut, `problem` why it cannot be trusted."""

    path: str
    digest: str
    size_bytes: int
    content: str
    problem: str | None = None


def concerns(task: Task) -> bool:
    """Whether a worker must look before the agent starts: its program can be configured by a repository, and may be."""
    known = fleet.runner(task.runner)
    configured_by = (known.capabilities or {}).get("configured_by") if known is not None else None
    return bool(configured_by) and not is_ignoring(task)


def is_ignoring(task: Task) -> bool:
    """Whether the agent starts without what the repository configures."""
    default = workspaces.defaults_for(task.workspace).get("repository_settings")
    return (task.options.get("repository_settings") or default or "ask") == "ignore"


def ignore(task: Task) -> None:
    """Start this task's agent without what the repository configures, from now on."""
    with transaction():
        options = {**task.options, "repository_settings": "ignore"}
        Task.update(options=options).where(Task.number == task.number).execute()
        said = "The agent starts without the repository's settings for it"
        timeline.append(task.number, [Draft(Kind.INPUT, said, {"category": Category.POLICY})])
        audit.record(Act.IGNORE_FILES, "task", task.id)
        _let_go(Task.number == task.number)


def record(task: Task, found: Sequence[Found]) -> list[AgentFile]:
    """Keep what a worker found where the task starts; returns what of it is not trusted."""
    workspace, at = workspaces.workspace_id(task.workspace), now()
    with transaction():
        rows = [_row(workspace, task.runner, file, at) for file in found]
        Task.update(agent_files=[row.id for row in rows]).where(Task.number == task.number).execute()
        old = AgentFile.select(AgentFile.id).where(
            AgentFile.workspace == workspace, AgentFile.trusted_at.is_null()
        )
        AgentFile.delete().where(
            AgentFile.id.in_(old.order_by(AgentFile.id.desc()).offset(MOST_KEPT))
        ).execute()
    return [row for row in rows if row.trusted_at is None]


def _row(workspace: str, runner: str, file: Found, at: Any) -> AgentFile:
    key = {"workspace": workspace, "runner": runner, "path": file.path, "digest": file.digest}
    rest = {
        "size_bytes": file.size_bytes, "content": masking.masked(file.content), "problem": file.problem, "found_at": at,
    }  # fmt: skip
    AgentFile.insert(**key, **rest).on_conflict(
        conflict_target=list(key), update={AgentFile.found_at: at, AgentFile.problem: file.problem}
    ).execute()
    return AgentFile.get(*(getattr(AgentFile, name) == value for name, value in key.items()))


def of(task: Task) -> list[AgentFile]:
    """The files found for the task at the last look, by path."""
    return list(AgentFile.select().where(AgentFile.id.in_(task.agent_files)).order_by(AgentFile.path))


def waiting(task: Task) -> list[AgentFile]:
    """Those of them that nobody trusts."""
    if not task.agent_files or is_ignoring(task):
        return []
    return [row for row in of(task) if row.trusted_at is None]


def refusal(task: Task) -> NotReady | None:
    """Why the agent must not start yet, with the files; None when nothing waits."""
    files = waiting(task)
    if not files:
        return None
    names = ", ".join(row.path for row in files[:NAMED]) + (" and more" if len(files) > NAMED else "")
    return NotReady(
        f"The repository configures the agent, and nobody has trusted that yet: {names}. Look at the files and trust"
        " them (`openruntime workspaces trust`), or start the agent without them.",
        files=[{"path": row.path, "digest": row.digest, "problem": row.problem} for row in files],
        workspace_id=workspaces.workspace_id(task.workspace),
    )


def in_workspace(id: str) -> list[AgentFile]:
    """What workers found in a workspace, the newest content of a path first.

    Raises NotFound where neither a worker found anything nor anybody registered the folder.
    """
    query = AgentFile.select().where(AgentFile.workspace == id)
    rows = list(query.order_by(AgentFile.runner, AgentFile.path, AgentFile.found_at.desc()))
    if not rows:
        workspaces.get(id)
    return rows


def trust(workspace: str, files: Sequence[Mapping[str, str]]) -> list[AgentFile]:
    """Trust these files, each as `{path, digest}`: all of them or none.

    Raises NotFound for one that no worker has found with that content, Conflict for one that cannot be trusted.
    """
    if not files:
        raise BadRequest("Name the files to trust, each with its digest.")
    with transaction():
        chosen = [row for file in files for row in _found(workspace, file)]
        if unfit := next((row for row in chosen if row.problem), None):
            raise Conflict(f"{unfit.path} cannot be trusted: {unfit.problem}")
        AgentFile.update(trusted_at=now()).where(
            AgentFile.id.in_([row.id for row in chosen]), AgentFile.trusted_at.is_null()
        ).execute()
        named = [{"path": row.path, "digest": row.digest} for row in chosen]
        audit.record(Act.TRUST_FILES, "workspace", workspace, files=named)
        _let_go()
    return in_workspace(workspace)


def _let_go(*which: Any) -> None:
    """Tasks that waited for nothing else can be started again."""
    query = Task.select().where(*which, Task.status == Status.NEEDS_INPUT, Task.live_attempt.is_null())
    for task in query:
        if not waiting(task) and not policy.in_force(task).require_approval:
            Task.update(status=Status.QUEUED).where(Task.number == task.number).execute()
            timeline.append(task.number, [Draft(Kind.LIFECYCLE, "Nothing of the repository waits for trust")])


def _found(workspace: str, file: Mapping[str, str]) -> list[AgentFile]:
    rows = list(
        AgentFile.select().where(
            AgentFile.workspace == workspace,
            AgentFile.path == file["path"],
            AgentFile.digest == file["digest"],
        )
    )
    if not rows:
        raise NotFound(f"No worker has found {file['path']} with this content here.")
    return rows


def distrust(workspace: str) -> int:
    """Take all trust back in a workspace: the next start asks again. Returns how many files had it."""
    with transaction():
        trusted = (AgentFile.workspace == workspace) & AgentFile.trusted_at.is_null(False)
        count = int(AgentFile.update(trusted_at=None).where(trusted).execute())
        if count:
            audit.record(Act.DISTRUST_FILES, "workspace", workspace, count=count)
        return count
