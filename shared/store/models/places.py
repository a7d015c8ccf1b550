"""The folders that tasks work in."""

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
