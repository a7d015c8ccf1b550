"""Who is let in, and what was asked for once."""

from __future__ import annotations

import peewee

from shared.store.models.columns import InstantField, Table


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
