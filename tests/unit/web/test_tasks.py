"""Creating and listing tasks."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from shared import timeline
from shared.events import Draft, Kind
from shared.store.database import transaction
from shared.store.models import Task
from tests.unit.web.conftest import Api

REFERENCE_FIELDS = """id title prompt runner command workspace worktree_path execution_workspace runner_session_id
base_commit diff_stat approved_at worktree_merged_at worktree_cleaned_at status budget_minutes policy effective_policy
cost_ledger created_at updated_at events attempts current_attempt""".split()
OUR_FIELDS = """policy_report preset priority labels branch target_branch attention queue_position event_count stop_reason
pending_command""".split()


def test_a_minimal_task_gets_the_reference_systems_defaults(api: Api, tmp_path: Path) -> None:
    task = api.new(title=" t ", command=" true ", workspace=str(tmp_path))
    assert set(REFERENCE_FIELDS + OUR_FIELDS) <= set(task)
    assert (task["title"], task["command"], task["status"]) == ("t", "true", "queued")
    assert (task["budget_minutes"], task["effective_policy"], task["attempts"]) == (15, None, [])
    assert (task["current_attempt"], task["preset"]) == (None, "default")
    assert [
        (event["kind"], event["metadata"], event["attempt_id"], event["seq"]) for event in task["events"]
    ] == [("lifecycle", None, None, 1)]
    assert set(task["events"][0]) == {
        "id", "task_id", "attempt_id", "kind", "message", "metadata", "created_at", "seq",
    }  # fmt: skip
    assert not any(task["cost_ledger"].values())
    assert task["policy"]["blocked_commands"] == ["rm -rf", "sudo", "git push", "curl", "wget", "ssh", "scp"]
    assert (task["policy"]["network_mode"], task["policy"]["budget_cents"]) == ("disabled", None)
    assert task["created_at"].endswith("Z")


BASE = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}
LADDER: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({}, 422, "title", "title"),
    ({**BASE, "runner": "gemini"}, 422, "gemini", "runner"),
    ({**BASE, "title": "", "runner": "gemini"}, 422, "gemini", "runner"),
    ({**BASE, "title": "  "}, 400, "title", None),
    ({**BASE, "workspace": "/nope"}, 400, "exist", None),
    ({**BASE, "workspace": "/etc/passwd"}, 400, "directory", None),
    ({**BASE, "workspace": "~"}, 400, "exist", None),
    ({**BASE, "workspace": "/" + "x" * 300}, 400, "cannot be used", None),
    ({**BASE, "workspace": "/a\0b"}, 400, "nul", None),
    ({**BASE, "command": None}, 400, "command", None),
    ({**BASE, "command": "a\0b"}, 400, "nul", None),
    ({**BASE, "policy": {"network_hosts": ["*"]}}, 422, "is no host", "policy.network_hosts.0"),
    ({**BASE, "policy": {"network_hosts": ["https://a.example"]}}, 422, "port", "policy.network_hosts.0"),
    ({**BASE, "policy": {"network_hosts": ["localhost"]}}, 422, "localhost:5432", "policy.network_hosts.0"),
    ({**BASE, "runner": "codex", "prompt": " "}, 400, "goal", None),
    ({**BASE, "budget_minutes": -1}, 422, "budget_minutes", "budget_minutes"),
    ({**BASE, "budget_minutes": 1.5}, 422, "budget_minutes", "budget_minutes"),
    ({**BASE, "budget_minutes": "5"}, 422, "budget_minutes", "budget_minutes"),
    ({**BASE, "budget_minutes": True}, 422, "budget_minutes", "budget_minutes"),
    ({**BASE, "budget_minutes": 2**32}, 422, "budget_minutes", "budget_minutes"),
    ({**BASE, "prompt": None}, 422, "prompt", "prompt"),
    ({**BASE, "policy": {"network_mode": "x"}}, 422, "network_mode", "policy.network_mode"),
    ({**BASE, "policy": {"allow_network": None}}, 422, "allow_network", "policy.allow_network"),
    ({**BASE, "policy": {"blocked_commands": None}}, 422, "blocked_commands", "policy.blocked_commands"),
    ({**BASE, "policy": {"allow_network": 1}}, 422, "allow_network", "policy.allow_network"),
    ({**BASE, "policy": {"max_runtime_minutes": 0}}, 422, "max_runtime", "policy.max_runtime_minutes"),
    ({**BASE, "policy": {"tool_rules": [{"tool": "*"}]}}, 422, "action", "policy.tool_rules.0.action"),
    (
        {**BASE, "policy": {"allowed_workspaces": ["~nobody-here"]}},
        422,
        "allowed_workspaces",
        "allowed_workspaces",
    ),
    ({**BASE, "policy": {"allowed_workspaces": ["/srv"]}}, 403, "allowlist", None),
    ({**BASE, "preset": "x"}, 422, "preset", "preset"),
    ({**BASE, "priority": 10**6}, 422, "priority", "priority"),
    ({**BASE, "labels": ["x"] * 21}, 422, "labels", "labels"),
    ({**BASE, "env": ["A-B"]}, 422, "environment variable", "env.0"),
    ({**BASE, "env": ["LD_PRELOAD"]}, 422, "granted", "env.0"),
    ({**BASE, "depends_on": ["xyz"]}, 422, "depends_on", "depends_on"),
    ({**BASE, "depends_on": ["00000000-0000-4000-8000-000000000000"]}, 404, "not found", None),
    ({**BASE, "target_branch": "--upload-pack=x"}, 400, "branch", None),
    ({**BASE, "prompt": "é" + "x" * 2**20}, 422, "bytes", "prompt"),
]


@pytest.mark.parametrize(("body", "status", "said", "field"), LADDER)
def test_bad_input_says_what_is_wrong_and_leaves_no_task(
    api: Api, body: dict[str, Any], status: int, said: str, field: str | None
) -> None:
    answer = api.post("/tasks", body)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert {"title", "status", "detail", "slug"} <= set(answer.json)
    assert said in answer.json["detail"].lower()
    assert answer.json.get("field") == field
    assert api.get("/tasks").json == []


@pytest.mark.parametrize(("given", "kept"), [(0, 1), (999, 240), (None, 15), (7, 7)])
def test_the_budget_is_clamped(api: Api, given: int | None, kept: int) -> None:
    assert api.new(budget_minutes=given)["budget_minutes"] == kept


@pytest.mark.parametrize("given", [None, "", "."])
def test_no_workspace_means_the_servers_folder(api: Api, tmp_path: Path, given: str | None) -> None:
    assert api.new(workspace=given)["workspace"] == str(tmp_path.resolve())


def test_a_symlinked_workspace_is_its_real_folder(api: Api, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert api.new(workspace="link")["workspace"] == str((tmp_path / "real").resolve())


def test_an_agents_command_is_a_display_string(api: Api) -> None:
    codex = api.new(runner="codex", prompt="hello", command="ignored")["command"]
    claude = api.new(runner="claude-code", prompt="hello")["command"]
    assert codex.startswith("codex exec --json")
    assert "<goal>" in codex
    assert claude.startswith("claude -p")
    assert "<goal>" in claude


@pytest.mark.parametrize(
    ("command", "policy", "said"),
    [
        ("curl x", None, "curl"),
        ("curl x", {"blocked_commands": []}, "network"),
        ("git commit", None, "git"),
        ("cat .env", None, "secret"),
        ("true", {"allowed_workspaces": ["/srv"]}, "allowlist"),
    ],
)
def test_a_policy_refusal_leaves_no_task(api: Api, command: str, policy: Any, said: str) -> None:
    answer = api.post("/tasks", {**BASE, "command": command, "policy": policy})
    assert (answer.status_code, answer.json["slug"]) == (403, "policy-violation")
    assert said in answer.json["detail"].lower()
    assert api.get("/tasks").json == []


def test_an_innocent_prompt_is_never_refused(api: Api) -> None:
    assert api.new(runner="codex", prompt="Make the handler async and test it")["status"] == "queued"


def test_preset_keys_are_overridden_by_the_policys(api: Api) -> None:
    task = api.new(preset="full-access", policy={"require_approval": True})
    assert (task["policy"]["allow_network"], task["policy"]["require_approval"]) == (True, True)
    assert task["preset"] == "custom"


def test_the_same_idempotency_key_gives_the_same_task(api: Api) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = api.post("/tasks", BASE, headers=headers)
    again = api.post("/tasks", dict(reversed(list(BASE.items()))), headers=headers)
    other = api.post("/tasks", {**BASE, "title": "other"}, headers=headers)
    assert first.json["id"] == again.json["id"]
    assert other.status_code == 409
    assert len(api.get("/tasks").json) == 1
    assert api.post("/tasks", BASE, headers={"Idempotency-Key": "a b"}).status_code == 400


def test_equal_requests_at_once_with_one_key_make_one_task(api: Api) -> None:
    found: list[str] = []

    def create() -> None:
        found.append(api.post("/tasks", BASE, headers={"Idempotency-Key": "k"}).json["id"])

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_the_list_is_by_last_change_and_pages_without_loss(api: Api) -> None:
    ids = [api.new(title=f"t{n}")["id"] for n in range(7)]
    seen, path = [], "/tasks?limit=3&events=0"
    while path:
        answer = api.get(path)
        seen += [task["id"] for task in answer.json]
        link = answer.headers.get("Link", "")
        path = link.partition("<")[2].partition(">")[0]
        assert not link or link.endswith('rel="next"')
    assert seen == ids[::-1]


def test_the_list_is_filtered(api: Api, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    one = api.new(title="100% of_it", workspace="w")
    two = api.new(title="other", runner="codex")

    def found(query: str) -> list[str]:
        return [task["id"] for task in api.get(f"/tasks?{query}").json]

    assert found("q=100%25 of_") == [one["id"]]
    assert found("q=%25%25") == []
    assert found(f"q={two['id'][:8]}") == [two["id"]]
    assert found("runner=codex") == [two["id"]]
    assert found(f"workspace={tmp_path / 'w'}") == [one["id"]]
    assert found("status=queued,failed") == [two["id"], one["id"]]
    assert found("status=failed") == []
    assert api.get("/tasks?status=nonsense").status_code == 400
    assert api.get("/tasks?cursor=nonsense").status_code == 400
    assert api.get("/tasks?limit=0").status_code == 422
    assert api.get("/tasks?events=x").status_code == 422


def add_events(task_id: str, count: int, text: str = "line") -> None:
    with transaction():
        number = Task.get(Task.id == task_id).number
        timeline.append(number, [Draft(Kind.STDOUT, f"{text} {n}") for n in range(count)])


def test_a_list_carries_the_newest_events_of_each_task(api: Api) -> None:
    task = api.new()
    add_events(task["id"], 600)
    assert [event["seq"] for event in api.get("/tasks?events=3").json[0]["events"]] == [599, 600, 601]
    assert len(api.get("/tasks").json[0]["events"]) == 20
    assert len(api.get("/tasks?events=all").json[0]["events"]) == 601
    one = api.get(f"/tasks/{task['id']}").json
    assert (len(one["events"]), one["event_count"], one["events_truncated"]) == (500, 601, True)
    assert one["events"][-1]["seq"] == 601


def test_a_list_never_grows_beyond_its_bound(api: Api) -> None:
    for _ in range(3):
        add_events(api.new(prompt="x" * 500_000)["id"], 100, "y" * 50_000)
    answer = api.get("/tasks?events=all")
    assert len(answer.data) < 9 * 2**20
    whole, cut, *_ = answer.json
    assert (whole["events_truncated"], len(whole["events"])) == (False, 101)
    assert cut["events_truncated"]
    assert cut["events"][-1]["seq"] == 101


def test_text_survives_as_it_was_written(api: Api) -> None:
    text = 'é"\\ \u2028 😀 </script> \t'
    task = api.new(prompt=text.strip() + "\0end", title="x" + text + "x")
    found = api.get(f"/tasks/{task['id']}").json
    assert found["title"] == "x" + text + "x"
    assert found["prompt"] == text.strip() + "\0end"
    add_events(task["id"], 1, text)
    assert json.loads(api.get(f"/tasks/{task['id']}/events").data)[-1]["message"] == f"{text} 0"


@pytest.mark.parametrize("path", ["", "/events", "/runner/logs", "/diff", "/approvals"])
def test_unknown_and_malformed_ids_are_told_apart(api: Api, path: str) -> None:
    malformed = api.get(f"/tasks/xyz{path}")
    unknown = api.get(f"/tasks/00000000-0000-4000-8000-000000000000{path}")
    assert (malformed.status_code, unknown.status_code) == (400, 404)
    assert "id" in malformed.json["detail"]
    assert "not found" in unknown.json["detail"].lower()


@pytest.mark.parametrize(
    "path",
    "start stop interrupt input/close runner/attach worktree/preview worktree/merge worktree/cleanup".split(),
)
def test_every_verb_on_an_unknown_task_is_404(api: Api, path: str) -> None:
    assert api.post(f"/tasks/00000000-0000-4000-8000-000000000000/{path}").status_code == 404
    assert api.post(f"/tasks/xyz/{path}").status_code == 400
