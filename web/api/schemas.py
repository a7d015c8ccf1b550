"""The shapes of requests: what is checked before any value is looked at."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.errors import BadRequest
from shared.lifecycle import Status

PROMPT_BYTES = 1024 * 1024
#: One argument of a program may have 128 KiB on Linux (MAX_ARG_STRLEN).
COMMAND_BYTES = 128 * 1024 - 1024
BIGGEST = 2**32 - 1
SEQ = 2**53
WEEK_MINUTES = 7 * 24 * 60
SESSIONS_AT_ONCE = 1000
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEMAS: dict[type[BaseModel], dict[str, Any]] = {}
#: Variables that are never handed to an agent, whoever asks (contract 3).
NEVER_GRANTED = ("OPENRUNTIME_", "GIT_", "PYTHON", "LD_")


class Body(BaseModel):
    """A JSON object: types are strict, unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Query(BaseModel):
    """Query parameters: text that must parse."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Kept: flask-openapi asks for it with every request."""
        if args or options:
            return super().model_json_schema(*args, **options)
        if cls not in _SCHEMAS:
            _SCHEMAS[cls] = super().model_json_schema()
        return _SCHEMAS[cls]


def _at_most(limit: int) -> AfterValidator:
    def check(text: str) -> str:
        if len(text) > limit or len(text.encode()) > limit:
            raise ValueError(f"must have {limit} bytes at most")
        return text

    return AfterValidator(check)


def _plain(text: str) -> str:
    if "\0" in text:
        raise BadRequest("A NUL character can stand neither in a name, nor in a path, nor in a command.")
    return text


def _reference(text: str) -> str:
    if text.startswith("-") or any(mark.isspace() or not mark.isprintable() for mark in text):
        raise BadRequest(f"{text!r} cannot be the name of a branch or a commit.")
    return text


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("must name a tool")
    return text


def _variable(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of an environment variable")
    if text.startswith(NEVER_GRANTED):
        raise ValueError(f"{text} cannot be granted")
    return text


Plain = AfterValidator(_plain)
Long = Annotated[str, _at_most(PROMPT_BYTES)]
Word = Annotated[str, Field(max_length=255), Plain]
Line = Annotated[str, Field(max_length=4096), Plain]
RuleText = Annotated[str, Field(max_length=1000), Plain]
Reference = Annotated[Word, AfterValidator(_reference)]
Variable = Annotated[str, Field(max_length=128), AfterValidator(_variable)]
Command = Annotated[str, _at_most(COMMAND_BYTES), Plain]
Unsigned = Annotated[int, Field(ge=0, le=BIGGEST)]
Lines = Annotated[list[Line], Field(max_length=200)]
ObjectId = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
Preset = Literal["default", "auto-review", "full-access", "custom"]


class ById(BaseModel):
    id: str = Field(description="The task's UUID.")


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
    network_hosts: Lines = []
    home_paths: Lines = []
    tool_rules: Annotated[list[ToolRule], Field(max_length=200)] = []
    approval_minutes: Annotated[int, Field(ge=1, le=WEEK_MINUTES)] | None = Field(
        None, description="A request nobody answers for this long is denied, and the turn interrupted."
    )


class NewTask(Body):
    """A task as it is asked for."""

    title: Annotated[str, Field(max_length=1000), Plain]
    prompt: Long
    runner: Annotated[str, Field(max_length=100)]
    command: Command | None = None
    workspace: Line | None = None
    budget_minutes: Unsigned | None = None
    policy: Policy | None = None
    preset: Preset | None = None
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    labels: Annotated[list[Annotated[Word, Field(min_length=1)]], Field(max_length=20)] | None = None
    base_ref: Reference | None = None
    target_branch: Reference | None = None
    verify: Command | None = None
    env: Annotated[list[Variable], Field(max_length=100)] | None = None
    depends_on: Annotated[list[str], Field(max_length=50)] | None = None
    pty: bool | None = None
    mode: Literal["live", "plan", "oneshot"] | None = Field(
        None,
        description="`live` talks both ways, `plan` begins with a plan, `oneshot` runs one turn and asks nothing.",
    )
    model: Word | None = None
    effort: Word | None = None
    arguments: Annotated[list[Line], Field(max_length=20)] | None = Field(
        None, description="Further flags, from the list in the runner's capabilities."
    )
    mcp_servers: Annotated[dict[str, dict[str, Any]], Field(max_length=20)] | None = None
    resume_after_limit: bool | None = Field(
        None,
        description="Go on by itself when the usage limit that stopped it is lifted; budgets still hold.",
    )


class NothingNeeded(Body):
    """No body is needed; an object is taken and ignored."""


class Start(Body):
    resume: bool | None = Field(
        None, description="Continue the agent's session instead of beginning a fresh one."
    )


class Approve(Body):
    note: Annotated[str, Field(max_length=10_000)] | None = None
    start: bool | None = Field(None, description="Start at once; true unless said otherwise.")


class Reply(Body):
    message: Long
    mode: Literal["steer", "queue"] | None = None


class Mode(Body):
    mode: Literal["plan", "live"]


class Archive(Body):
    archived: bool | None = Field(None, description="True unless said otherwise.")


class Decision(Body):
    decision: Literal["allow", "deny"]
    scope: Literal["once", "task"] | None = None
    note: Annotated[str, Field(max_length=10_000)] | None = None
    updated_input: dict[str, Any] | None = None


class ByRequest(ById):
    request_id: str = Field(description="The approval's id.")


class ByReply(ById):
    reply_id: str = Field(description="The reply's id.")


class ByRule(ById):
    rule_id: str = Field(description="The rule's id.")


class Merge(Body):
    strategy: Literal["squash", "merge", "rebase", "apply"] | None = None
    message: Annotated[str, Field(max_length=20_000), Plain] | None = None
    head_oid: ObjectId | None = Field(
        None, description="The capture that was reviewed; 409 when there is a newer one."
    )
    target_oid: ObjectId | None = Field(None, description="Where the target stood; 409 when it has moved.")
    cleanup: bool | None = Field(None, description="Remove the worktree after the landing.")


class Cleanup(Body):
    force: bool | None = Field(None, description="Also when unmerged work goes.")


class Register(Body):
    path: Line


class Defaults(Body):
    """What tasks in a workspace begin with; null removes a key."""

    preset: Preset | None = None
    verify: Command | None = None
    setup: Command | None = None
    env: Annotated[list[Variable], Field(max_length=100)] | None = None
    home_paths: Lines | None = None
    network_hosts: Lines | None = None
    tool_rules: Annotated[list[ToolRule], Field(max_length=200)] | None = None


class ByWorkspace(BaseModel):
    id: str = Field(description="The workspace's id.")


class Browse(Query):
    path: Annotated[str, Field(max_length=4096), Plain] | None = Field(
        None, description="A folder; the home folder unless given."
    )


class Page(Query):
    limit: Annotated[int, Field(ge=1)] = 500
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] = Field(
        "0", description="From the Link header of the page before."
    )


