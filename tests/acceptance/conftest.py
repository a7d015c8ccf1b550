"""A whole installation for the acceptance tests, and the folders its tasks work in."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents import site as agents
from tests.installation import Installation, installed, repository

GIT_CONFIG = "[user]\n\tname = A Tester\n\temail = tester@example.invalid\n[init]\n\tdefaultBranch = main\n"


@pytest.fixture(scope="module")
def site() -> Iterator[Installation]:
    """Web and one worker, without any agent program on PATH."""
    folder = Path(tempfile.mkdtemp(prefix="or-"))
    programs = folder / "bin"
    programs.mkdir()
    for name in (
        "git",
        "sh",
        "bwrap",
        "env",
        "sleep",
        "cat",
        "sed",
        "seq",
        "uname",
        "ls",
        "rm",
        "true",
        "false",
    ):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    (folder / "gitconfig").write_text(GIT_CONFIG)
    settings = {"HOME": str(folder), "PATH": str(programs), "GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}
    try:
        with installed(folder, **settings) as found_site:
            yield found_site
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "plain").mkdir()
    return tmp_path / "plain"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repo")


def said(answer: Any) -> str:
    return str(answer.body["detail"]).lower()


@pytest.fixture(scope="module")
def codex() -> Iterator[agents.Site]:
    with agents.site("codex") as made:
        yield made


@pytest.fixture(params=["live", "oneshot"])
def either(request: pytest.FixtureRequest, codex: agents.Site) -> agents.Site:
    """Codex by its app-server, and by `exec`."""
    return dataclasses.replace(codex, options={"mode": request.param})
