"""Which processes `up` runs, and how (openruntime/cli/procfile.py)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from openruntime.cli import procfile
from shared.errors import ConfigError


def test_our_own_program_is_started_by_this_interpreter_without_the_current_folder() -> None:
    ours = (sys.executable, "-P", "-m", "openruntime")
    found = procfile.entries("web: .venv/bin/openruntime web\nworker: openruntime worker\n")
    assert [entry.argv for entry in found] == [(*ours, "web"), (*ours, "worker")]


def test_only_workers_are_multiplied() -> None:
    found = procfile.entries(procfile.BUILT_IN, workers=3)
    assert [entry.name for entry in found] == ["web", "worker.1", "worker.2", "worker.3"]
    assert {entry.kind for entry in found} == {"web", "worker"}


def test_a_line_with_shell_marks_goes_to_a_shell() -> None:
    (entry,) = procfile.entries("redis: redis-server | tee log")
    assert entry.argv == ("/bin/sh", "-c", "redis-server | tee log")
    assert entry.in_shell


@pytest.mark.parametrize("text", ["", "# nothing\n", "web: a\nweb: b\n"])
def test_an_unusable_procfile_is_a_usage_error(text: str) -> None:
    with pytest.raises(ConfigError, match="Procfile"):
        procfile.entries(text)


def test_the_checkouts_procfile_wins_over_the_wheels(tmp_path: Path) -> None:
    app, package = tmp_path / "app", tmp_path / "package"
    for folder in (app, package):
        folder.mkdir()
    assert procfile.read(app, package) == procfile.BUILT_IN
    (package / "Procfile").write_text("web: wheel\n")
    assert procfile.read(app, package) == "web: wheel\n"
    (app / "Procfile").write_text("web: checkout\n")
    assert procfile.read(app, package) == "web: checkout\n"
