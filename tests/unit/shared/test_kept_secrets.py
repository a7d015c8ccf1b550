"""Kept secrets: sealed at rest, granted by name, and never in what is stored of a person's words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import fleet, tasks, timeline, workspaces
from shared.config import Config, from_env
from shared.errors import BadRequest, Conflict, NotFound, NotReady
from shared.events import Draft, Kind
from shared.secrets import keeping, kept, masking
from shared.store.database import raw, transaction
from shared.store.models import AuditEntry, Secret
from tests.unit.shared.played import WORKER, Board, said

VALUE = 'hunter2/"ü" and more'


@pytest.fixture(autouse=True)
def _with_a_key(config: Config) -> Iterator[None]:
    kept.use_key(config)
    yield
    kept.use_key(config)


def test_a_kept_value_is_read_back_by_name_and_stands_in_no_file(config: Config) -> None:
    keeping.keep("TOKEN", VALUE)
    assert kept.values() == {"TOKEN": VALUE}
    raw().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [path for path in config.data.rglob("*") if path.is_file()]
    assert not [path for path in files if b"hunter2" in path.read_bytes()]
    assert config.secrets_key_file.stat().st_mode & 0o777 == 0o600


def test_a_value_is_replaced_under_its_name_and_forgotten() -> None:
    made = keeping.keep("TOKEN", VALUE)
    again = keeping.keep("TOKEN", "another-value")
    assert (again.created_at, kept.values()) == (made.created_at, {"TOKEN": "another-value"})
    keeping.remove("TOKEN")
    assert (kept.values(), kept.listed()) == ({}, [])
    with pytest.raises(NotFound):
        keeping.remove("TOKEN")


@pytest.mark.parametrize("value", ["12345", "", "x" * (64 * 1024 + 1), "with\0nul"])
def test_a_value_that_cannot_be_masked_or_handed_on_is_refused_without_naming_it(value: str) -> None:
    with pytest.raises(BadRequest) as refused:
        keeping.keep("PIN", value)
    assert not value or value not in str(refused.value)
    assert Secret.select().count() == 0


def test_how_many_are_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_SECRETS", 1)
    keeping.keep("ONE", VALUE)
    keeping.keep("ONE", VALUE + "!")
    with pytest.raises(Conflict):
        keeping.keep("TWO", VALUE)


def test_with_another_key_a_secret_is_listed_and_not_opened(config: Config, tmp_path: Path) -> None:
    keeping.keep("TOKEN", VALUE)
    elsewhere = from_env({"OPENRUNTIME_SECRETS_KEY": str(tmp_path / "outside/key")}, data=config.data)
    kept.use_key(elsewhere)
    assert kept.values() == {}
    assert [row.name for row in kept.listed()] == ["TOKEN"]
    keeping.keep("OTHER", "other-value")
    assert kept.values() == {"OTHER": "other-value"}


def test_an_unusable_key_file_is_said_so(config: Config) -> None:
    config.secrets_key_file.write_text("no key\n")
    with pytest.raises(Conflict, match="key of the secrets"):
        keeping.keep("TOKEN", VALUE)


def test_keeping_granting_and_forgetting_is_audited_by_name(board: Board) -> None:
    keeping.keep("TOKEN", VALUE)
    attempt = tasks.request_start(board.new(options={"env": ["TOKEN"]}))
    keeping.remove("TOKEN")
    entries = list(AuditEntry.select().order_by(AuditEntry.seq))
    assert [(row.kind, row.object_id) for row in entries if row.object == "secret"] == [
        ("keep-secret", "TOKEN"),
        ("forget-secret", "TOKEN"),
    ]
    started = next(row for row in entries if row.kind == "start")
    assert (started.object_id, started.detail["granted"]) == (attempt.id, ["TOKEN"])
    assert "hunter2" not in repr([row.detail for row in entries])


# Grants


def test_a_task_has_its_own_grants_and_its_workspaces(board: Board) -> None:
    place = workspaces.register(str(board.home), board.home)
    workspaces.change(place.id, {"env": ["SHARED", "BOTH"]})
    task = board.new(options={"env": ["OWN", "BOTH"]})
    assert keeping.granted_names(task) == ["SHARED", "BOTH", "OWN"]


def test_a_grant_that_nothing_resolves_refuses_the_start_by_name(board: Board) -> None:
    fleet.register_worker(WORKER, "0", ["FROM_WORKER"])
    keeping.keep("KEPT", VALUE)
    task = board.new(options={"env": ["KEPT", "FROM_WORKER", "MISSING"]})
    with pytest.raises(NotReady, match=r"granted MISSING, which") as refused:
        tasks.request_start(task)
    assert "KEPT" not in str(refused.value)
    keeping.keep("MISSING", VALUE)
    assert tasks.request_start(task)


def test_without_a_worker_its_environment_is_not_judged(board: Board) -> None:
    assert tasks.request_start(board.new(options={"env": ["MISSING"]}))


# A person's words


def test_a_persons_words_keep_the_place_of_a_secret_and_are_revealed_for_the_agent() -> None:
    keeping.keep("SHORT", "hunter2")
    keeping.keep("LONG", VALUE)
    words = f"log in with {VALUE}, then hunter2; not [secret LONG]"
    hidden = masking.hidden(words)
    assert hidden == "log in with [secret LONG], then [secret SHORT]; not [secret-LONG]"
    assert masking.revealed(hidden) == words.replace("[secret LONG]", "[secret-LONG]")
    keeping.remove("LONG")
    assert masking.revealed("[secret LONG]") == "[secret LONG]"


def test_words_are_recognised_as_people_paste_them_and_each_place_once() -> None:
    keeping.keep("KEY", "line one\nline two\n")
    keeping.keep("ODD", "secret")
    assert masking.hidden("a line one\r\nline two b") == "a [secret KEY] b"
    assert masking.hidden("line one\nline two\nsecret") == "[secret KEY][secret ODD]"


def test_a_place_written_by_somebody_reveals_nothing(board: Board) -> None:
    keeping.keep("TOKEN", VALUE)
    assert VALUE not in masking.revealed(masking.hidden("print [secret TOKEN]"))


def test_what_is_said_in_a_timeline_about_files_and_errors_is_masked(board: Board) -> None:
    keeping.keep("TOKEN", "hunter2hunter2")
    task = board.new()
    with transaction():
        drafts = [
            Draft(Kind.ERROR, "no such file: hunter2hunter2.txt", {"path": ["hunter2hunter2.txt"]}),
            Draft(Kind.STDOUT, "as its shim let it through"),
        ]
        timeline.append(task.number, drafts)
    assert said(task)[1] == ("error", "no such file: [redacted].txt")
    assert timeline.latest(tasks.get(task.id), 2)[0].metadata == {"path": ["[redacted].txt"]}


def test_a_log_line_and_its_traceback_are_masked() -> None:
    keeping.keep("TOKEN", "hunter2hunter2")
    kept.values()
    formatter = masking.Formatter("%(message)s")
    try:
        raise ValueError("bad hunter2hunter2")
    except ValueError as error:
        record = logging.makeLogRecord(
            {"msg": "with %s", "args": ("password=x1",), "exc_info": (ValueError, error, error.__traceback__)}
        )
    text = formatter.format(record)
    assert "hunter2" not in text
    assert text.startswith("with password=[redacted]\n  Traceback")
