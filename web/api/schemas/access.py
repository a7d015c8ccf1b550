"""Tokens for programs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from web.api.schemas.fields import Body, Plain


class NewToken(Body):
    name: Annotated[str, Field(max_length=100), Plain] | None = Field(
        None, description="What it is for; shown in lists and in the audit log."
    )
    expires_at: Annotated[str, Field(max_length=40)] | None = Field(
        None, description="An RFC 3339 instant; null lives until it is revoked, absent 90 days."
    )


class ByToken(BaseModel):
    id: str = Field(description="The token's id.")
