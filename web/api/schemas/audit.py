"""Reading the audit log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from web.api.schemas.fields import Plain, Query

WORD = 300


class AuditFilter(Query):
    kind: Annotated[str, Field(max_length=WORD), Plain] | None = None
    actor: Annotated[str, Field(max_length=WORD), Plain] | None = Field(
        None, description="A whole actor, or what stands before its colon: `owner`, `token`."
    )
    task: Annotated[str, Field(max_length=WORD), Plain] | None = Field(None, description="The task's UUID.")
    since: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="The first day or instant, such as 2026-01-31 or 2026-01-31T12:00:00Z (UTC)."
    )
    until: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="The last day, included, or the first instant after."
    )


class AuditList(AuditFilter):
    order: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, Field(ge=1)] = 100
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = Field(
        None, description="From the Link header of the page before."
    )


class AuditExport(AuditFilter):
    format: Literal["jsonl", "csv"] = "jsonl"
