"""A person's agent home as an agent sees it where nothing can be mounted, and what comes back from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.attempts import home_view
from workers.runners import claude


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "home/.claude"
    for name in ("hooks", "todos"):
        (made / name).mkdir(parents=True)
    (made / "settings.json").write_text("{}")
    (made / ".credentials.json").write_text("old")
    (made / "state.sqlite").write_text("half a database")
    return made


@pytest.fixture
def view(tmp_path: Path) -> Path:
    return tmp_path / "data/claude-code.view"


def lay_out(folder: Path, view: Path) -> tuple[list[Path], list[Path]]:
    return home_view.lay_out(claude.HOME, folder, view, [])


def test_what_runs_programs_may_be_read_only_and_the_other_folders_are_the_person_s(
    folder: Path, view: Path
) -> None:
    writable, read_only = lay_out(folder, view)
    assert {path.name for path in read_only} == {"hooks", "settings.json"}
    assert writable == [view, folder / "projects", folder / "todos"]
    assert (view / "hooks").readlink() == folder / "hooks"
    assert not (view / ".credentials.json").is_symlink()
    assert not (view / "state.sqlite").exists()


def test_a_renewed_login_comes_back_and_nothing_else_does(folder: Path, view: Path) -> None:
    lay_out(folder, view)
    (view / ".credentials.json").write_text("renewed")
    (view / "settings.json").unlink()
    (view / "settings.json").write_text("evil")
    home_view.give_back(view)
    assert (folder / ".credentials.json").read_text() == "renewed"
    assert (folder / ".credentials.json").stat().st_mode & 0o777 == 0o600
    assert (folder / "settings.json").read_text() == "{}"
    lay_out(folder, view)
    assert (view / "settings.json").read_text() == "{}", "the next attempt begins with the person's again"


def test_a_login_its_person_renewed_meanwhile_stays(folder: Path, view: Path) -> None:
    lay_out(folder, view)
    (view / ".credentials.json").write_text("the agent's")
    (folder / ".credentials.json").write_text("the person's")
    home_view.give_back(view)
    assert (folder / ".credentials.json").read_text() == "the person's"


def test_a_link_an_agent_planted_is_neither_followed_nor_written_through(
    folder: Path, view: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("PRIVATE")
    lay_out(folder, view)
    (view / ".credentials.json").unlink()
    (view / ".credentials.json").symlink_to(key)
    home_view.give_back(view)
    assert (folder / ".credentials.json").read_text() == "old"
    lay_out(folder, view)
    assert key.read_text() == "PRIVATE"
    assert (view / ".credentials.json").read_text() == "old"


def test_what_an_agent_linked_in_the_person_s_home_is_not_opened_to_the_next(
    folder: Path, view: Path, tmp_path: Path
) -> None:
    (tmp_path / "keys").mkdir()
    (folder / "cache").symlink_to(tmp_path / "keys")
    (folder / "notes").symlink_to(tmp_path / "keys/id")
    writable, _ = lay_out(folder, view)
    assert folder / "cache" not in writable
    assert not (view / "cache").exists()
    assert not (view / "notes").exists()


def test_an_attempt_that_had_no_view_gives_nothing_back(view: Path) -> None:
    home_view.give_back(view)
    assert not view.exists()
