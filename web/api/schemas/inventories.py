"""Sessions and costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from web.api.schemas.fields import Query

SESSIONS_AT_ONCE = 1000
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


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