class SessionList(Query):
    runner: Annotated[str, Field(max_length=100)] | None = None
    q: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="Words in title, workspace, last message or id."
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(None, description="All of them unless given.")
    cursor: Annotated[str, Field(max_length=16_384)] | None = Field(
        None, description="`next_cursor` of the page before."
    )


class CostList(Query):
    by: Literal["attempt", "task", "workspace", "runner", "model", "day"] = "day"
    since: Annotated[str, Field(pattern=DAY)] | None = Field(
        None, description="The first day, such as 2026-01-31 (UTC)."
    )
    until: Annotated[str, Field(pattern=DAY)] | None = Field(None, description="The last day, included.")
    workspace: Annotated[str, Field(max_length=4096)] | None = Field(
        None, description="The workspace's path."
    )
    limit: Annotated[int, Field(ge=1, le=5000)] = 5000


class TaskList(Query):
    status: str | None = Field(None, description="One or more statuses, separated by commas.")
    q: Annotated[str, Field(max_length=500)] | None = Field(
        None, description="Words in title or prompt, or the beginning of an id."
    )
    workspace: str | None = Field(None, description="The workspace's path.")
    runner: str | None = None
    archived: bool = False
    limit: Annotated[int, Field(ge=1)] = 100
    cursor: str | None = Field(None, description="From the Link header of the page before.")
    events: Annotated[str, Field(pattern=r"^([0-9]{1,9}|all)$")] = Field(
        "20", description="How many of each task's newest events, or all."
    )

    def statuses(self) -> list[Status]:
        """The statuses asked for; raises BadRequest for an unknown one."""
        try:
            return [Status(word.strip()) for word in (self.status or "").split(",") if word.strip()]
        except ValueError as error:
            raise BadRequest(f"The status filter is unusable: {error}.") from None


class OneTask(Query):
    events: Annotated[str, Field(pattern=r"^([0-9]{1,9}|all)$")] = "500"


class EventPage(Query):
    after: Annotated[int, Field(ge=0, le=SEQ)] = 0
    before: Annotated[int, Field(ge=0, le=SEQ)] | None = Field(
        None, description="The last `limit` below this seq."
    )
    limit: Annotated[int, Field(ge=1)] = 500
    kind: Literal["lifecycle", "stdout", "stderr", "diff", "input", "error"] | None = None
    category: Annotated[str, Field(max_length=100)] | None = None
    q: Annotated[str, Field(max_length=500)] | None = Field(None, description="Text in the message.")
    wait: Annotated[float, Field(ge=0, le=20)] = Field(0, description="Seconds to wait for a first event.")


class ApprovalList(Page):
    status: Literal["pending", "allowed", "denied", "expired", "cancelled"] | None = None


class DiffQuery(Query):
    path: Annotated[str, Field(max_length=4096)] | None = Field(None, description="Only this file's patch.")
    refresh: bool = Field(False, description="Capture now, and wait up to two seconds for it.")


def count(text: str) -> int | None:
    """`events=`: a number, or None for all."""
    return None if text == "all" else int(text)
