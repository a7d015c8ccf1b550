"""A database of the reference system is imported whole, and backed up beside itself."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared import attempts, tasks, timeline, workspaces
from shared.attempts import Ending
from shared.config import Config, from_env
from shared.errors import NotReady
from shared.lifecycle import Status
from shared.policy import Policy
from shared.store.database import close, open_store
from shared.store.models import Attempt, Event, Task
from tests.integration.store.reference import POLICY, Reference, at, id_of

GATED = json.dumps({**POLICY, "require_approval": True})


@pytest.fixture
def reference(config: Config) -> Reference:
    config.data.mkdir()
    return Reference(config.database)


def task_of(number: int) -> Task:
    return tasks.get(id_of(number))


def attempts_of(number: int) -> list[Attempt]:
    return list(
        Attempt.select().where(Attempt.task == task_of(number).number).order_by(Attempt.attempt_number)
    )


def messages(number: int) -> list[str]:
    return [event.message for event in timeline.page(task_of(number))]


def test_tasks_keep_their_ids_order_fields_and_instants(reference: Reference, config: Config) -> None:
    for number in (3, 1, 2):
        reference.task(number)
    reference.task(
        4,
        status="ready-for-review",
        policy_json=json.dumps({**POLICY, "allow_network": True, "max_runtime_minutes": 9}),
        effective_policy_json=json.dumps(POLICY),
        worktree_path="/w",
        execution_workspace="/w/sub/",
        runner_session_id="s",
        base_commit="b" * 40,
        diff_stat=" a | 1 +",
        approved_at=at(1, ".123456789"),
        created_at=at(9, ".000000001"),
        updated_at=at(9, ".9"),
    )
    open_store(config)
    assert [row.id for row in Task.select().order_by(Task.number)] == [id_of(n) for n in (1, 2, 3, 4)]
    task = task_of(4)
    assert (task.status, task.worktree_path, task.execution_workspace) == (
        Status.READY_FOR_REVIEW,
        "/w",
        "/w/sub/",
    )
    assert (task.runner_session_id, task.base_commit, task.diff_stat) == ("s", "b" * 40, " a | 1 +")
    assert tasks.policy_of(task) == Policy()
    assert (task.policy["allow_network"], task.policy["max_runtime_minutes"], task.preset) == (
        True,
        9,
        "custom",
    )
    assert task.approved_at.isoformat() == "2026-01-02T03:04:01.123456+00:00"
    assert task.updated_at.isoformat() == "2026-01-02T03:04:09.900000+00:00"
    assert (task_of(1).preset, task_of(1).effective_policy) == ("default", None)


def test_what_was_under_way_is_stopped_and_a_gate_is_kept(reference: Reference, config: Config) -> None:
    for number, status in ((1, "running"), (2, "needs-input")):
        task = reference.task(number, status=status, execution_workspace="/w")
        reference.attempt(number, task, status=status, finished_at=None, exit_status=None)
    reference.task(3, status="needs-input", policy_json=GATED)
    gated_again = reference.task(4, status="needs-input", policy_json=GATED, execution_workspace="/w")
    reference.attempt(4, gated_again)
    reference.task(5, status="queued", policy_json=GATED, approved_at=at(1))
    for number, status in enumerate(("completed", "failed", "stopped", "ready-for-review", "queued"), 6):
        reference.task(number, status=status)
    open_store(config)
    for number in (1, 2):
        task, (attempt,) = task_of(number), attempts_of(number)
        assert (task.status, task.stop_reason, task.live_attempt) == (Status.STOPPED, "interrupted", None)
        assert (attempt.status, attempt.stop_reason) == (Status.STOPPED, "interrupted")
        assert attempt.finished_at is not None
    for number in (3, 4):
        assert (task_of(number).status, tasks.attention(task_of(number))) == (Status.NEEDS_INPUT, "approval")
        with pytest.raises(NotReady):
            tasks.request_start(task_of(number))
    assert tasks.request_start(task_of(5))
    assert [task_of(n).status for n in range(6, 11)] == [
        "completed",
        "failed",
        "stopped",
        "ready-for-review",
        "queued",
    ]
    assert [one.status for one in attempts.claimed()] == []


def test_attempts_that_shared_a_number_are_told_apart(reference: Reference, config: Config) -> None:
    task = reference.task(1, status="failed")
    ids = [
        reference.attempt(1, task, attempt_number=1, started_at=at(1)),
        reference.attempt(2, task, attempt_number=1, status="failed", exit_status="signal: 9 (SIGKILL)"),
        reference.attempt(3, task, attempt_number=2, summary="done", runner_session_id="s"),
    ]
    open_store(config)
    found = attempts_of(1)
    assert [(one.id, one.attempt_number) for one in found] == [(id, n) for n, id in enumerate(ids, 1)]
    assert found[1].exit_status == "signal: 9 (SIGKILL)"
    assert (found[2].summary, found[2].runner_session_id) == ("done", "s")
    assert tasks.request_start(task_of(1)).attempt_number == 4


def test_events_keep_their_order_by_instant_then_by_insertion(reference: Reference, config: Config) -> None:
    one, two = reference.task(1), reference.task(2)
    attempt = reference.attempt(1, one)
    for number, fraction in ((1, ".5"), (2, ""), (3, ".123456789"), (4, ".123456788"), (5, ".5"), (6, ".51")):
        reference.event(number, one, created_at=at(7, fraction))
    reference.event(7, two)
    reference.event(
        8, one, created_at=at(9), attempt_id=attempt, kind="stdout", metadata_json='{"category":"x","n":1}'
    )
    open_store(config)
    assert messages(1) == [f"event {n}" for n in (2, 4, 3, 1, 5, 6, 8)]
    assert messages(2) == ["event 7"]
    events = timeline.page(task_of(1))
    assert [event.seq for event in events] == list(range(1, 8))
    assert (events[-1].attempt, events[-1].kind, events[-1].metadata) == (
        attempt,
        "stdout",
        {"category": "x", "n": 1},
    )
    assert (events[0].attempt, events[0].metadata) == (None, None)
    assert (task_of(1).last_seq, task_of(2).last_seq) == (7, 1)
    tasks.request_start(task_of(2))
    assert [event.seq for event in timeline.page(task_of(2))] == [1, 2]


def test_what_was_spent_before_is_in_every_later_sum(reference: Reference, config: Config) -> None:
    ledger = {
        "runtime_millis": 500,
        "input_tokens": 7,
        "output_tokens": 3,
        "tool_calls": 2,
        "estimated_cents": 12,
    }
    task = reference.task(1, status="completed", cost_ledger_json=json.dumps(ledger))
    reference.attempt(1, task)
    reference.attempt(2, task, attempt_number=2)
    reference.task(2, cost_ledger_json=None)
    open_store(config)
    spent = {
        "runtime_millis": 500,
        "input_tokens": 7,
        "output_tokens": 3,
        "tool_calls": 2,
        "cost_micros": 120_000,
    }
    assert task_of(1).ledger == spent
    assert task_of(2).ledger == {}
    tasks.request_start(task_of(1))
    attempt = attempts.claim_next("w", 8)
    assert attempt is not None
    attempts.finish(attempt, Ending(Status.COMPLETED, runtime_millis=100))
    assert task_of(1).ledger == {**spent, "runtime_millis": 600}


def test_workspaces_come_along(reference: Reference, config: Config, tmp_path: Path) -> None:
    reference.workspace(str(tmp_path))
    open_store(config)
    (found,) = [workspaces.get(id) for id, _, path in workspaces.listed(Path("/")) if path == str(tmp_path)]
    assert (found.name, found.id) == ("w", workspaces.workspace_id(str(tmp_path)))


BAD = {
    "unknown status": {"status": "paused"},
    "spoilt policy": {"policy_json": "{"},
    "policy of other types": {"policy_json": '{"network_mode":"x","blocked_commands":7}'},
    "policy list": {"policy_json": "[]", "effective_policy_json": "nope"},
    "spoilt ledger": {"cost_ledger_json": '{"input_tokens":"x","estimated_cents":NaN}'},
    "spoilt instants": {"created_at": "", "updated_at": "yesterday", "approved_at": "x"},
    "before the first year": {"created_at": "0001-01-01T00:00:00+14:00"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_row_the_old_system_never_wrote_harms_nothing_but_itself(
    reference: Reference, config: Config, name: str
) -> None:
    bad = reference.task(1, **BAD[name])
    reference.attempt(1, bad, status="paused", started_at="x", finished_at="y")
    reference.event(1, bad, kind="other", metadata_json="{", created_at="?")
    reference.event(2, id_of(77))
    reference.attempt(2, id_of(77))
    good = reference.task(2)
    reference.event(3, good)
    open_store(config)
    assert [row.id for row in Task.select().order_by(Task.number)] == sorted([bad, good])
    assert task_of(1).status is (Status.FAILED if name == "unknown status" else Status.QUEUED)
    assert attempts_of(1)[0].status is Status.FAILED
    assert [(event.kind, event.metadata) for event in timeline.page(task_of(1))] == [("other", {})]
    assert Event.select().count() == 2
    assert tasks.policy_of(task_of(1)).require_approval == ("policy" in name)
    assert tasks.request_start(task_of(2))


def test_an_older_database_of_fewer_columns_is_imported_too(config: Config) -> None:
    config.data.mkdir()
    reference = Reference(config.database)
    reference.event(1, reference.task(1, status="running", execution_workspace="/w"), created_at=at(1))
    for sql in (
        "DROP TABLE task_attempts",
        "DROP TABLE workspaces",
        "DROP INDEX idx_events_attempt_id",
        "ALTER TABLE tasks DROP COLUMN cost_ledger_json",
        "ALTER TABLE tasks DROP COLUMN effective_policy_json",
        "ALTER TABLE events DROP COLUMN metadata_json",
        "ANALYZE",
    ):
        reference.run(sql)
    open_store(config)
    assert (task_of(1).status, messages(1)) == (Status.STOPPED, ["event 1"])


def test_the_old_file_is_backed_up_beside_itself_and_its_tables_are_gone(
    reference: Reference, config: Config
) -> None:
    reference.event(1, reference.task(1))
    config.database.chmod(0o644)
    open_store(config)
    (backup,) = config.data.glob("*.backup")
    with closing(sqlite3.connect(backup)) as db:
        assert db.execute("SELECT id FROM tasks").fetchall() == [(id_of(1),)]
    assert {backup.stat().st_mode & 0o777, config.database.stat().st_mode & 0o777} == {0o600}
    with closing(sqlite3.connect(config.database)) as db:
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert {"task", "event"} <= names
    assert names.isdisjoint({"tasks", "events", "task_attempts", "workspaces", "idx_events_task_id"})
    close()
    open_store(config)
    assert list(config.data.glob("*.backup")) == [backup]


def test_the_old_systems_variable_names_the_database(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere" / "managed?.db"
    path.parent.mkdir()
    Reference(path).task(1)
    config = from_env({"MANAGED_AGENTS_DB": str(path)}, data=tmp_path / "data")
    open_store(config)
    assert task_of(1).title == "Task 1"
    assert list(path.parent.glob("*.backup"))
    assert not list(config.data.glob("*.sqlite3"))
    close()
