"""Who is let in, what was asked for once, and what is kept secret."""

from __future__ import annotations

import peewee

from shared.store.models.columns import InstantField, Table


class Secret(Table):
    name = peewee.TextField(primary_key=True)
    sealed = peewee.BlobField()
    created_at = InstantField()
    updated_at = InstantField()


class Idempotency(Table):
    key = peewee.TextField(primary_key=True)
    body_hash = peewee.TextField()
    task_id = peewee.TextField()
    created_at = InstantField()


class ApiToken(Table):
    id = peewee.TextField(primary_key=True)
    name = peewee.TextField()
    hash = peewee.TextField(unique=True)
    created_at = InstantField()
    expires_at = InstantField(null=True)
    last_used_at = InstantField(null=True)


class LoginLink(Table):
    hash = peewee.TextField(primary_key=True)
    expires_at = InstantField()


class Login(Table):
    hash = peewee.TextField(primary_key=True)
    csrf = peewee.TextField()
    created_at = InstantField()
    expires_at = InstantField()
