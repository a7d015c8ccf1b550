"""A session is brought to the folder its program runs in, and the original stays as it was."""

from __future__ import annotations

from pathlib import Path

from workers.sessions import carry

ID = "11111111-2222-4333-8444-555555555555"


def held(home: Path, folder: str, text: str = "{}\n") -> Path:
    path = home / "projects" / folder / f"{ID}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_it_is_copied_with_its_sub_agents(tmp_path: Path) -> None:
    original = held(tmp_path, "-elsewhere", "said\n")
    (original.with_suffix("") / "subagents").mkdir(parents=True)
    (original.with_suffix("") / "subagents/agent-1.jsonl").write_text("more\n")
    here = tmp_path / "work é.d"
    here.mkdir()
    assert carry.bring(ID, str(here), tmp_path)
    place = carry.project_of(tmp_path, str(here))
    assert place.name.endswith("work---d")
    assert (place / f"{ID}.jsonl").read_text() == original.read_text() == "said\n"
    assert (place / ID / "subagents/agent-1.jsonl").read_text() == "more\n"


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    held(tmp_path, "-elsewhere", "old\n")
    mine = held(tmp_path, carry.project_of(tmp_path, "/w").name, "mine\n")
    assert carry.bring(ID, "/w", tmp_path)
    assert mine.read_text() == "mine\n"


def test_another_home_is_looked_into_too(tmp_path: Path) -> None:
    held(tmp_path / "shared", "-elsewhere", "said\n")
    assert carry.bring(ID, "/w", tmp_path / "private", [tmp_path / "shared"])
    assert (carry.project_of(tmp_path / "private", "/w") / f"{ID}.jsonl").exists()


def test_an_unknown_or_odd_id_brings_nothing(tmp_path: Path) -> None:
    held(tmp_path, "-elsewhere")
    assert not carry.bring("99999999-2222-4333-8444-555555555555", "/w", tmp_path)
    assert not carry.bring("*", "/w", tmp_path)
