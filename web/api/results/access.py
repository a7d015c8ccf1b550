"""Ways in: sign-in links and tokens."""

from __future__ import annotations

from web.api.results.result import Result


class Link(Result):
    url: str
    expires_at: str


class Token(Result):
    id: str
    name: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    expired: bool


class NewToken(Token):
    token: str
