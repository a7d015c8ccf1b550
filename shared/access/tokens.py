"""Credentials for programs: minted and revoked by the person, with less authority than theirs (contract 4)."""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import uuid4

import peewee

from shared import audit
from shared.access.accounts import digest
from shared.audit import Act
from shared.clock import now
from shared.errors import BadRequest, Conflict, NotFound
from shared.store.database import transaction
from shared.store.models import ApiToken

#: What secret scanners know a leaked token by; 256 random bits follow.
PREFIX = "or_token_"
DAYS = 90
MOST = 100
#: How exactly the last use is known: not every request is worth a write.
USE_SECONDS = 60


def mint(name: str, expires_at: datetime | None) -> tuple[ApiToken, str]:
    """A new token and its secret, which is stored nowhere; `expires_at` None lives until it is revoked.

    Raises BadRequest for an expiry in the past, Conflict beyond 100 tokens.
    """
    at = now()
    if expires_at is not None and expires_at <= at:
        raise BadRequest("A token's expiry lies in the future.")
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction():
        if ApiToken.select().count() >= MOST:
            raise Conflict(f"There are {MOST} tokens already; revoke one first.")
        row = ApiToken.create(
            id=str(uuid4()),
            name=name.strip() or "unnamed",
            hash=digest(secret),
            created_at=at,
            expires_at=expires_at,
        )
        audit.record(Act.MINT_TOKEN, "token", row.id, name=row.name)
    return row, secret


def default_expiry() -> datetime:
    """When a token ends whose maker says nothing."""
    return now() + timedelta(days=DAYS)


def listed() -> list[ApiToken]:
    """Every token that was not revoked, the expired ones too, newest first."""
    return list(ApiToken.select().order_by(ApiToken.created_at.desc(), ApiToken.id))


def is_expired(row: ApiToken) -> bool:
    return row.expires_at is not None and row.expires_at <= now()


def revoke(id: str) -> ApiToken:
    """End a token at once; raises NotFound for an unknown one."""
    with transaction():
        row = ApiToken.get_or_none(ApiToken.id == id)
        if row is None:
            raise NotFound("There is no such token.")
        row.delete_instance()
        audit.record(Act.REVOKE_TOKEN, "token", row.id, name=row.name)
    return row


def find(presented: str) -> ApiToken | None:
    """The live token behind a secret."""
    if not presented.startswith(PREFIX):
        return None
    row = ApiToken.get_or_none(ApiToken.hash == digest(presented))
    return None if row is None or is_expired(row) else row


def note_use(row: ApiToken) -> None:
    """Remember that a token is in use, once a minute; a store too busy for that is not waited for twice."""
    at = now()
    if row.last_used_at is not None and at - row.last_used_at < timedelta(seconds=USE_SECONDS):
        return
    with suppress(peewee.OperationalError):
        ApiToken.update(last_used_at=at).where(ApiToken.id == row.id).execute()
