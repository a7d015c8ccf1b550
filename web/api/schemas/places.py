"""Workspaces, and the secrets that are granted in them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from web.api.schemas.fields import (
    Body,
    CheckMode,
    Checks,
    CheckSeconds,
    Command,
    Hosts,
    Line,
    Lines,
    Long,
    Plain,
    Query,
    RepositorySettings,
    Variable,
)
from web.api.schemas.policy import Policy, Preset, ToolRule


class Register(Body):
    path: Line


class Defaults(Body):
    """What tasks in a workspace begin with; null removes a key."""

    preset: Preset | None = None
    policy: Policy | None = Field(None, description="Keys that change the preset tasks begin with unasked.")
    presets: Annotated[dict[str, Policy | None], Field(max_length=40)] | None = Field(
        None, description="Presets of a person's own by name; null removes one, others stay."
    )
    verify: Command | None = None
    verify_mode: CheckMode | None = None
    verify_seconds: CheckSeconds | None = None
    checks: Checks | None = None
    setup: Command | None = Field(None, description="Runs once in each new worktree, before its first agent.")
    teardown: Command | None = Field(None, description="Runs before a worktree is removed.")
    setup_seconds: CheckSeconds | None = None
    setup_mode: Literal["required", "advisory"] | None = Field(
        None, description="What a failing set-up means: required (default) refuses the start."
    )
    setup_from_repository: bool | None = Field(
        None, description="Take both commands from `.openruntime.toml` of the base commit."
    )
    worktree_include: bool | None = Field(
        None, description="Copy the ignored files that `.worktreeinclude` names; true unless said otherwise."
    )
    env: Annotated[list[Variable], Field(max_length=100)] | None = None
    home_paths: Lines | None = None
    network_hosts: Hosts | None = None
    tool_rules: Annotated[list[ToolRule], Field(max_length=200)] | None = None
    repository_settings: RepositorySettings | None = None
    review: Literal["advisory", "required"] | None = Field(
        None,
        description="Whether every file must be viewed before a task lands; advisory unless said otherwise.",
    )
    co_authored_by: bool | None = Field(
        None, description="Name the agent in the commit message of a landing."
    )


class ByWorkspace(BaseModel):
    id: str = Field(description="The workspace's id.")


class Grant(Body):
    name: Variable


class NewSecret(Grant):
    value: Long = Field(description="6 bytes to 64 KiB; it never comes back.")


class ByName(BaseModel):
    name: str = Field(description="The secret's name.")


class TrustedFile(Body):
    path: Line
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field(description="SHA-256 of what was read.")


class Trust(Body):
    files: Annotated[list[TrustedFile], Field(min_length=1, max_length=500)]


class Browse(Query):
    path: Annotated[str, Field(max_length=4096), Plain] | None = Field(
        None, description="A folder; the home folder unless given."
    )
