"""The truth: one SQLite file, its tables and its numbered migrations."""

from shared.store.database import close, database, open_store, transaction

__all__ = ["close", "database", "open_store", "transaction"]
