"""A client of the reference system does its whole job against our server, through a proxy that adds the token."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import GIT_CONFIG
from tests.acceptance.reference_client import RUNNERS, WORKSPACE, Client, Refusal, decode, proxied
from tests.installation import OPEN, Installation, git, installed
from tests.waiting import wait_until

CODEX = "01a204a3-0ed4-7061-b9aa-12345e945f90"
CLAUDE = "37c5d418-910d-42ac-8f71-03f5c668c62c"
BY_HAND = "70ae21fb-7263-4aa7-a023-03610a52e61c"


@pytest.fixture(scope="module")
def old_site() -> Iterator[Installation]:
    """With the settings a person of the reference system has: CODEX_HOME, CLAUDE_HOME, MANAGED_AGENTS_DB."""
    folder = Path(tempfile.mkdtemp(prefix="or-"))
    (folder / "gitconfig").write_text(GIT_CONFIG)
    settings = {
        "HOME": str(folder),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "CODEX_HOME": str(folder / "codex"),
        "CLAUDE_HOME": str(folder / "claude"),
        "MANAGED_AGENTS_DB": str(folder / "old.sqlite3"),
    }
    try:
        with installed(folder, **settings) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def client(old_site: Installation) -> Iterator[Client]:
    with proxied(old_site.address, old_site.token) as found:
        yield found


def until(client: Client, id: str, *statuses: str) -> dict[str, Any]:
    """As the reference system's page does it: ask again until the status is there."""

    def look() -> dict[str, Any] | None:
        task = client.task(id)
        return task if task["status"] in statuses else None

    found = wait_until(look, 30, what=f"{id} to be {statuses}", every=0.05)
    assert found is not None
    return found


