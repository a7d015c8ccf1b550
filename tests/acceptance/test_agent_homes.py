"""The agent's home: a person's logins go on working, and nothing an agent does there reaches their other sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.site import Site, site
from tests.waiting import wait_until

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

PLANTED = "planted"
PLANT = (
    f"for file in settings.json settings.local.json CLAUDE.md ../.claude.json; do echo {PLANTED} >> ~/.claude/$file; done;"
    f" for folder in hooks plugins skills agents commands; do touch ~/.claude/$folder/{PLANTED}; done;"
    " ls ~/.claude; true"
)


@pytest.fixture(scope="module")
def claude() -> Iterator[Site]:
    with site("claude-code", CLAUDE_CONFIG_DIR=None) as made:
        yield made


def home(claude: Site) -> Path:
    return claude.folder / "home"


def planted(folder: Path) -> list[Path]:
    """Every file below, by name or content, that the agent put there; its own transcripts aside."""
    files = [path for path in folder.rglob("*") if path.is_file() and "projects" not in path.parts]
    return [path for path in files if PLANTED in path.name or PLANTED.encode() in path.read_bytes()]


def test_an_agent_can_put_nothing_there_that_runs_in_its_persons_sessions(claude: Site) -> None:
    (home(claude) / ".claude.json").write_text('{"numStartups": 3}')
    task_id = claude.start({"run": PLANT}, {"say": "Done."})
    claude.ended(task_id, "completed")
    assert "Read-only file system" in claude.results(task_id)
    assert planted(home(claude)) == []
    assert "settings.json" in claude.results(task_id)


def test_a_session_held_in_another_folder_is_found_and_its_original_kept(claude: Site) -> None:
    task_id = claude.start({"say": "One."}, {"say": "Two."})
    claude.ended(task_id, "completed")
    (held,) = home(claude).rglob(f"{claude.sessions(task_id)[0]}.jsonl")
    elsewhere = held.parent.parent / "-somewhere-else" / held.name
    elsewhere.parent.mkdir()
    held.rename(elsewhere)
    before = elsewhere.read_bytes()
    claude.reply(task_id, "And then?")
    claude.ended(task_id, "completed", attempts=2)
    assert claude.said(task_id) == ["One.", "Two."], "it went on with what had been said"
    assert elsewhere.read_bytes() == before
    assert held.exists()


def test_a_home_of_the_tasks_own_is_remembered_by_it_alone(claude: Site) -> None:
    policy = {"allow_network": True, "agent_home": "private"}
    task_id = claude.start({"say": "One."}, {"say": "Two."}, policy=policy)
    claude.ended(task_id, "completed")
    session = claude.sessions(task_id)[0]
    assert not list(home(claude).rglob(f"{session}.jsonl"))
    assert list((claude.installation.data / "homes" / task_id).rglob(f"{session}.jsonl"))
    claude.reply(task_id, "And then?")
    claude.ended(task_id, "completed", attempts=2)
    assert claude.said(task_id) == ["One.", "Two."], "it resumed the session"
    claude.command(task_id, "worktree/cleanup")
    kept = claude.installation.data / "homes" / task_id
    assert claude.installation.request("DELETE", f"/tasks/{task_id}").status in (202, 204)
    assert kept.exists(), "it can be put back"
    assert claude.installation.request("DELETE", f"/deleted-tasks/{task_id}").status in (202, 204)
    wait_until(lambda: not kept.exists(), what="its home to go with it")
