"""What a repository and a policy make the real Codex run: nothing before a person trusts it, no tool not allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.configured import DONE, NOTES, ONE, SERVER, called, canary, commit, trust, waits
from tests.agents.model_server import goal
from tests.agents.site import ASK, Site, site

pytestmark = [pytest.mark.agents]


@pytest.fixture(scope="module")
def codex() -> Iterator[Site]:
    with site("codex") as made:
        yield made


@pytest.fixture
def planted(codex: Site) -> Path:
    """A repository that would start a server and choose the model."""
    folder = codex.repository()
    config = 'model = "planted"\n[mcp_servers.planted]\ncommand = "python3"\nargs = ["server.py"]\n'
    commit(folder, **{".codex/config.toml": config, "server.py": SERVER, "AGENTS.md": "Be kind."})
    return folder


def test_codex_starts_without_them_and_notes_no_trust_of_its_own(codex: Site, planted: Path) -> None:
    settings = Path(codex.installation.settings["CODEX_HOME"], "config.toml")
    before = settings.read_text()
    task_id = codex.create(goal({"run": "true"}, DONE), workspace=str(planted))
    assert waits(codex, task_id) == [".codex/config.toml"]
    codex.installation.post(f"/tasks/{task_id}/start", {"repository_settings": "ignore"})
    codex.ended(task_id, "completed")
    assert codex.said(task_id) == ["Done."]
    assert canary(codex, task_id) == []
    assert settings.read_text() == before


def test_codex_obeys_what_a_person_trusts(codex: Site, planted: Path) -> None:
    task_id = codex.create(goal({"run": "true"}, DONE), workspace=str(planted))
    assert trust(codex, task_id).status == 200
    codex.installation.post(f"/tasks/{task_id}/start")
    codex.ended(task_id)
    assert canary(codex, task_id) == ["server"]


def of_codex(tool: str) -> dict[str, Any]:
    return {"call": tool, "server": "notes", "input": {}}


def test_codex_uses_the_one_and_not_the_other_of_its_own_server(codex: Site) -> None:
    """The server stands in the person's own settings, which no option of ours narrows: each call is asked for."""
    settings = Path(codex.installation.settings["CODEX_HOME"], "config.toml")
    before = settings.read_text()
    settings.write_text(
        f"{before}\n[mcp_servers.notes]\ncommand = 'python3'\nargs = ['-c', '''{SERVER}''']\n"
    )
    try:
        task_id = codex.start(of_codex("one"), of_codex("two"), {"run": "true"}, DONE, policy=ONE)
        codex.ended(task_id)
        assert called(codex, task_id) == ["one"]
        rows = [(row["tool"], row["status"], row["rule"]) for row in codex.approvals(task_id)]
        assert rows[1] == (
            "mcp__notes__two",
            "denied",
            "allowed_mcp_tools — The policy does not allow mcp__notes__two.",
        )
    finally:
        settings.write_text(before)


def test_codex_knows_only_the_allowed_tools_of_a_tasks_server(codex: Site) -> None:
    task_id = codex.start(of_codex("two"), of_codex("one"), DONE, policy=ONE, mcp_servers={"notes": NOTES})
    codex.ended(task_id)
    assert called(codex, task_id) == ["one"]


def test_a_person_answers_codex_for_a_tool_of_a_server(codex: Site) -> None:
    task_id = codex.start(of_codex("one"), of_codex("two"), DONE, policy=ASK, mcp_servers={"notes": NOTES})
    first = codex.asked(task_id, "mcp__notes__one")
    assert first["title"] == "Codex wants to use one of notes"
    codex.decide(task_id, first, "allow")
    codex.decide(task_id, codex.asked(task_id, "mcp__notes__two"), "deny", note="not that one")
    codex.ended(task_id)
    assert called(codex, task_id) == ["one"]
