"""What a new worktree gets before its first agent: files of the person's, a command of theirs, ports of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared import workspaces
from shared.errors import NotReady
from shared.store.database import transaction
from shared.store.models import Task

#: Names, in the syntax of gitignore, which ignored files of the person's checkout a worktree gets.
INCLUDE = ".worktreeinclude"
DEFAULT_SECONDS = 600
MOST_SECONDS = 3600
TEARDOWN_SECONDS = 120
#: Below the ephemeral ports of Linux (32768 on), so that nothing is given away that the kernel hands out.
FIRST_PORT, LAST_PORT, PORTS = 20_000, 32_000, 10


@dataclass(frozen=True)
class Setup:
    """A workspace's wishes. `command` runs once in each new worktree, `teardown` before it is removed.

    `from_repository`: both are read from the base commit where the workspace names none. `required`: a failing
    command refuses the start. `include`: the files that `.worktreeinclude` names are copied.
    """

    command: str | None
    teardown: str | None
    seconds: float
    required: bool
    include: bool
    from_repository: bool


def of(task: Task) -> Setup:
    """What the task's workspace wishes for its worktrees."""
    said: dict[str, Any] = workspaces.defaults_for(task.workspace)
    return Setup(
        command=said.get("setup"),
        teardown=said.get("teardown"),
        seconds=float(said.get("setup_seconds") or DEFAULT_SECONDS),
        required=said.get("setup_mode", "required") == "required",
        include=said.get("worktree_include", True),
        from_repository=said.get("setup_from_repository", False),
    )


def variables(task: Task) -> dict[str, str]:
    """What tells the agent, and the commands around it, which ports are its own. Raises NotReady as `_ports` does."""
    return {"OPENRUNTIME_PORT_BASE": str(_ports(task)), "OPENRUNTIME_PORT_COUNT": str(PORTS)}


def _ports(task: Task) -> int:
    """The first of ten ports that no other task with a worktree has; its own again for as long as its worktree stands.

    Raises NotReady when all 1,200 blocks are taken.
    """
    with transaction():
        held = Task.worktree_path.is_null(False) & Task.worktree_cleaned_at.is_null()
        others = Task.select(Task.port_base).where(
            Task.port_base.is_null(False), held, Task.number != task.number
        )
        taken = {row.port_base for row in others}
        if task.port_base is not None and task.port_base not in taken:
            return int(task.port_base)
        free = next((port for port in range(FIRST_PORT, LAST_PORT, PORTS) if port not in taken), None)
        if free is None:
            raise NotReady("Every block of ports is taken; clean up worktrees that are done with.")
        Task.update(port_base=free).where(Task.number == task.number).execute()
        return free
