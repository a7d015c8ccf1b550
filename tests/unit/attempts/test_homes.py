"""An agent's home: the person's, with everything that says what programs run guarded, or one of the task's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.errors import NotReady
from workers.attempts import homes
from workers.runners import Start, claude, codex
from workers.runners.conformance import context


def started(name: str) -> Start:
    runner = {"claude": claude, "codex": codex}[name]
    return runner.start(context(contained=True))


def shared(name: str, home: Path, **env: str) -> homes.Prepared:
    return homes.prepare(started(name), {"HOME": str(home), **env}, private=None, copies=home / "copies")


@pytest.mark.parametrize(("name", "folder"), [("claude", ".claude"), ("codex", ".codex")])
def test_what_says_which_programs_run_is_read_only_also_where_it_was_missing(
    name: str, folder: str, tmp_path: Path
) -> None:
    found = shared(name, tmp_path)
    assert found.writable[0] == (tmp_path / folder, tmp_path / folder)
    guarded = {source.name for source, _ in found.read_only}
    assert {"claude": "settings.json", "codex": "config.toml"}[name] in guarded
    assert all(source.exists() for source, _ in found.read_only)


def test_what_a_person_has_written_there_is_left_as_it_is(tmp_path: Path) -> None:
    settings = tmp_path / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "mine"}')
    shared("claude", tmp_path)
    assert settings.read_text() == '{"model": "mine"}'


def test_the_file_that_names_servers_is_a_copy(tmp_path: Path) -> None:
    (tmp_path / ".claude.json").write_text("{}")
    ((_, _), (source, target)) = shared("claude", tmp_path).writable
    assert target == tmp_path / ".claude.json"
    assert source != target
    source.write_text('{"mcpServers": {}}')
    assert target.read_text() == "{}"


def test_a_folder_the_program_rewrites_at_every_start_is_a_copy(tmp_path: Path) -> None:
    mine = tmp_path / ".codex/skills/mine/SKILL.md"
    mine.parent.mkdir(parents=True)
    mine.write_text("how")
    found = {target: source for source, target in shared("codex", tmp_path).writable}
    copy = found[tmp_path / ".codex/skills"]
    assert (copy / "mine/SKILL.md").read_text() == "how"
    (copy / "mine/SKILL.md").write_text("planted")
    assert mine.read_text() == "how"


def test_where_the_variable_says_so_the_home_is_elsewhere(tmp_path: Path) -> None:
    found = shared("claude", tmp_path, CLAUDE_CONFIG_DIR=str(tmp_path / "other"))
    assert found.writable[0][0] == tmp_path / "other"


def test_a_home_of_its_own_takes_the_settings_along_and_is_signed_in_by_a_key(tmp_path: Path) -> None:
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex/config.toml").write_text('model = "m"')
    (tmp_path / ".codex/auth.json").write_text('{"tokens": "the person\'s"}')
    env = {"HOME": str(tmp_path), "OPENAI_API_KEY": "key"}
    private = tmp_path / "private"
    found = homes.prepare(started("codex"), env, private=private, copies=tmp_path / "copies")
    assert found.environment == (("CODEX_HOME", str(private)),)
    assert found.writable == ((private, private),)
    assert (private / "config.toml").read_text() == 'model = "m"'
    assert json.loads((private / "auth.json").read_text()) == {"OPENAI_API_KEY": "key"}
    assert (private / "auth.json").stat().st_mode & 0o077 == 0


def test_a_home_of_its_own_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="ANTHROPIC_API_KEY"):
        homes.prepare(
            started("claude"), {"HOME": str(tmp_path)}, private=tmp_path / "p", copies=tmp_path / "c"
        )
