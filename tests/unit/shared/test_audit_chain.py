"""Whoever tampers with the audit log is found, and the first bad entry is named (S25)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import audit
from shared.audit import chain, log
from shared.audit.chain import GENESIS, verify
from shared.config import from_env
from shared.store.database import close, open_store, raw

ENTRIES = 12
Log = tuple[list[tuple[object, ...]], str]
COLUMN = st.sampled_from(
    ["at", "actor", "kind", "object", "object_id", "task_id", "detail", "hash", "prev_hash"]
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """The rows of a log and its heads."""
    config = from_env({}, data=tmp_path_factory.mktemp("log") / "data")
    open_store(config)
    audit.keep_heads(config.data)
    for number in range(ENTRIES):
        audit.record("create", "task", f"task {number}", note=f"words {number}")
    rows = list(raw().execute(f"SELECT {chain.COLUMNS} FROM audit_entry"))
    text = chain.heads_file(config.data).read_text()
    log._heads = None
    close()
    return rows, text


class Tampered:
    """A log without triggers in memory, as somebody with the file and sqlite3 has it."""

    def __init__(self, good: Log, folder: Path) -> None:
        self.rows, self.heads = [list(row) for row in good[0]], folder / "audit.heads"
        self.heads.write_text(good[1])

    def verdict(self) -> chain.Verdict:
        store = sqlite3.connect(":memory:")
        store.execute(f"CREATE TABLE audit_entry ({chain.COLUMNS}, PRIMARY KEY (seq))")
        store.executemany(f"INSERT INTO audit_entry VALUES ({', '.join('?' * 11)})", self.rows)
        return verify(store, self.heads)

    def rechain(self) -> None:
        """Make the chain whole again over what was changed, as a careful forger would."""
        prev = GENESIS
        for seq, row in enumerate(self.rows, 1):
            row[0], row[8] = seq, prev
            row[7] = chain.digest(row[9])
            row[10] = prev = chain.entry_hash(row[:9])


quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
place = st.integers(0, ENTRIES - 1)


def test_an_untouched_log_stands(good: Log, tmp_path: Path) -> None:
    found = Tampered(good, tmp_path).verdict()
    assert (found.stands, found.entries) == (True, ENTRIES)


@quick
@given(at=place, column=COLUMN, value=st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=5)))
def test_a_flipped_value_is_named(good: Log, tmp_path: Path, at: int, column: str, value: object) -> None:
    log = Tampered(good, tmp_path)
    index = chain.COLUMNS.split(", ").index(column)
    if log.rows[at][index] == value:
        return
    log.rows[at][index] = value
    assert log.verdict().first_bad == at + 1


@quick
@given(at=place)
def test_a_deleted_entry_is_named(good: Log, tmp_path: Path, at: int) -> None:
    log = Tampered(good, tmp_path)
    del log.rows[at]
    assert log.verdict().first_bad == at + 1


@quick
@given(one=place, other=place)
def test_swapped_entries_are_named(good: Log, tmp_path: Path, one: int, other: int) -> None:
    log = Tampered(good, tmp_path)
    log.rows[one][1:], log.rows[other][1:] = log.rows[other][1:], log.rows[one][1:]
    assert log.verdict().first_bad == (None if one == other else min(one, other) + 1)


@quick
@given(at=st.integers(0, ENTRIES - 2), whole=st.booleans())
def test_an_inserted_entry_is_named(good: Log, tmp_path: Path, at: int, whole: bool) -> None:
    log = Tampered(good, tmp_path)
    log.rows.insert(at, [*log.rows[at]])
    for row in log.rows[at + 1 :]:
        row[0] += 1
    if whole:
        log.rechain()
    #: What was put in says the same as the entry it went before, so the one after it is the first that differs.
    assert log.verdict().first_bad in (at + 1, at + 2)


@quick
@given(keep=st.integers(0, ENTRIES - 1))
def test_a_truncated_or_rolled_back_log_is_found_by_its_heads(good: Log, tmp_path: Path, keep: int) -> None:
    log = Tampered(good, tmp_path)
    del log.rows[keep:]
    assert log.verdict().first_bad == keep + 1


@quick
@given(at=place, actor=st.text(min_size=1, max_size=5))
def test_a_history_that_was_rewritten_whole_is_found_by_its_heads(
    good: Log, tmp_path: Path, at: int, actor: str
) -> None:
    log = Tampered(good, tmp_path)
    log.rows[at][2] = actor
    log.rechain()
    assert log.verdict().first_bad == at + 1


@pytest.mark.parametrize("text", ["", "\0\0\0\0", "12 abc\n"])
def test_without_heads_nothing_proves_the_log(good: Log, tmp_path: Path, text: str) -> None:
    log = Tampered(good, tmp_path)
    log.heads.write_text(text)
    assert log.verdict().first_bad == 1


def test_a_torn_last_line_of_the_heads_is_no_break(good: Log, tmp_path: Path) -> None:
    log = Tampered(good, tmp_path)
    log.heads.write_text(log.heads.read_text()[:-40])
    assert log.verdict().stands
