"""The scenarios of the reference system's API, against a real server and a real worker.

KEEP: answered alike, where extra keys, events and runners are allowed. DIVERGE: answered better, as said in each test.
What concerns worktrees and landing stands in test_reference_landing.py.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import said
from tests.installation import OPEN, Installation
from tests.waiting import wait_until

NOBODY = "00000000-0000-4000-8000-000000000000"


def categories(task: dict[str, Any]) -> list[str | None]:
    return [(event["metadata"] or {}).get("category") for event in task["events"]]


def test_01_health(site: Installation) -> None:
    answer = site.request("GET", "/health", headers={"Authorization": ""})
    assert answer.status == 200
    assert (answer.body["status"], answer.body["storage"]) == ("ok", "sqlite")


def test_02_runners(site: Installation) -> None:
    found = site.get("/runners").body
    assert [runner["runner"] for runner in found[:3]] == ["codex", "claude-code", "shell"]
    assert [runner["available"] for runner in found[:3]] == [False, False, True]
    assert {"runner", "available", "command"} <= set(found[0])


def test_03_minimal_create(site: Installation, plain: Path) -> None:
    task = site.post(
        "/tasks",
        {"title": " t ", "prompt": "p", "runner": "shell", "command": " true ", "workspace": str(plain)},
    ).body
    assert (task["title"], task["command"], task["status"], task["budget_minutes"]) == (
        "t",
        "true",
        "queued",
        15,
    )
    assert (task["effective_policy"], task["attempts"], task["current_attempt"]) == (None, [], None)
    (event,) = task["events"]
    assert (event["kind"], event["metadata"], event["attempt_id"]) == ("lifecycle", None, None)
    assert not any(task["cost_ledger"].values())
    assert task["policy"]["blocked_commands"] == ["rm -rf", "sudo", "git push", "curl", "wget", "ssh", "scp"]
    assert (task["policy"]["network_mode"], task["policy"]["budget_cents"]) == ("disabled", None)


def test_04_validation_ladder(site: Installation) -> None:
    good = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}
    assert site.request("POST", "/tasks", b"", {"Content-Type": ""}).status == 415
    assert site.request("POST", "/tasks", b"{").status == 400
    for body, status, text in [
        ({}, 422, "title"),
        ({"title": "t", "prompt": "p", "runner": "gemini"}, 422, "gemini"),
        ({**good, "title": " "}, 400, "title"),
        ({**good, "workspace": "/nope"}, 400, "exist"),
        ({**good, "workspace": "/etc/passwd"}, 400, "directory"),
        ({**good, "command": None}, 400, "command"),
        ({**good, "runner": "codex", "prompt": " "}, 400, "goal"),
        ({**good, "budget_minutes": -1}, 422, "budget"),
        ({**good, "budget_minutes": 1.5}, 422, "budget"),
        ({**good, "policy": {"network_mode": "x"}}, 422, "network_mode"),
    ]:
        answer = site.post("/tasks", body)
        assert answer.status == status, body
        assert text in said(answer)


def test_05_budget_clamp(site: Installation, plain: Path) -> None:
    kept = [site.create("true", plain, budget_minutes=given)["budget_minutes"] for given in (0, 999, None)]
    assert kept == [1, 240, 15]


def test_06_workspace_resolution(site: Installation, plain: Path) -> None:
    link = plain.parent / "link"
    link.symlink_to(plain)
    here = str(site.home.resolve())
    for given, kept in ((None, here), ("", here), (str(link), str(plain.resolve()))):
        body = {"title": "t", "prompt": "", "runner": "shell", "command": "true", "workspace": given}
        assert site.post("/tasks", body).body["workspace"] == kept
    body = {"title": "t", "prompt": "", "runner": "shell", "command": "true", "workspace": "~"}
    assert site.post("/tasks", body).status == 400


def test_07_an_agents_command_is_a_display_string(site: Installation) -> None:
    for runner, beginning in (("codex", "codex exec --json"), ("claude-code", "claude -p")):
        answer = site.post(
            "/tasks", {"title": "t", "prompt": "hello", "runner": runner, "command": "ignored"}
        )
        assert answer.status == 200
        assert answer.body["command"].startswith(beginning)
        assert "<goal>" in answer.body["command"]


def test_08_policy_refusal_at_create_leaves_no_task(site: Installation, plain: Path) -> None:
    before = [task["id"] for task in site.get("/tasks?events=0&limit=500").body]
    base = {"title": "t", "prompt": "", "runner": "shell", "workspace": str(plain)}
    for command, policy, text in [
        ("curl x", None, "curl"),
        ("curl x", {"blocked_commands": []}, "network"),
        ("git commit", None, "git"),
        ("cat .env", None, "secret"),
        ("true", {"allowed_workspaces": ["/srv"]}, "allowlist"),
    ]:
        answer = site.post("/tasks", {**base, "command": command, "policy": policy})
        assert (answer.status, text in said(answer)) == (403, True), command
    assert [task["id"] for task in site.get("/tasks?events=0&limit=500").body] == before


def test_09_innocent_prompts_pass(site: Installation) -> None:
    body = {"title": "t", "prompt": "Make the handler async and test it", "runner": "codex"}
    assert site.post("/tasks", body).status == 200


def test_10_path_errors(site: Installation) -> None:
    malformed = site.get("/tasks/xyz")
    assert (malformed.status, "id" in said(malformed)) == (400, True)
    for answer in (
        site.get(f"/tasks/{NOBODY}"),
        site.get(f"/tasks/{NOBODY}/events"),
        site.get(f"/tasks/{NOBODY}/runner/logs"),
        site.post(f"/tasks/{NOBODY}/runner/attach"),
        site.post(f"/tasks/{NOBODY}/approve", {}),
    ):
        assert (answer.status, "not found" in said(answer)) == (404, True)


def test_11_unknown_tasks_are_404_on_every_verb(site: Installation) -> None:
    assert site.get(f"/tasks/{NOBODY}/diff").status == 404
    assert site.post(f"/tasks/{NOBODY}/reply", {"message": "x"}).status == 404
    for verb in ("start", "stop", "worktree/merge", "worktree/cleanup", "worktree/preview"):
        assert site.post(f"/tasks/{NOBODY}/{verb}").status == 404


def test_12_run_to_completion_in_a_plain_folder(site: Installation, plain: Path) -> None:
    task = site.create("echo hi", plain)
    started = site.post(f"/tasks/{task['id']}/start")
    assert (started.status, started.body["status"]) == (200, "running")
    done = site.until(task["id"], "completed")
    events = done["events"]
    places = {}
    for name, found in {
        "isolation": lambda event: "without worktree isolation" in event["message"],
        "starting": lambda event: event["message"].startswith("Starting "),
        "output": lambda event: event["kind"] == "stdout",
        "completed": lambda event: (event["metadata"] or {}).get("category") == "attempt-completed",
    }.items():
        places[name] = next(number for number, event in enumerate(events) if found(event))
    assert list(places.values()) == sorted(places.values())
    starting, output, completed = (events[places[name]] for name in ("starting", "output", "completed"))
    assert (starting["kind"], starting["metadata"]["category"]) == ("lifecycle", "attempt-started")
    assert starting["metadata"]["attempt_number"] == 1
    assert output["message"] == "hi"
    assert output["metadata"]["category"] == "runner-output"
    assert (output["metadata"]["stream"], output["metadata"]["event_type"]) == ("stdout", "plain")
    assert completed["metadata"]["exit_status"] == "exit status: 0"
    assert completed["metadata"]["has_changes"] is False
    assert [event for event in events if event["kind"] == "lifecycle"][-1] == completed
    assert (done["attempts"][0]["status"], done["attempts"][0]["exit_status"]) == (
        "completed",
        "exit status: 0",
    )
    assert done["attempts"][0]["finished_at"]
    assert done["effective_policy"] == done["policy"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_13_failure(site: Installation, plain: Path) -> None:
    done = site.until(site.run("exit 2", plain), "failed")
    assert done["current_attempt"]["exit_status"] == "exit status: 2"
    assert [name for name in categories(done) if name][-1] == "attempt-failed"


def test_14_a_second_start_is_a_conflict_and_of_many_one_wins(site: Installation, plain: Path) -> None:
    id = site.run("sleep 5", plain)
    again = site.post(f"/tasks/{id}/start")
    assert (again.status, "already running" in said(again)) == (409, True)
    site.post(f"/tasks/{id}/stop")
    other = site.create("sleep 5", plain)["id"]
    found: list[int] = []

    def start() -> None:
        found.append(site.post(f"/tasks/{other}/start").status)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] + [409] * 7
    assert len(site.task(other)["attempts"]) == 1
    site.post(f"/tasks/{other}/stop")
    site.until(other, "stopped")


def test_15_approval_gate(site: Installation, plain: Path) -> None:
    task = site.create("true", plain, policy={"require_approval": True})
    path = f"/tasks/{task['id']}"
    refused = site.post(f"{path}/start")
    assert (refused.status, "approval" in said(refused)) == (412, True)
    waiting = site.task(task["id"])
    assert (waiting["status"], waiting["attempts"]) == ("needs-input", [])
    assert waiting["effective_policy"] is not None
    assert "error" in [event["kind"] for event in waiting["events"]]
    assert site.request("POST", f"{path}/approve", b"", {"Content-Type": ""}).status == 415
    approved = site.post(f"{path}/approve", {"start": False, "note": " ok "})
    assert (approved.status, approved.body["status"]) == (200, "needs-input")
    assert approved.body["approved_at"]
    (said_so,) = (event for event in approved.body["events"] if event["kind"] == "input")
    assert said_so["message"].endswith(": ok")
    started = site.post(f"{path}/approve", {})
    assert (started.status, started.body["status"]) == (200, "running")
    site.until(task["id"], "completed")


def test_16_approving_a_finished_task_is_a_conflict(site: Installation, plain: Path) -> None:
    done = site.until(site.run("true", plain), "completed")
    assert site.post(f"/tasks/{done['id']}/approve", {}).status == 409
    assert len(site.task(done["id"])["attempts"]) == 1


def test_17_shell_reply_over_stdin(site: Installation, plain: Path) -> None:
    id = site.run("read x; echo got $x", plain)
    answer = site.post(f"/tasks/{id}/reply", {"message": " yes "})
    assert answer.status == 200
    done = site.until(id, "completed")
    assert "got yes" in [event["message"] for event in done["events"] if event["kind"] == "stdout"]
    (given,) = (event for event in done["events"] if event["kind"] == "input")
    assert given["metadata"]["delivery"] == "stdin"
    assert site.post(f"/tasks/{NOBODY}/reply", {"message": "  "}).status == 400
    assert site.post(f"/tasks/{id}/reply", {"message": "late"}).status == 409


def test_18_needs_input_and_back(site: Installation, plain: Path) -> None:
    id = site.run("echo 'waiting for input'; read x; echo done", plain)
    waiting = site.until(id, "needs-input")
    assert waiting["current_attempt"]["status"] == "needs-input"
    (asked,) = (
        event for event in waiting["events"] if (event["metadata"] or {}).get("category") == "needs-input"
    )
    assert asked["kind"] == "lifecycle"
    assert asked["metadata"]["source"] == "shell"
    assert asked["metadata"]["reason"]
    answer = site.post(f"/tasks/{id}/reply", {"message": "go"})
    assert (answer.status, answer.body["status"]) == (200, "running")
    done = site.until(id, "completed")
    assert "needs-input" in [(event["metadata"] or {}).get("clears_status") for event in done["events"]]


def test_19_stop(site: Installation, plain: Path) -> None:
    id = site.run("sleep 60 & sleep 61", plain)
    answer = site.post(f"/tasks/{id}/stop")
    assert (answer.status, answer.body["status"]) == (200, "stopped")
    done = site.until(id, "stopped")
    assert (done["current_attempt"]["status"], done["current_attempt"]["exit_status"]) == ("stopped", None)
    (stopped,) = (
        event for event in done["events"] if (event["metadata"] or {}).get("category") == "attempt-stopped"
    )
    assert stopped["metadata"]["reason"] == "user"
    assert site.post(f"/tasks/{id}/stop").status == 200
    ended = site.until(site.run("true", plain), "completed")
    assert site.post(f"/tasks/{ended['id']}/stop").status == 409


def test_20_attach_and_logs(site: Installation, plain: Path) -> None:
    id = site.until(site.run("echo out; echo err >&2", plain), "completed")["id"]
    attach = site.post(f"/tasks/{id}/runner/attach").body
    assert (attach["supported"], attach["command"]) == (False, None)
    logs = site.get(f"/tasks/{id}/runner/logs").body
    assert {"task_id", "runner", "session_id", "events", "message"} <= set(logs)
    kinds = [event["kind"] for event in logs["events"]]
    assert {"stdout", "stderr"} <= set(kinds) <= {"stdout", "stderr", "lifecycle"}


def test_24_workspaces(site: Installation, plain: Path) -> None:
    registered = site.post("/workspaces/register", {"path": str(plain)})
    assert registered.status == 200
    assert {"name": "plain", "path": str(plain.resolve())}.items() <= registered.body.items()
    listed = [item["path"] for item in site.get("/workspaces").body]
    assert listed[0] == str(site.home.resolve())
    assert listed.count(str(plain.resolve())) == 1
    for body, status in (({"path": "/nope"}, 400), ({"path": "/"}, 400), ({}, 422)):
        assert site.post("/workspaces/register", body).status == status
    picked = site.post("/workspaces/pick")
    assert (picked.status, "/workspaces/browse?path=" in picked.body["detail"]) == (501, True)
    browsed = site.get(f"/workspaces/browse?path={plain.parent}").body
    assert "plain" in [item["name"] for item in browsed["directories"]]


def test_26_a_foreign_page_may_not_even_ask(site: Installation) -> None:
    headers = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = site.request("OPTIONS", "/tasks", headers=headers)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_27_another_host_name_is_not_answered(site: Installation) -> None:
    assert site.request("GET", "/health", headers={"Host": "evil.example"}).status == 421


def test_a_cat_ends_when_its_input_is_closed(site: Installation, plain: Path) -> None:
    id = site.run("cat", plain)
    site.post(f"/tasks/{id}/reply", {"message": "line"})
    assert site.post(f"/tasks/{id}/input/close").status == 200
    assert site.until(id, "completed")
    assert site.output(id) == ["line"]


def test_an_open_policy_is_what_it_says(site: Installation, plain: Path) -> None:
    assert OPEN.items() <= site.create("true", plain)["policy"].items()


def test_a_status_that_says_ended_means_that_all_output_is_stored(site: Installation, plain: Path) -> None:
    id = site.run("seq 1 3000", plain)
    site.until(id, "completed")
    assert site.output(id) == [str(number) for number in range(1, 3001)]


def test_a_start_is_quick(site: Installation, plain: Path) -> None:
    began = time.monotonic()
    id = site.run("true", plain)
    assert time.monotonic() - began < 2
    wait_until(lambda: site.task(id)["status"] == "completed")
