"""Starting, answering and steering a task."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from web.api.schemas.fields import Body, ById, Long, Page


class Start(Body):
    resume: bool | None = Field(
        None, description="Continue the agent's session instead of beginning a fresh one."
    )
    repository_settings: Literal["ignore"] | None = Field(
        None, description="Start without the files of the repository that configure the agent, from now on."
    )


class Approve(Body):
    note: Annotated[str, Field(max_length=10_000)] | None = None
    start: bool | None = Field(None, description="Start at once; true unless said otherwise.")
    policy_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        None, description="Of the policy that was looked at; 409 where the task has another one by now."
    )


class Reply(Body):
    message: Long
    mode: Literal["steer", "queue"] | None = None


class Mode(Body):
    mode: Literal["plan", "live"]


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


class ApprovalList(Page):
    status: Literal["pending", "allowed", "denied", "expired", "cancelled"] | None = None
