"""The audit log: who decided what, each entry in the transaction of its change and bound to the entry before it.

What agents did is the timeline; this is what people, tokens and rules decided. Deleting a task leaves its entries.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import peewee

from shared.audit import chain
from shared.audit.chain import GENESIS, SCRUB, Head
from shared.clock import now, rfc3339, to_micros
from shared.secrets import masking
from shared.secrets.redaction import redact
from shared.store.database import database, raw, transaction
from shared.store.models import AuditEntry, json_text

log = logging.getLogger(__name__)

#: A text in an entry is cut here; the whole of it stands in the timeline, while its task does.
TEXT_CHARACTERS = 1000
#: Entries read together.
PAGE = 500
#: PRAGMA synchronous: from here on a commit survives a power cut.
FULL = 2


class Actor(StrEnum):
    """Who acts, as an entry names it; a minted token is `token:NAME`, as the door says."""

    BEARER = "owner:token"
    BROWSER = "owner:browser"
    #: The person at the command line, without a server.
    TERMINAL = "owner:terminal"
    #: A rule of a policy, or one that a person granted.
    RULE = "rule"
    TIMEOUT = "timeout"
    #: The program itself: a worker that carries out what was asked, a budget, a start after a lifted limit.
    SYSTEM = "system"


class Act(StrEnum):
    """What is recorded besides accepted commands, which are recorded by their own kind."""

    CREATE = "create"
    CREATE_REFUSED = "create-refused"
    CHANGE_TASK = "change-task"
    START = "start"
    START_REFUSED = "start-refused"
    APPROVE_START = "approve-start"
    STOP = "stop"
    ADOPT_SESSION = "adopt-session"
    REPLY_REFUSED = "reply-refused"
    WITHDRAW_REPLY = "withdraw-reply"
    DECIDE = "decide"
    GRANT_RULE = "grant-rule"
    REMOVE_RULE = "remove-rule"
    GRANT_HOST = "grant-host"
    REMOVE_HOST = "remove-host"
    BUDGET_STOP = "budget-stop"
    MERGED = "merged"
    CLEANED = "cleaned"
    UNDONE = "undone"
    PICK = "pick"
    UNPICK = "unpick"
    PUSHED = "pushed"
    OPEN_PULL_REQUEST = "open-pull-request"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    DELETED = "deleted"
    DELETED_FOR_GOOD = "deleted-for-good"
    PUT_BACK = "put-back"
    REGISTER_WORKSPACE = "register-workspace"
    CHANGE_WORKSPACE = "change-workspace"
    FORGET_WORKSPACE = "forget-workspace"
    TRUST_FILES = "trust-files"
    DISTRUST_FILES = "distrust-files"
    IGNORE_FILES = "ignore-files"
    KEEP_SECRET = "keep-secret"  # noqa: S105
    FORGET_SECRET = "forget-secret"  # noqa: S105
    SIGN_IN_LINK = "sign-in-link"
    SIGN_IN = "sign-in"
    SIGN_OUT = "sign-out"
    MINT_TOKEN = "mint-token"  # noqa: S105 - a kind of entry
    REVOKE_TOKEN = "revoke-token"  # noqa: S105
    RESTORE = "restore"
    SCRUB = SCRUB


_actor: ContextVar[str] = ContextVar("actor", default=Actor.SYSTEM)
_heads: Path | None = None


def speak_as(actor: str) -> None:
    """Name who acts in this thread from here on: set once at the door, read by `record`."""
    _actor.set(actor)


def record(
    kind: str,
    object: str,
    object_id: str | None = None,
    *,
    task_id: str | None = None,
    actor: str | None = None,
    **detail: Any,
) -> int:
    """Add an entry in the caller's transaction, or in one of its own; returns its seq.

    `object` says what was acted on (task, attempt, approval, workspace, login …). Texts in `detail` are redacted
    and cut; values of None are left out. Never give it a secret's value.
    """
    words = json_text(_clean({name: value for name, value in detail.items() if value is not None}))
    owner = task_id or (object_id if object == "task" else None)
    with transaction():
        head = append(raw(), actor or _actor.get(), str(kind), object, object_id, owner, words)
        if _heads is not None and _survives_a_power_cut():
            database.after_commit(lambda: _note_if_kept(head))
    return head.seq


def append(
    connection: sqlite3.Connection,
    actor: str,
    kind: str,
    object: str,
    object_id: str | None,
    task_id: str | None,
    words: str,
) -> Head:
    """Add an entry to the log in a store, this process's or a copy, inside the caller's transaction; `words` are JSON."""
    last = connection.execute("SELECT seq, hash FROM audit_entry ORDER BY seq DESC LIMIT 1").fetchone()
    seq, prev = (1, GENESIS) if last is None else (last[0] + 1, last[1])
    fields = (seq, to_micros(now()), actor, kind, object, object_id, task_id, chain.digest(words), prev)
    head = Head(seq, chain.entry_hash(fields))
    connection.execute(INSERT, (*fields, words, head.hash))
    return head


INSERT = (
    f"INSERT INTO audit_entry ({chain.COLUMNS})"  # noqa: S608
    f" VALUES ({', '.join('?' * len(chain.COLUMNS.split(',')))})"
)


def _survives_a_power_cut() -> bool:
    """A head that the store may lose again must not be in the file: the next one that is safe covers it."""
    return int(raw().execute("PRAGMA synchronous").fetchone()[0]) >= FULL


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        #: A secret that this cuts apart lies beyond the second cut.
        text = masking.masked(redact(str(value[: 4 * TEXT_CHARACTERS])))
        return text if len(text) <= TEXT_CHARACTERS else text[:TEXT_CHARACTERS] + "…"
    if isinstance(value, Mapping):
        return {str(name): _clean(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def keep_heads(data: Path) -> None:
    """From here on this process appends every head to the file in `data`, the present one at once."""
    global _heads
    _heads = chain.heads_file(data)
    note_head()


def note_head() -> None:
    """Append the present head: at the start and at the end of a process."""
    last = raw().execute("SELECT seq, hash FROM audit_entry ORDER BY seq DESC LIMIT 1").fetchone()
    if last is not None:
        log.info("the audit log ends at entry %d, %s", *last)
        _note(Head(*last))


def _note_if_kept(head: Head) -> None:
    """A savepoint that was rolled back took its entries with it, though not what was to happen after the commit."""
    if (
        raw()
        .execute("SELECT 1 FROM audit_entry WHERE seq = ? AND hash = ?", (head.seq, head.hash))
        .fetchone()
    ):
        _note(head)


def _note(head: Head) -> None:
    if _heads is None:
        return
    try:
        chain.append_head(_heads, head, rfc3339(now()) or "")
    except OSError:
        #: The entry itself is committed; a later head covers it.
        log.warning("the head of the audit log could not be noted in %s", _heads, exc_info=True)


@dataclass(frozen=True)
class Filter:
    """Which entries are asked for; `actor` is the whole name or what stands before its colon, `since` the first
    instant, `until` the first one after."""

    kind: str | None = None
    actor: str | None = None
    task_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(wanted: Filter, *, after: int | None = None, limit: int, newest_first: bool) -> list[dict[str, Any]]:
    """Up to `limit` entries as the outside sees them, those behind the entry `after` in the order asked for."""
    order = AuditEntry.seq.desc() if newest_first else AuditEntry.seq
    query = _selected(wanted)
    if after is not None:
        query = query.where(AuditEntry.seq < after if newest_first else AuditEntry.seq > after)
    return [{**row, "at": rfc3339(row["at"])} for row in query.order_by(order).limit(limit).dicts()]


def _selected(wanted: Filter) -> Any:
    query = AuditEntry.select()
    if wanted.kind:
        query = query.where(AuditEntry.kind == wanted.kind)
    if wanted.actor:
        below = wanted.actor + ":"
        query = query.where(
            (AuditEntry.actor == wanted.actor) | (peewee.fn.substr(AuditEntry.actor, 1, len(below)) == below)
        )
    if wanted.task_id:
        query = query.where(AuditEntry.task_id == wanted.task_id)
    if wanted.since:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until:
        query = query.where(AuditEntry.at < wanted.until)
    return query


def all_of(wanted: Filter) -> Iterator[dict[str, Any]]:
    """Every entry asked for, oldest first, read in pages so that no statement stays open between them."""
    after: int | None = None
    while found := page(wanted, after=after, limit=PAGE, newest_first=False):
        yield from found
        after = found[-1]["seq"]
