"""Scrubbing a value after the fact: nothing of it is left in any byte of the data directory, and all else still works."""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared import approvals, audit, backups, doorbell, tasks, timeline
from shared.approvals import Question
from shared.audit import chain
from shared.config import Config, from_env
from shared.errors import BackupUnusable, BadRequest, NotReady
from shared.events import Draft, Kind
from shared.review import landings
from shared.review.landings import CaptureRecord
from shared.store.database import close, open_store, raw, transaction
from shared.store.models import Approval, AuditEntry, Capture, Task
from tests.unit.shared.played import Board
from workers import scrubbing
from workers.shim import frames

VALUE = 'hunter2/"ü"-hunter2'
URL = "hunter2%2F%22%C3%BC%22-hunter2"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    found = from_env({}, data=tmp_path / "data")
    open_store(found)
    audit.keep_heads(found.data)
    yield found
    doorbell.forget()
    close()


@pytest.fixture
def attempt(config: Config, tmp_path: Path) -> str:
    """A store, a log, an agent's home and a backup that all hold the value in some form; returns the attempt's id."""
    folder = tmp_path / "work"
    folder.mkdir()
    board = Board(folder)
    task = board.new(title=f"Use {VALUE}", prompt=VALUE, options={"verify": f"check {VALUE}"})
    attempt = board.running(task)
    with transaction():
        timeline.append(
            task.number, [Draft(Kind.STDOUT, f"at {URL}", {"deep": [{VALUE: VALUE}]})], attempt.id
        )
        approvals.ask(attempt.id, task.number, Question("r1", "Bash", VALUE, VALUE, {"command": VALUE}))
        audit.record("reply", "task", task.id, words=VALUE)
    patch = b"diff --git a/f b/f\n+" + VALUE.encode() + b"\n"
    landings.keep_capture(
        task, CaptureRecord("b", "h", "t", f" {VALUE} | 1 +", [{"path": VALUE}], patch, False, [])
    )
    logs = config.attempts / attempt.id
    logs.mkdir(parents=True)
    payload = f"said {VALUE} and {base64.b64encode(b'x' + VALUE.encode()).decode()}\n".encode()
    (logs / "log").write_bytes(frames.header(frames.STDOUT, 1, len(payload)) + payload)
    home = config.homes / task.id
    home.mkdir(parents=True)
    (home / "transcript.jsonl").write_text('{"text": "' + VALUE.replace('"', '\\"') + '"}\n')
    shutil.copyfile(config.database, config.database.with_name("openruntime.sqlite3.20260101T000000.backup"))
    raw().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(config.database, config.database.with_name("openruntime.sqlite3.20260102T000000.backup"))
    return str(attempt.id)


def holding(config: Config) -> set[str]:
    """Files in the data directory whose bytes hold some part of the value that gives it away."""
    found = set()
    for path in config.data.rglob("*"):
        if path.is_file() and any(part in path.read_bytes() for part in (b"hunter2", b"odW50ZXIy")):
            found.add(os.path.relpath(path, config.data))
    return found


def test_a_scrub_leaves_no_byte_of_it_and_everything_else(config: Config, attempt: str) -> None:
    assert len(holding(config)) >= 4
    report = scrubbing.scrub(config, VALUE)
    assert holding(config) == set()
    assert {"task", "event", "approval", "capture", "audit_entry"} <= set(report.rows)
    assert report.files[f"attempts/{attempt}/log"] == 2
    task = Task.get()
    assert (task.title, task.prompt, task.options["verify"]) == (
        "Use [redacted]",
        "[redacted]",
        "check [redacted]",
    )
    event = timeline.latest(tasks.get(task.id), 5)
    assert ("at [redacted]", {"deep": [{"[redacted]": "[redacted]"}]}) in [
        (e.message, e.metadata) for e in event
    ]
    assert Approval.get().input == {"command": "[redacted]"}
    assert bytes(Capture.get().patch) == b"diff --git a/f b/f\n+[redacted]\n"
    assert (config.homes / task.id / "transcript.jsonl").read_text().startswith('{"text": "[redacted]***')


def test_a_log_keeps_its_frames_and_its_length(config: Config, attempt: str) -> None:
    log = config.attempts / attempt / "log"
    before = log.stat().st_size
    scrubbing.scrub(config, VALUE)
    assert log.stat().st_size == before
    assert b"said [redacted]" in log.read_bytes()


