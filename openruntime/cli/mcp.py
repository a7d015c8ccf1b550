"""`mcp`: the control plane as tools for an agent, over stdio: it may hand out work and watch it, never decide.

Every request carries a token minted for this one conversation, so what these tools leave out (approving, deciding,
merging, changing policy) the server refuses as well (contract 4).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.clock import now, rfc3339
from shared.errors import OpenRuntimeError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from openruntime.cli.client import Client

#: A conversation that lasts longer is begun again; its token must not outlive a forgotten process by much.
TOKEN_HOURS = 24
PATCH_CHARACTERS = 100_000
INSTRUCTIONS = (
    "Hand coding work to agents that run in git worktrees of their own, and follow it. Create a task, start it, then "
    "look at it until it is no longer queued or running. needs-input waits for a reply or for the person; "
    "ready-for-review waits for the person, who alone approves and merges."
)
#: What of a task an agent needs; the rest would fill its context.
SHOWN = (
    "id title status attention stop_reason runner workspace branch target_branch diff_stat cost_ledger "
    "created_at updated_at event_count"
).split()


@click.command(cls=Command)
@click.pass_obj
def mcp(invocation: Invocation) -> None:
    """Serve tools for an agent over stdio (Model Context Protocol): create, start, follow, answer, stop."""
    from openruntime.cli.client import Client

    with _minted(invocation.client) as token:
        client = Client(invocation.config, token)
        try:
            serving(client).run("stdio")
        finally:
            client.close()


@contextlib.contextmanager
def _minted(owner: Client) -> Iterator[str]:
    expires = rfc3339(now() + timedelta(hours=TOKEN_HOURS))
    minted = owner.post("/tokens", {"name": "mcp", "expires_at": expires}).body
    try:
        yield str(minted["token"])
    finally:
        with contextlib.suppress(OpenRuntimeError):  # the server may be gone; the token ends by itself
            owner.delete(f"/tokens/{minted['id']}")


def serving(client: Client) -> MCPServer[Any]:
    """The server with its tools. A refusal of ours reaches the agent as the tool's error, in one sentence."""
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError

    from openruntime import __version__
    from openruntime.cli.client import task_path

    server: MCPServer[Any] = MCPServer(
        "openruntime", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING"
    )

    def tool(function: Callable[..., Any]) -> None:
        @functools.wraps(function)
        def answered(*arguments: Any, **named: Any) -> Any:
            try:
                return function(*arguments, **named)
            except OpenRuntimeError as error:
                raise ToolError(str(error)) from error

        server.tool()(answered)

    @tool
    def list_tasks(
        status: str | None = None, workspace: str | None = None, limit: int = 20
    ) -> list[dict[str, Any]]:
        """Tasks, the latest first. `status` is one or more of queued, running, needs-input, ready-for-review, completed, failed, stopped, separated by commas."""
        rows = client.get("/tasks", status=status, workspace=workspace, limit=min(limit, 100), events=0)
        return [_shown(row) for row in rows]

    @tool
    def list_places() -> dict[str, Any]:
        """The workspaces and runners a task may name; a runner that is not available says why."""
        runners = [
            {key: row[key] for key in ("runner", "available", "detail")} for row in client.get("/runners")
        ]
        return {"workspaces": client.get("/workspaces"), "runners": runners}

    @tool
    def create_task(
        title: str, prompt: str, workspace: str, runner: str = "claude-code", command: str | None = None
    ) -> dict[str, Any]:
        """Record a task under the workspace's own policy. `runner` is claude-code, codex or shell; shell runs `command`. Nothing runs before start_task."""
        body = {
            "title": title,
            "prompt": prompt,
            "workspace": workspace,
            "runner": runner,
            "command": command,
        }
        return _shown(
            client.post("/tasks", {key: value for key, value in body.items() if value is not None}).body
        )

    @tool
    def start_task(task_id: str, resume: bool = False) -> dict[str, Any]:
        """Start a task, or start an ended one again in the same worktree; `resume` goes on with the agent's session."""
        return _shown(client.post(task_path(task_id, "start"), {"resume": True} if resume else {}).body)

    @tool
    def show_task(task_id: str) -> dict[str, Any]:
        """One task: its state, what it waits for, its attempts and what it cost."""
        task = client.get(task_path(task_id), events=0)
        waiting = client.get(task_path(task_id, "approvals"), status="pending")
        return {
            **_shown(task),
            "attempts": task["attempts"],
            "waits_for_a_person": [row["title"] for row in waiting],
        }

    @tool
    def read_events(task_id: str, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
        """What a task's agent said and did after event `after`, oldest first; the last `seq` is the next `after`."""
        rows = client.get(task_path(task_id, "events"), after=after, limit=min(limit, 500))
        return [{key: row[key] for key in ("seq", "kind", "message", "created_at")} for row in rows]

    @tool
    def read_diff(task_id: str, path: str | None = None) -> dict[str, Any]:
        """What a task changed: the files, and the patch (of one file, when `path` names it)."""
        diff = client.get(task_path(task_id, "diff"), path=path)
        files = [
            {key: row[key] for key in ("path", "status", "additions", "deletions")} for row in diff["files"]
        ]
        return {"stat": diff["stat"], "files": files, "patch": diff["patch"][:PATCH_CHARACTERS]}

    @tool
    def reply(task_id: str, message: str) -> dict[str, Any]:
        """Send words to a task's agent: into its turn, or to resume it after its end."""
        return _shown(client.post(task_path(task_id, "reply"), {"message": message}).body)

    @tool
    def stop_task(task_id: str) -> dict[str, Any]:
        """Stop a task and every process it started; it can be started again."""
        return _shown(client.post(task_path(task_id, "stop")).body)

    return server


def _shown(task: dict[str, Any]) -> dict[str, Any]:
    return {name: task[name] for name in SHOWN if name in task}
