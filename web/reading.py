"""How requests see the store: GET cannot write, and one answer is one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from shared.store.database import raw


def allow_writes(allowed: bool) -> None:
    """Let SQLite itself refuse, or accept, writes of this thread's connection from here on."""
    raw().execute(f"PRAGMA query_only = {0 if allowed else 1}")


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads in the block see the same commit."""
    connection = raw()
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")