def test_the_audit_log_still_stands_and_says_what_was_taken(config: Config, attempt: str) -> None:
    scrubbing.scrub(config, VALUE)
    with closing(sqlite3.connect(config.database)) as store:
        assert chain.verify(store, chain.heads_file(config.data)).stands
    last = AuditEntry.select().order_by(AuditEntry.seq.desc()).first()
    assert (last.kind, len(last.detail["entries"]) > 0) == ("scrub", True)


def test_a_dry_run_counts_and_changes_nothing(config: Config, attempt: str) -> None:
    files = [path for path in config.data.rglob("*") if path.is_file() and path.suffix != ".sqlite3-shm"]
    before = {path: path.read_bytes() for path in files}
    counted = scrubbing.scrub(config, VALUE, dry_run=True)
    assert {path: path.read_bytes() for path in before} == before
    done = scrubbing.scrub(config, VALUE)
    assert (dict(done.rows), dict(done.files)) == (dict(counted.rows), dict(counted.files))


def test_a_scrub_that_was_cut_off_is_finished_by_the_next(
    config: Config, attempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def killed(*_: object) -> None:
        calls.append(1)
        raise KeyboardInterrupt

    for step in ("_drop_old_pages", "_scrub_copy", "_scrub_file"):
        with monkeypatch.context() as patched:
            patched.setattr(scrubbing, step, killed)
            with pytest.raises(KeyboardInterrupt):
                scrubbing.scrub(config, VALUE)
    assert len(calls) == 3
    assert holding(config)
    scrubbing.scrub(config, VALUE)
    assert holding(config) == set()


def test_it_works_beside_others_who_read_and_write(config: Config, attempt: str) -> None:
    with closing(sqlite3.connect(config.database, timeout=5)) as other:
        other.execute("SELECT count(*) FROM event").fetchone()
        scrubbing.scrub(config, VALUE)
        assert other.execute("SELECT count(*) FROM event WHERE message LIKE '%hunter2%'").fetchone() == (0,)
    assert holding(config) == set()


@pytest.mark.parametrize("name", ["backup.tar", "backup.tar.gz"])
def test_a_backup_archive_is_scrubbed_and_still_restores(
    config: Config, attempt: str, tmp_path: Path, name: str
) -> None:
    archive = tmp_path / name
    (config.repositories / "task").mkdir(parents=True)
    (config.repositories / "task/HEAD").write_text("ref: refs/heads/main\n")
    backups.write(config, archive)
    report = scrubbing.scrub(config, VALUE, archives=[archive])
    assert report.rows[f"{archive}: task"] == 1
    with tarfile.open(archive) as opened:
        content = {member.name: opened.extractfile(member) for member in opened if member.isreg()}
        read = {name: file.read() for name, file in content.items() if file is not None}
    assert not [name for name, data in read.items() if b"hunter2" in data]
    assert read["repositories/task/HEAD"] == b"ref: refs/heads/main\n"
    assert archive.stat().st_mode & 0o777 == 0o600
    elsewhere = from_env({}, data=tmp_path / "restored")
    close()
    backups.restore(elsewhere, archive)
    open_store(elsewhere)
    assert Task.get().title == "Use [redacted]"


def test_what_is_no_backup_is_refused_and_left_as_it_is(config: Config, attempt: str, tmp_path: Path) -> None:
    other = tmp_path / "notes.tar"
    other.write_text(VALUE)
    with pytest.raises(BackupUnusable, match="cannot be scrubbed"):
        scrubbing.scrub(config, VALUE, archives=[other])
    assert other.read_text() == VALUE


def test_worktrees_are_looked_through_and_left_alone(config: Config, attempt: str, tmp_path: Path) -> None:
    tree = config.worktrees / "task"
    tree.mkdir(parents=True)
    (tree / "config.ini").write_text(f"key={VALUE}\n")
    (tree / "link").symlink_to(tmp_path)
    os.mkfifo(tree / "pipe")
    report = scrubbing.scrub(config, VALUE)
    assert report.left == ["worktrees/task/config.ini"]
    assert (tree / "config.ini").read_text() == f"key={VALUE}\n"


def test_no_link_an_agent_made_is_followed(config: Config, attempt: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text(VALUE)
    (config.homes / "linked").symlink_to(outside)
    scrubbing.scrub(config, VALUE)
    assert outside.read_text() == VALUE


def test_what_cannot_be_scrubbed_is_said(config: Config, tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        scrubbing.scrub(config, "short")
    with pytest.raises(NotReady, match="no store"):
        scrubbing.scrub(from_env({}, data=tmp_path / "none"), VALUE)
