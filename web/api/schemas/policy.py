"""A policy and its rules, as a client writes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from web.api.schemas.fields import BIGGEST, Body, Hosts, Lines, Plain, RuleText, Unsigned, _worded

WEEK_MINUTES = 7 * 24 * 60
MIN_PROCESSES, MAX_PROCESSES = 8, 1_000_000
Mebibytes = Annotated[int, Field(ge=1, le=BIGGEST)]
#: A built-in preset, `custom`, or one of the workspace's own; the verbs know which there are.
Preset = Annotated[str, Field(min_length=1, max_length=40), Plain]


class ToolRule(Body):
    """What happens to the calls it matches; the first rule that matches decides."""

    tool: Annotated[str, Field(min_length=1, max_length=200), Plain, AfterValidator(_worded)] = Field(
        description="A tool's name, a glob, `*`, or a family of both agents: `edit`, `Bash`."
    )
    pattern: RuleText | None = Field(None, description="A glob for each simple command of a shell line.")
    path: RuleText | None = Field(
        None, description="A glob for files; `**` is any folders, relative to the worktree."
    )
    action: Literal["allow", "ask", "deny"]
    reason: RuleText | None = Field(None, description="The agent reads it when it is denied.")


class Policy(Body):
    """Keys that are left out come from the preset."""

    allow_network: bool = False
    allow_git_write: bool = False
    allow_secrets: bool = False
    require_approval: bool = False
    blocked_commands: Lines = []
    allowed_workspaces: Lines = []
    allowed_file_globs: Lines = []
    allowed_mcp_tools: Lines = []
    network_mode: Literal["disabled", "localhost", "enabled"] = "disabled"
    budget_cents: Unsigned | None = None
    max_runtime_minutes: Annotated[int, Field(ge=1, le=BIGGEST)] | None = None
    workspace_access: Literal["worktree", "full"] = "worktree"
    enforcement: Literal["best-effort", "required"] = "best-effort"
    agent_home: Literal["shared", "private"] = "shared"
    network_hosts: Hosts = Field(
        [],
        description="`example.com`, `*.example.com`, an address, each with `:port` where it is not 80 or 443.",
    )
    home_paths: Lines = []
    tool_rules: Annotated[list[ToolRule], Field(max_length=200)] = []
    approval_minutes: Annotated[int, Field(ge=1, le=WEEK_MINUTES)] | None = Field(
        None, description="A request nobody answers for this long is denied, and the turn interrupted."
    )
    max_memory_mib: Mebibytes | None = Field(None, description="Without it three quarters of the machine's.")
    max_disk_mib: Mebibytes | None = Field(
        None, description="Of the worktree and the agent's git directory together."
    )
    max_processes: Annotated[int, Field(ge=MIN_PROCESSES, le=MAX_PROCESSES)] | None = Field(
        None, description="Threads count. Without it 2048."
    )