def refused(call: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value


def shell(command: str, workspace: Path, **policy: Any) -> dict[str, Any]:
    return {
        "title": "a task",
        "prompt": "",
        "runner": "shell",
        "command": command,
        "workspace": str(workspace),
        "policy": {**OPEN, **policy},
    }


def test_the_whole_job_from_register_to_cleanup(client: Client, repo: Path) -> None:
    assert client.call("GET", "/health")["storage"] == "sqlite"
    runners = decode(
        client.call("GET", "/runners"), [{"runner": RUNNERS, "available": (bool,), "command": (str,)}]
    )
    assert [runner["runner"] for runner in runners] == ["codex", "claude-code", "shell"]
    registered = decode(client.call("POST", "/workspaces/register", {"path": str(repo)}), WORKSPACE)
    assert registered in decode(client.call("GET", "/workspaces"), [WORKSPACE])

    command = "echo 'waiting for input'; read x; echo $x >> a.txt; echo new > n.txt; echo done"
    task = client.create(shell(command, repo, require_approval=True))
    id = task["id"]
    assert (task["status"], task["effective_policy"], task["attempts"]) == ("queued", None, [])
    gated = refused(lambda: client.steer(id, "start"))
    assert (gated.status, "approval" in gated.text.lower()) == (412, True)
    assert client.task(id)["status"] == "needs-input"
    approved = client.steer(id, "approve", {"note": "go", "start": False})
    assert (approved["status"], bool(approved["approved_at"])) == ("needs-input", True)
    assert client.steer(id, "approve", {})["status"] == "running"

    asked = wait_until(lambda: _asks(client.task(id)), 30, what="the shell to ask")
    assert asked["current_attempt"]["status"] == "needs-input"
    assert client.steer(id, "reply", {"message": " four "})["status"] == "running"
    done = until(client, id, "ready-for-review")
    assert done["attempts"] == [done["current_attempt"]]
    assert done["current_attempt"]["exit_status"] == "exit status: 0"
    assert done["effective_policy"] == done["policy"]
    assert Path(done["execution_workspace"]).is_dir()

    events = client.events(id)
    assert events == done["events"]
    assert [event["message"] for event in events if event["kind"] == "stdout"] == [
        "waiting for input",
        "done",
    ]
    categories = [(event["metadata"] or {}).get("category") for event in events]
    told = ["attempt-started", "needs-input", "reply", "attempt-completed"]
    assert [name for name in categories if name in told] == told
    logs = client.logs(id)
    assert {"stdout"} <= {event["kind"] for event in logs["events"]} <= {"stdout", "stderr", "lifecycle"}
    assert client.attach(id)["supported"] is False
    diff = client.diff(id)
    assert (diff["isolated"], "+four" in diff["patch"], "a.txt" in diff["stat"]) == (True, True, True)
    assert git(repo, "status", "--porcelain") == ""

    merged = client.land(id, "merge")
    assert merged["task"]["worktree_merged_at"]
    assert (repo / "a.txt").read_text() == "one\ntwo\nthree\nfour\n"
    again = refused(lambda: client.land(id, "merge"))
    assert (again.status, "already" in again.text) == (409, True)
    cleaned = client.land(id, "cleanup")
    assert cleaned["task"]["worktree_cleaned_at"]
    assert not Path(done["worktree_path"]).exists()
    assert "+four" in client.diff(id)["patch"]
    assert client.tasks()[0]["id"] == id


def _asks(task: dict[str, Any]) -> dict[str, Any] | None:
    """needs-input once it runs: before, the gate has the same word."""
    return task if task["status"] == "needs-input" and task["current_attempt"] else None


def test_stopping_and_failing_are_told_in_the_same_words(client: Client, plain: Path) -> None:
    live = client.create(shell("sleep 60", plain))["id"]
    assert client.steer(live, "start")["status"] == "running"
    assert client.steer(live, "stop")["status"] == "stopped"
    stopped = until(client, live, "stopped")
    assert (stopped["current_attempt"]["status"], stopped["current_attempt"]["exit_status"]) == (
        "stopped",
        None,
    )
    failing = client.create(shell("exit 2", plain))["id"]
    client.steer(failing, "start")
    assert until(client, failing, "failed")["current_attempt"]["exit_status"] == "exit status: 2"


def test_refusals_carry_a_text_that_names_what_is_wrong(client: Client, plain: Path) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    good = shell("true", plain)
    for call, status, text in [
        (lambda: client.create({}), 422, "title"),
        (lambda: client.create({**good, "runner": "gemini"}), 422, "gemini"),
        (lambda: client.create({**good, "workspace": "/nope"}), 400, "exist"),
        (lambda: client.create({**good, "command": "curl x", "policy": {}}), 403, "curl"),
        (lambda: client.task(nobody), 404, "not found"),
        (lambda: client.task("xyz"), 400, "id"),
        (lambda: client.steer(nobody, "reply", {"message": " "}), 400, "message"),
        (lambda: client.call("POST", "/workspaces/pick"), 501, "browse"),
        (lambda: client.land(client.create(good)["id"], "merge"), 409, "no worktree"),
    ]:
        answer = refused(call)
        assert (answer.status, text in answer.text.lower()) == (status, True), answer


def line(**fields: Any) -> str:
    return json.dumps(fields) + "\n"


def write_stores(home: Path) -> None:
    """Scenario 25: a named Codex session, one only the index knows, and Claude's with a sub-agent."""
    day = home / "codex/sessions/2026/05/14"
    day.mkdir(parents=True)

    def said(role: str, text: str, second: int) -> str:
        block = {"type": "input_text" if role == "user" else "output_text", "text": text}
        at = f"2026-05-14T09:00:{second:02}Z"
        event = {"type": "user_message" if role == "user" else "agent_message", "message": text}
        message = {"type": "message", "role": role, "content": [block]}
        return line(timestamp=at, type="response_item", payload=message) + line(
            timestamp=at, type="event_msg", payload=event
        )

    meta = {"id": CODEX, "cwd": "/somewhere", "timestamp": "2026-05-14T09:00:00Z"}
    head = line(timestamp="2026-05-14T09:00:00Z", type="session_meta", payload=meta)
    text = head + said("user", "hello", 1) + said("assistant", "hi there", 2)
    (day / f"rollout-2026-05-14T09-00-00-{CODEX}.jsonl").write_text(text)
    (home / "codex/session_index.jsonl").write_text(
        line(id=CODEX, thread_name="Named", updated_at="2026-05-14T09:30:00Z")
        + line(id="index-only", thread_name="No file", updated_at="2026-05-13T09:30:00Z")
    )
    project = home / "claude/projects/-x"
    agents = project / CLAUDE / "subagents"
    agents.mkdir(parents=True)
    for path, id, extra in [
        (project / f"{CLAUDE}.jsonl", CLAUDE, {}),
        (project / f"{BY_HAND}.jsonl", BY_HAND, {}),
        (agents / "agent-abc.jsonl", CLAUDE, {"isSidechain": True, "agentId": "abc"}),
    ]:
        common = {"sessionId": id, "cwd": str(home), "timestamp": "2026-05-15T09:00:00Z", **extra}
        answer = {"id": "m1", "role": "assistant", "content": [{"type": "text", "text": "完了"}]}
        path.write_text(
            line(type="user", message={"role": "user", "content": "do it"}, **common)
            + line(type="assistant", message=answer, **common)
            + line(type="ai-title", aiTitle=f"Title of {id[:4]}", sessionId=id)
        )


def test_25_sessions_are_counted_named_and_linked(client: Client, old_site: Installation) -> None:
    home = old_site.data.parent
    owner = client.create({"title": "t", "prompt": "p", "runner": "claude-code", "workspace": str(home)})[
        "id"
    ]
    with closing(sqlite3.connect(home / "old.sqlite3", timeout=30)) as store, store:
        store.execute("UPDATE task SET runner_session_id = ? WHERE id = ?", (CLAUDE, owner))
    write_stores(home)

    def look() -> dict[str, Any] | None:
        answer = client.sessions()
        return answer if len(answer["sessions"]) == 5 else None

    found = wait_until(look, 20, what="five sessions", every=0.2)
    assert found is not None
    assert (found["codex_home"], found["claude_home"]) == (str(home / "codex"), str(home / "claude"))
    rows = {row["session_id"]: row for row in found["sessions"]}
    times = [row["updated_at"] for row in found["sessions"]]
    assert times == sorted(times, reverse=True)
    codex = rows[CODEX]
    assert (codex["source"], codex["title"], codex["message_count"]) == ("codex-jsonl", "Named", 2)
    assert codex["resume_command"] == f"codex resume --include-non-interactive {CODEX}"
    assert (codex["workspace"], codex["last_message"]) == ("/somewhere", "hi there")
    assert rows["index-only"]["source"] == "codex-session-index"
    mine = rows[CLAUDE]
    assert (mine["source"], mine["title"], mine["message_count"]) == (
        "claude-project-jsonl",
        "Title of 37c5",
        2,
    )
    assert (mine["resume_command"], mine["last_message"]) == (f"claude --resume {CLAUDE}", "完了")
    assert (mine["openruntime_task_id"], mine["managed_by_openruntime"]) == (owner, True)
    agent = rows["agent-abc"]
    assert (agent["source"], agent["resume_command"]) == ("claude-subagent-jsonl", None)
    by_hand = rows[BY_HAND]
    assert (by_hand["openruntime_task_id"], by_hand["managed_by_openruntime"]) == (None, False)
    attach = client.attach(owner)
    assert (attach["supported"], attach["command"]) == (True, f"claude --resume {CLAUDE}")
