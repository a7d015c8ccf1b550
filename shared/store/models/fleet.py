"""What workers write of themselves, of their runners and of the sessions they find."""

from __future__ import annotations

import peewee

from shared.store.models.columns import InstantField, JSONText, Table


class Worker(Table):
    id = peewee.TextField(primary_key=True)
    host = peewee.TextField()
    pid = peewee.IntegerField()
    version = peewee.TextField()
    started_at = InstantField()
    seen_at = InstantField()
    variables = JSONText(default=list)


class Runner(Table):
    name = peewee.TextField(primary_key=True)
    available = peewee.BooleanField()
    command = peewee.TextField()
    version = peewee.TextField(null=True)
    detail = peewee.TextField(null=True)
    capabilities = JSONText(default=dict)
    seen_at = InstantField()


class AgentSession(Table):
    path = peewee.TextField(primary_key=True)
    runner = peewee.TextField()
    key = peewee.TextField()
    session_id = peewee.TextField()
    parent_id = peewee.TextField(null=True)
    source = peewee.TextField()
    title = peewee.TextField(null=True)
    workspace = peewee.TextField(null=True)
    message_count = peewee.IntegerField(default=0)
    last_message = peewee.TextField(null=True)
    created_at = InstantField(null=True)
    updated_at = InstantField()
    mark = peewee.TextField(default="")
    reader = JSONText(null=True)
    shown = peewee.BooleanField(default=False)


class AgentStore(Table):
    runner = peewee.TextField(primary_key=True)
    home = peewee.TextField(null=True)
    wanted_at = InstantField()
    indexed_at = InstantField(null=True)


class TranscriptPage(Table):
    request = peewee.TextField(primary_key=True)
    wanted_at = InstantField()
    read_at = InstantField(null=True)
    page = JSONText(null=True)
