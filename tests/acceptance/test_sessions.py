"""Sessions a person began with the real programs: their transcripts, and tasks that go on with them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.model_server import goal
from tests.agents.site import Site, assert_counted, site
from tests.installation import git
from tests.waiting import wait_until

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

RECORDED = Path(__file__).parents[1] / "agents/session-stores"
SUBAGENT = "70ae21fb-7263-4aa7-a023-03610a52e61c"
COMMANDS = {
    "claude-code": "claude -p --permission-mode acceptEdits --allowedTools Bash".split(),
    "codex": "codex exec --skip-git-repo-check -s danger-full-access -".split(),
}


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def person(request: pytest.FixtureRequest) -> Iterator[Site]:
    """An installation of one of the agents, in whose terminal a person sits as well."""
    settings = {"CLAUDE_CONFIG_DIR": None} if request.param == "claude-code" else {}
    with site(request.param, **settings) as made:
        yield made


def begun(person: Site, folder: Path, *turns: dict[str, Any]) -> str:
    """Hold a session in `folder` without openRuntime; returns its id, as the inventory lists it."""
    done = subprocess.run(
        COMMANDS[person.runner],
        input=goal(*turns).encode(),
        env=person.installation.environment,
        cwd=folder,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done
    found = seen(person, "workspace", os.path.realpath(folder))
    assert found["managed_by_openruntime"] is False
    return str(found["session_id"])


def listed(person: Site) -> list[dict[str, Any]]:
    return list(person.installation.get(f"/runner-sessions?runner={person.runner}").body["sessions"])


def seen(person: Site, field: str, ending: str) -> dict[str, Any]:
    """The listed session whose `field` ends so, once a look has found it."""

    def found() -> dict[str, Any] | None:
        return next((row for row in listed(person) if str(row[field]).endswith(ending)), None)

    row = wait_until(found, 15, what=f"a session with {ending}")
    assert row is not None
    return row


def transcript(person: Site, session_id: str, query: str = "") -> dict[str, Any]:
    answer = person.installation.get(f"/runner-sessions/{person.runner}/{session_id}/transcript{query}")
    assert answer.status == 200, answer.body
    return dict(answer.body)


def told(found: dict[str, Any]) -> list[tuple[str, str]]:
    """(category, message), without what programs wrote."""
    pairs = [(str(entry["metadata"]["category"]), entry["message"]) for entry in found["entries"]]
    return [pair for pair in pairs if pair[0] != "runner-output"]


def continued(person: Site, session_id: str, words: str, **more: Any) -> dict[str, Any]:
    """A task that takes the session up, once its first attempt has ended."""
    task_id = person.create(words, session_id=session_id, **more)
    assert person.installation.post(f"/tasks/{task_id}/start").status in (200, 202)
    return person.ended(task_id, "ready-for-review")


def test_a_session_begun_in_a_terminal_is_told_and_goes_on_in_a_worktree_of_its_folder(person: Site) -> None:
    folder = person.repository()
    session_id = begun(
        person, folder, {"say": "I look.", "run": "echo looked"}, {"say": "Seen."},
        {"write": "$CWD/more.txt" if person.runner == "claude-code" else "more.txt", "content": "more\n"},
        {"say": "And more."},
    )  # fmt: skip
    found = told(transcript(person, session_id))
    assert [category for category, _ in found] == [
        "reply", "agent-message", "tool-call", "tool-result", "agent-message",
    ]  # fmt: skip
    assert (found[1][1], found[3][1].strip(), found[4][1]) == ("I look.", "looked", "Seen.")

    held = Path(seen(person, "session_id", session_id)["transcript_path"])
    before = held.read_bytes()
    task = continued(person, session_id, "Go on, please.", workspace=str(folder))
    assert person.said(task["id"]) == ["And more."], "it knows what was said before"
    assert task["current_attempt"]["runner_session_id"] == session_id
    assert person.made(task["id"], "more.txt").read_text() == "more\n"
    assert not (folder / "more.txt").exists()
    assert git(folder, "status", "--porcelain") == ""
    if person.runner == "claude-code":
        assert held.read_bytes() == before, "it goes on with a copy"
    assert "Go on, please." in " ".join(person.heard(task["id"]))
    mine = next(row for row in listed(person) if row["session_id"] == session_id)
    assert mine["openruntime_task_id"] == task["id"]
    said = [
        message for category, message in told(transcript(person, session_id)) if category == "agent-message"
    ]
    assert said == ["I look.", "Seen.", "And more."]


def test_a_session_that_belongs_to_a_task_is_not_taken_up_by_another(person: Site) -> None:
    task_id = person.start({"say": "Mine."})
    person.ended(task_id, "completed")
    body = {"title": "t", "prompt": "p", "runner": person.runner, "session_id": person.sessions(task_id)[0]}
    seen(person, "session_id", body["session_id"])
    workspace = person.task(task_id)["workspace"]
    before = len(person.installation.get("/tasks").body)
    answer = person.installation.post("/tasks", {**body, "workspace": workspace})
    assert answer.status == 409, answer.body
    assert len(person.installation.get("/tasks").body) == before
    assert told(transcript(person, person.sessions(task_id)[0]))[-1] == ("agent-message", "Mine.")
    assert_counted(person, task_id)


def test_a_recorded_session_and_its_sub_agent_are_told_from_the_store(person: Site) -> None:
    if person.runner == "codex":
        target = Path(person.installation.settings["CODEX_HOME"]) / "sessions/2026/11/22"
        target.mkdir(parents=True)
        name = "rollout-2026-11-22T19-00-00-01a204a3-0ed4-7061-b9aa-12345e945f90.jsonl"
        shutil.copy(RECORDED / "codex/codex-bash.jsonl", target / name)
        row = seen(person, "transcript_path", name)
        assert ("tool-call", "echo hello; uname -s") in told(transcript(person, row["session_id"]))
        return
    project = person.folder / "home/.claude/projects/-recorded"
    project.mkdir(parents=True)
    shutil.copy(RECORDED / "claude/claude-subagent.jsonl", project / f"{SUBAGENT}.jsonl")
    shutil.copytree(RECORDED / "claude/subagents", project / SUBAGENT / "subagents")
    row = seen(person, "source", "claude-subagent-jsonl")
    whole = transcript(person, row["session_id"])
    assert whole["entries"][0]["metadata"]["by"] == "agent"
    assert told(whole)[-1] == ("agent-message", "The command printed: hello\nLinux")
    first = transcript(person, SUBAGENT, "?limit=1")
    assert (len(first["entries"]), first["previous"]) == (1, None)
    assert told(transcript(person, SUBAGENT, f"?start={first['next']}"))[0] == (
        "agent-message",
        "Delegating.",
    )
