"""What every answer shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    model_config = ConfigDict(extra="allow")


class Problem(Result):
    title: str
    status: int
    detail: str
    slug: str
