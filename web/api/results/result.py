"""What every answer shares."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, RootModel

Item = TypeVar("Item")


class Result(BaseModel):
    model_config = ConfigDict(extra="allow")


class Problem(Result):
    title: str
    status: int
    detail: str
    slug: str


class Listed(RootModel[list[Item]], Generic[Item]):
    """An array; `Link: rel=next` leads to more of it."""
