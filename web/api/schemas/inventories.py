"""Sessions and costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from web.api.schemas.fields import Query

SESSIONS_AT_ONCE = 1000
#: Entries of one page of a transcript.
MOST_ENTRIES = 500
PLACE = r"^[0-9]{1,15}(\.[0-9]{1,6})?$"
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


class BySession(BaseModel):
    runner: Annotated[str, Field(max_length=100)]
    session_id: Annotated[str, Field(max_length=300)]


class TranscriptPart(Query):
    start: Annotated[str, Field(pattern=PLACE)] | None = Field(
        None, description="`next` of the page before; from the beginning unless given."
    )
    before: Annotated[str, Field(pattern=rf"{PLACE}|^end$")] | None = Field(
        None, description="`previous` of the page behind: the entries up to there; `end` for the last ones."
    )
    limit: Annotated[int, Field(ge=1, le=MOST_ENTRIES)] = 100


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
