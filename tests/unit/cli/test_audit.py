"""`audit verify` without a server, and what `doctor` says of the log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from openruntime.cli import exits
from shared import audit
from shared.audit import chain
from shared.audit import log as audit_log
from shared.config import Config, from_env
from shared.store.database import close, open_store, raw


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Config]:
    """A log of four entries and its heads."""
    config = from_env({}, data=tmp_path / "data")
    open_store(config)
    audit.keep_heads(config.data)
    for number in range(4):
        audit.record("create", "task", f"task {number}")
    yield config
    audit_log._heads = None
    close()


def verify(config: Config, *options: str) -> int:
    return exits.run(["--data", str(config.data), "audit", "verify", *options])


def test_a_whole_log_is_said_to_be_whole(log: Config, capfd: pytest.CaptureFixture[str]) -> None:
    assert verify(log) == 0
    assert "The audit log is whole: 4 entries, head " in capfd.readouterr().out
    assert verify(log, "--json") == 0
    assert json.loads(capfd.readouterr().out)["stands"] is True


def test_the_first_bad_entry_is_named_and_the_exit_is_one(
    log: Config, capfd: pytest.CaptureFixture[str]
) -> None:
    raw().execute("DROP TRIGGER audit_entry_stays")
    raw().execute("DELETE FROM audit_entry WHERE seq = 3")
    assert verify(log) == 1
    assert capfd.readouterr().err == "Entry 3 is not right: it is missing.\n"
    exits.run(["--data", str(log.data), "--json", "doctor"])
    (found,) = [check for check in json.loads(capfd.readouterr().out)["checks"] if check["name"] == "audit"]
    assert (found["status"], "Entry 3" in found["detail"]) == ("fail", True)


def test_a_store_put_back_to_an_earlier_copy_is_found(log: Config, capfd: pytest.CaptureFixture[str]) -> None:
    close()
    shutil.copy(log.database, log.data / "earlier")
    open_store(log)
    audit.record("create", "task", "later")
    close()
    shutil.copy(log.data / "earlier", log.database)
    assert verify(log) == 1
    assert (
        "Entry 5 is not right: it is missing: audit.heads knows the log up to entry 5."
        in capfd.readouterr().err
    )


def test_without_a_store_there_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert verify(from_env({}, data=tmp_path / "none")) == 1
    assert capfd.readouterr().err.startswith("There is no audit log to read at ")


def test_a_log_without_its_heads_is_not_proven(log: Config) -> None:
    chain.heads_file(log.data).unlink()
    assert verify(log) == 1
