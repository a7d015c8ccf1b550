"""Creating and reading tasks and their events."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from shared import groups
from shared.errors import BadRequest
from shared.lifecycle import Status
from web.api.schemas.fields import (
    SEQ,
    Body,
    CheckMode,
    Checks,
    CheckSeconds,
    Command,
    DiffPart,
    Line,
    Long,
    Plain,
    Query,
    Reference,
    RepositorySettings,
    Unsigned,
    Variable,
    Word,
)
from web.api.schemas.policy import Policy, Preset

Labels = Annotated[list[Annotated[Word, Field(min_length=1)]], Field(max_length=20)]
Priority = Annotated[int, Field(ge=-1000, le=1000)]


class Goal(Body):
    """What is asked for, whoever does it."""

    title: Annotated[str, Field(max_length=1000), Plain]
    prompt: Long
    command: Command | None = None
    workspace: Line | None = None
    budget_minutes: Unsigned | None = None
    policy: Policy | None = None
    priority: Priority | None = None
    labels: Labels | None = None
    base_ref: Reference | None = None
    target_branch: Reference | None = None
    verify: Command | None = Field(None, description="Judges the merged tree before it lands.")
    verify_mode: CheckMode | None = Field(None, description="`required` unless said otherwise.")
    verify_seconds: CheckSeconds | None = Field(
        None, description="How long each check may take; 600 unless said."
    )
    checks: Checks | None = Field(None, description="Further checks, by name.")
    env: Annotated[list[Variable], Field(max_length=100)] | None = None
    depends_on: Annotated[list[str], Field(max_length=50)] | None = None
    place: Literal["copy", "in-place"] | None = Field(
        None,
        description="For a folder in no git repository: `copy` (unless said otherwise), or `in-place`, which consents to"
        " the agent editing the folder itself.",
    )
    pty: bool | None = None
    mode: Literal["live", "plan", "oneshot"] | None = Field(
        None,
        description="`live` talks both ways, `plan` begins with a plan, `oneshot` runs one turn and asks nothing.",
    )
    arguments: Annotated[list[Line], Field(max_length=20)] | None = Field(
        None, description="Further flags, from the list in the runner's capabilities."
    )
    mcp_servers: Annotated[dict[str, dict[str, Any]], Field(max_length=20)] | None = None
    repository_settings: RepositorySettings | None = None
    resume_after_limit: bool | None = Field(
        None,
        description="Go on by itself when the usage limit that stopped it is lifted; budgets still hold.",
    )


class Variant(Body):
    """Who does it, and how."""

    runner: Annotated[str, Field(max_length=100)]
    preset: Preset | None = None
    model: Word | None = None
    effort: Word | None = None


class NewTask(Variant, Goal):
    """A task as it is asked for."""

    session_id: Annotated[str, Field(max_length=200)] | None = Field(
        None,
        description="An agent session of yours that belongs to no task; the first start goes on with it.",
    )


class NewGroup(Goal):
    """One goal and who is to try it: a task for each variant."""

    variants: Annotated[list[Variant], Field(min_length=groups.FEWEST, max_length=groups.MOST)]

    def tasks(self) -> list[NewTask]:
        """The tasks it stands for, one for each variant."""
        given = self.model_dump(exclude_unset=True, exclude={"variants"})
        wanted = [variant.model_dump(exclude_unset=True) for variant in self.variants]
        return [NewTask.model_validate({**given, **one}) for one in wanted]


class GroupDiffQuery(DiffPart):
    from_: str = Field(alias="from", description="The id of the task whose state is the old side.")
    to: str = Field(description="The id of the task whose state is the new side.")


class Pick(Body):
    task_id: str = Field(description="The task of the group that is kept.")


class TaskChange(Body):
    """What is left out stays as it is."""

    title: Annotated[str, Field(max_length=1000), Plain] | None = None
    labels: Labels | None = None
    priority: Priority | None = None
    preset: Preset | None = Field(None, description="A new beginning for the policy.")
    policy: Policy | None = Field(None, description="Keys that change the preset, or the policy as it is.")


class Archive(Body):
    archived: bool | None = Field(None, description="True unless said otherwise.")


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


def count(text: str) -> int | None:
    """`events=`: a number, or None for all."""
    return None if text == "all" else int(text)
