"""Who decided what."""

from __future__ import annotations

import peewee

from shared.store.models.columns import InstantField, JSONText, Table


class AuditEntry(Table):
    seq = peewee.IntegerField(primary_key=True)
    at = InstantField()
    actor = peewee.TextField()
    kind = peewee.TextField()
    object = peewee.TextField()
    object_id = peewee.TextField(null=True)
    task_id = peewee.TextField(null=True)
    detail = JSONText(null=True)
    detail_hash = peewee.TextField()
    prev_hash = peewee.TextField()
    hash = peewee.TextField()
