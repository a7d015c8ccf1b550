"""What is reviewed and landed: captures, what was viewed and said of them, and landings."""

from __future__ import annotations

import peewee

from shared.store.models.columns import InstantField, JSONText, Table
from shared.store.models.work import Task


class Capture(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    attempt = peewee.TextField(null=True)
    base_oid = peewee.TextField()
    head_oid = peewee.TextField()
    tree_oid = peewee.TextField()
    stat = peewee.TextField()
    files = JSONText()
    flags = JSONText(default=list)
    patch = peewee.BlobField()
    truncated = peewee.BooleanField(default=False)
    fingerprint = peewee.TextField(null=True)
    captured_at = InstantField()
    why = peewee.TextField(default="capture")
    patch_dropped = peewee.BooleanField(default=False)


class Turn(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    attempt = peewee.TextField()
    number = peewee.IntegerField()
    began_from = peewee.TextField(null=True)
    ended_with = peewee.TextField(null=True)
    began_at = InstantField()
    ended_at = InstantField(null=True)


class Comparison(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    sides = peewee.TextField()
    old_oid = peewee.TextField()
    new_oid = peewee.TextField()
    stat = peewee.TextField()
    files = JSONText()
    patch = peewee.BlobField()
    truncated = peewee.BooleanField(default=False)
    made_at = InstantField()


class KeptVersion(Table):
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    blob = peewee.TextField()
    media_type = peewee.TextField()
    width = peewee.IntegerField(null=True)
    height = peewee.IntegerField(null=True)
    is_cut = peewee.BooleanField(default=False)
    size_bytes = peewee.IntegerField()
    content = peewee.BlobField()
    kept_at = InstantField()

    class Meta:
        table_name = "kept_version"


class ViewedFile(Table):
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    path = peewee.TextField()
    content = peewee.TextField()
    viewed_by = peewee.TextField()
    viewed_at = InstantField()
    names = JSONText(null=True)

    class Meta:
        table_name = "viewed_file"


class ViewedHunk(Table):
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    path = peewee.TextField()
    hunk = peewee.TextField()
    viewed_by = peewee.TextField()
    viewed_at = InstantField()

    class Meta:
        table_name = "viewed_hunk"


class Comment(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    path = peewee.TextField()
    shown_path = peewee.TextField()
    content = peewee.TextField()
    side = peewee.TextField()
    first_line = peewee.IntegerField()
    last_line = peewee.IntegerField()
    quote = peewee.TextField()
    body = peewee.TextField()
    author = peewee.TextField()
    created_at = InstantField()
    edited_at = InstantField(null=True)
    sent_at = InstantField(null=True)
    around = JSONText(null=True)
    was_outdated = peewee.BooleanField(default=False)
    resolved_by = peewee.TextField(null=True)
    resolved_at = InstantField(null=True)


class Landing(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    capture = peewee.TextField()
    strategy = peewee.TextField()
    target_branch = peewee.TextField(null=True)
    state = peewee.TextField()
    intent = peewee.TextField()
    commit_oid = peewee.TextField(null=True)
    previous_oid = peewee.TextField(null=True)
    backup_ref = peewee.TextField(null=True)
    overridden = JSONText(default=list)
    checks = JSONText(default=list)
    undo = peewee.TextField(null=True)
    undo_oid = peewee.TextField(null=True)
    undone_at = InstantField(null=True)
    created_at = InstantField()
    finished_at = InstantField(null=True)


class CheckResult(Table):
    id = peewee.TextField(primary_key=True)
    task_id: int
    task = peewee.ForeignKeyField(Task, column_name="task", on_delete="CASCADE")
    tree_oid = peewee.TextField()
    name = peewee.TextField()
    command = peewee.TextField()
    verdict = peewee.TextField()
    exit_code = peewee.IntegerField(null=True)
    score = peewee.FloatField(null=True)
    note = peewee.TextField(null=True)
    millis = peewee.IntegerField(default=0)
    output = peewee.TextField(default="")
    finished_at = InstantField()

    class Meta:
        table_name = "check_result"
