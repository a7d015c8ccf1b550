"""The folders that tasks work in, and what in them configures agents."""

from __future__ import annotations

import peewee

from shared.store.models.columns import InstantField, JSONText, Table


class Workspace(Table):
    id = peewee.TextField(primary_key=True)
    path = peewee.TextField(unique=True)
    name = peewee.TextField()
    defaults = JSONText(default=dict)
    created_at = InstantField()
    updated_at = InstantField()


class Inspection(Table):
    path = peewee.TextField(primary_key=True)
    found = JSONText(null=True)
    wanted_at = InstantField()
    inspected_at = InstantField(null=True)


class AgentFile(Table):
    id = peewee.AutoField()
    workspace = peewee.TextField()
    runner = peewee.TextField()
    path = peewee.TextField()
    digest = peewee.TextField()
    size_bytes = peewee.IntegerField()
    content = peewee.TextField()
    problem = peewee.TextField(null=True)
    found_at = InstantField()
    trusted_at = InstantField(null=True)
