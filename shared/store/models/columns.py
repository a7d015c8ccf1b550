"""The columns' types, and what every table shares."""

from __future__ import annotations

import functools
import json
from datetime import datetime
from typing import Any

import peewee

from shared.clock import from_micros, to_micros
from shared.lifecycle import Status
from shared.store.database import database


def json_text(value: Any) -> str:
    """JSON that SQLite can store and read: NaN and infinities as null, lone surrogates as question marks."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=lambda _: None)
        text = json.dumps(finite, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class InstantField(peewee.BigIntegerField):
    """An aware UTC datetime, stored as microseconds."""

    def db_value(self, value: datetime | int | None) -> int | None:
        return to_micros(value) if isinstance(value, datetime) else value

    def python_value(self, value: int | None) -> datetime | None:
        return None if value is None else from_micros(value)


class JSONText(peewee.TextField):
    """A JSON value, stored as text."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json_text(value)

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)


class StatusField(peewee.TextField):
    """One of the seven status words."""

    def python_value(self, value: str | None) -> Status | None:
        return None if value is None else Status(value)


#: The order in which rows came, for tables with a text key: the clock may jump, this does not.
INSERTED = peewee.SQL("rowid")


class Table(peewee.Model):
    class Meta:
        database = database
        legacy_table_names = False

    @classmethod
    def get_by_id(cls, pk: Any) -> Any:
        """The row with this primary key; raises `DoesNotExist`.

        From a statement that is put together once: Peewee's own building of it costs 1 ms of CPU for a task (measured).
        """
        return cls.raw(_by_key(cls), pk).get()


@functools.cache
def _by_key(table: type[Table]) -> str:
    meta: Any = table._meta
    columns = ", ".join(f'"{field.column_name}"' for field in meta.sorted_fields)
    return f'SELECT {columns} FROM "{meta.table_name}" WHERE "{meta.primary_key.column_name}" = ?'  # noqa: S608
