"""Looking for words."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from web.api.schemas.fields import Plain, Query


class Search(Query):
    q: Annotated[str, Field(max_length=500), Plain] = Field(
        description='Words that all must occur; `"two words"` are looked for as they stand.'
    )
    limit: Annotated[int, Field(ge=1)] = Field(50, description="Events of one answer.")
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = Field(
        None, description="`next_cursor` of the answer before."
    )
