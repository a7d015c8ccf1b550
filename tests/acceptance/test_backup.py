"""A backup taken under load comes back whole: events, captured work that can still land, and nothing in the way."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.installation import Installation, git, installed, repository
from tests.waiting import wait_until


@dataclass(frozen=True)
class Saved:
    """A backup, and what stood in the store when it was taken."""

    file: Path
    work: Path
    ready: str
    busy: str
    queued: str
    lines: int


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    """One task is ready for review and another writes as fast as it can while the backup is taken."""
    root = tmp_path_factory.mktemp("backup")
    work = repository(root / "repo")
    with installed(root / "first", OPENRUNTIME_MAX_ATTEMPTS="1") as first:
        ready = first.run("echo four >> a.txt; seq 1 300", work)
        first.until(ready)
        busy = first.run("seq 1 3000; while sleep 0.02; do echo more; done", work)
        wait_until(lambda: first.output(busy), what="the agent to write")
        queued = first.run("touch ran", work)
        assert openruntime(first.data, "backup", str(root / "all.tgz")).returncode == 0
        refused = openruntime(first.data, "restore", str(root / "all.tgz"))
        assert refused.returncode == 1
        assert "is already served by" in refused.stderr
        lines = len(first.output(ready))
    return Saved(root / "all.tgz", work, ready, busy, queued, lines)


@pytest.fixture(scope="module")
def second(saved: Saved, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that begins from the backup, on what may as well be another machine."""
    root = tmp_path_factory.mktemp("restored")
    done = openruntime(root / "data", "restore", str(saved.file))
    assert done.returncode == 0, done.stderr
    with installed(root) as running:
        yield running


def openruntime(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-P", "-m", "openruntime", "--data", str(data), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_the_audit_log_goes_on_from_the_backup_and_is_whole(second: Installation, saved: Saved) -> None:
    done = openruntime(second.data, "audit", "verify")
    assert (done.returncode, done.stderr) == (0, "")
    exported = openruntime(second.data, "audit", "export").stdout.splitlines()
    kinds = [json.loads(line)["kind"] for line in exported]
    assert kinds.count("create") == 3
    assert "restore" in kinds


def test_every_event_of_an_ended_task_is_there(second: Installation, saved: Saved) -> None:
    assert second.output(saved.ready) == [str(number) for number in range(1, saved.lines + 1)]
    assert saved.lines == 300


def test_events_of_a_task_that_was_writing_have_no_gap(second: Installation, saved: Saved) -> None:
    told = [event["seq"] for event in second.events(saved.busy)]
    assert told == list(range(1, len(told) + 1))


def test_an_attempt_that_was_live_is_stopped_to_be_started_again(second: Installation, saved: Saved) -> None:
    task = second.until(saved.busy)
    assert (task["status"], task["stop_reason"]) == ("stopped", "interrupted")
    assert len(task["attempts"]) == 1


def test_nothing_that_was_queued_starts_by_itself(second: Installation, saved: Saved) -> None:
    task = second.until(saved.queued)
    assert task["status"] == "stopped"
    assert second.events(saved.queued)[-1]["message"] == "Stopped before it started"


def test_captured_work_can_still_be_read_and_landed(second: Installation, saved: Saved) -> None:
    assert "+four" in second.get(f"/tasks/{saved.ready}/diff").body["patch"]
    landed = second.post(f"/tasks/{saved.ready}/worktree/merge", {})
    assert landed.status == 200, landed.body
    assert (saved.work / "a.txt").read_text() == "one\ntwo\nthree\nfour\n"
    assert git(saved.work, "status", "--porcelain") == ""


@pytest.fixture(scope="module")
def at_rest(saved: Saved, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A restored data directory in which nothing runs."""
    data = tmp_path_factory.mktemp("at-rest") / "data"
    assert openruntime(data, "restore", str(saved.file)).returncode == 0
    return data


def test_a_restore_keeps_what_was_there(saved: Saved, at_rest: Path) -> None:
    data = at_rest
    with closing(sqlite3.connect(data / "openruntime.sqlite3")) as store:
        store.execute("UPDATE task SET title = 'changed since'")
        store.commit()
    kept = Path(json.loads(openruntime(data, "--json", "restore", str(saved.file)).stdout)["kept"])
    assert titles(kept / "openruntime.sqlite3") == {"changed since"}
    assert titles(data / "openruntime.sqlite3") == {"a task"}
    assert (data / "openruntime.sqlite3").stat().st_mode & 0o077 == 0


def titles(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as store:
        return {title for (title,) in store.execute("SELECT title FROM task")}


def test_nothing_secret_is_in_a_backup_and_only_its_owner_reads_it(saved: Saved) -> None:
    with tarfile.open(saved.file) as archive:
        rooms = {name.split("/")[0] for name in archive.getnames()}
    assert rooms == {"manifest.json", "store.sqlite3", "repositories"}
    assert os.stat(saved.file).st_mode & 0o077 == 0


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def foreign(whole: bytes) -> bytes:
    return b"PK\x03\x04 something else"


def newer(whole: bytes) -> bytes:
    return archive_of({"format": 1, "version": "99", "schema": 9999, "created_at": "2030-01-01T00:00:00Z"})


def without_store(whole: bytes) -> bytes:
    return archive_of({"format": 1, "version": "0", "schema": 1, "created_at": "2026-01-01T00:00:00Z"})


def archive_of(manifest: dict[str, object]) -> bytes:
    text = json.dumps(manifest).encode()
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as archive:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return into.getvalue()


@pytest.mark.parametrize("spoil", [cut, foreign, newer, without_store])
def test_a_file_that_is_no_whole_backup_is_refused_and_changes_nothing(
    saved: Saved, at_rest: Path, tmp_path: Path, spoil: object
) -> None:
    data = at_rest
    before = (data / "openruntime.sqlite3").read_bytes()
    spoiled = tmp_path / "spoiled.tar"
    assert callable(spoil)
    spoiled.write_bytes(spoil(saved.file.read_bytes()))
    done = openruntime(data, "restore", str(spoiled))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert (data / "openruntime.sqlite3").read_bytes() == before
    assert not list(data.glob("openruntime-restore-*"))


def test_a_backup_does_not_overwrite_a_file_unless_told_to(at_rest: Path, tmp_path: Path) -> None:
    data, target = at_rest, tmp_path / "precious"
    target.write_text("mine")
    assert openruntime(data, "backup", str(target)).returncode == 2
    assert target.read_text() == "mine"
    assert openruntime(data, "backup", "--force", str(target)).returncode == 0
    assert tarfile.is_tarfile(target)
