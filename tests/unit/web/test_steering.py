"""Start, stop, reply, approve and the rest: what is answered when, with the test as worker."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from shared import approvals, attempts, commands, fleet
from shared.approvals import Question
from shared.attempts import Ending
from shared.commands import CommandKind, State
from shared.lifecycle import Status
from shared.store.database import transaction
from shared.store.models import Attempt, Command, Task
from tests.unit.web.conftest import Api, PlayedWorker
from tests.waiting import wait_until

OPEN = {"allow_network": True, "allow_git_write": True, "allow_secrets": True, "blocked_commands": []}


def finish(attempt: Attempt, status: Status = Status.COMPLETED) -> None:
    attempts.finish(attempts.reload(attempt), Ending(status, exit_code=0, exit_status="exit status: 0"))


def test_without_a_worker_a_start_is_queued_at_once(api: Api) -> None:
    task = api.new()
    began = time.monotonic()
    answer = api.post(f"/tasks/{task['id']}/start")
    assert time.monotonic() - began < 1
    assert (answer.status_code, answer.json["status"]) == (202, "queued")
    assert answer.json["pending_command"]["kind"] == "start"
    assert answer.json["pending_command"]["id"] == answer.json["attempts"][0]["id"]
    assert answer.json["queue_position"] == 1
    seen = api.get(f"/tasks/{task['id']}").json
    assert seen["pending_command"] == answer.json["pending_command"]


def test_a_start_reports_running_even_when_the_attempt_has_ended_meanwhile(
    api: Api, worker: PlayedWorker
) -> None:
    worker.begun = finish
    task = api.new()
    answer = api.post(f"/tasks/{task['id']}/start")
    assert (answer.status_code, answer.json["status"], answer.json["pending_command"]) == (
        200,
        "running",
        None,
    )
    wait_until(lambda: api.get(f"/tasks/{task['id']}").json["status"] == "completed")


def test_a_start_does_not_wait_where_every_slot_is_taken(api: Api, worker: PlayedWorker) -> None:
    for _ in range(8):
        assert api.post(f"/tasks/{api.new()['id']}/start").status_code == 200
    began = time.monotonic()
    answer = api.post(f"/tasks/{api.new()['id']}/start")
    assert time.monotonic() - began < 1
    assert (answer.status_code, answer.json["status"]) == (202, "queued")


def test_of_many_starts_at_once_exactly_one_wins(api: Api, worker: PlayedWorker) -> None:
    task = api.new()
    found: list[int] = []

    def start() -> None:
        found.append(api.post(f"/tasks/{task['id']}/start").status_code)

    threads = [threading.Thread(target=start) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] + [409] * 11
    assert Attempt.select().count() == 1


def test_queue_places_follow_priority_then_age(api: Api) -> None:
    ids = [api.new(priority=priority)["id"] for priority in (0, 5, 0)]
    for id in ids:
        api.post(f"/tasks/{id}/start")
    places = {task["id"]: task["queue_position"] for task in api.get("/tasks").json}
    assert [places[id] for id in ids] == [2, 1, 3]


def test_the_approval_gate(api: Api, worker: PlayedWorker) -> None:
    path = f"/tasks/{api.new(policy={'require_approval': True})['id']}"
    refused = api.post(f"{path}/start")
    assert refused.status_code == 412
    assert "approval" in refused.json["detail"]
    waiting = api.get(path).json
    assert (waiting["status"], waiting["attempts"], waiting["attention"]) == ("needs-input", [], "approval")
    assert waiting["effective_policy"]["require_approval"]
    assert waiting["events"][-1]["kind"] == "error"
    assert api("POST", f"{path}/approve").status_code == 415
    approved = api.post(f"{path}/approve", {"start": False, "note": " ok "})
    assert (approved.status_code, approved.json["status"]) == (200, "needs-input")
    assert approved.json["approved_at"]
    assert approved.json["events"][-1]["kind"] == "input"
    assert approved.json["events"][-1]["message"].endswith(": ok")
    started = api.post(f"{path}/approve", {})
    assert (started.status_code, started.json["status"]) == (200, "running")
    wait_until(lambda: worker.claimed)
    finish(worker.claimed[0])
    assert api.post(f"{path}/approve", {}).status_code == 409
    assert Attempt.select().count() == 1


def test_a_stop_before_the_start_prevents_it(api: Api) -> None:
    path = f"/tasks/{api.new()['id']}"
    assert api.post(f"{path}/stop").json["status"] == "stopped"
    again = api.post(f"{path}/stop")
    assert (again.status_code, again.json["status"]) == (200, "stopped")


def test_a_stop_reports_stopped_once_the_attempt_has_ended(
    api: Api, worker: PlayedWorker, running: dict[str, Any]
) -> None:
    def end(command: Command) -> tuple[str, dict[str, Any]]:
        finish(worker.claimed[0], Status.STOPPED)
        return "left", {}

    worker.answer = end
    answer = api.post(f"/tasks/{running['id']}/stop")
    assert (answer.status_code, answer.json["status"]) == (200, "stopped")
    assert answer.json["current_attempt"]["status"] == "stopped"


def test_a_stop_of_a_finished_task_is_a_conflict(
    api: Api, worker: PlayedWorker, running: dict[str, Any]
) -> None:
    finish(worker.claimed[0])
    assert api.post(f"/tasks/{running['id']}/stop").status_code == 409


def test_a_slow_effect_answers_202_with_what_is_pending(
    api: Api, worker: PlayedWorker, running: dict[str, Any]
) -> None:
    worker.answer = lambda command: ("left", {})
    began = time.monotonic()
    answer = api.post(f"/tasks/{running['id']}/interrupt")
    assert 1.9 < time.monotonic() - began < 4
    assert answer.status_code == 202
    assert answer.json["pending_command"]["kind"] == "interrupt"
    assert api.get(f"/tasks/{running['id']}").json["pending_command"] == answer.json["pending_command"]


def test_a_reply_to_a_live_agent_answers_running_and_how_it_went(
    api: Api, worker: PlayedWorker, running: dict[str, Any]
) -> None:
    got: list[dict[str, Any]] = []

    def deliver(command: Command) -> tuple[str, dict[str, Any]]:
        got.append(command.body)
        commands.finish(command.id, State.APPLIED, {"delivery": "stdin"})
        finish(worker.claimed[0])
        return "left", {}

    worker.answer = deliver
    answer = api.post(f"/tasks/{running['id']}/reply", {"message": " yes ", "mode": "steer"})
    assert (answer.status_code, answer.json["status"], answer.json["delivery"]) == (200, "running", "stdin")
    assert got == [{"message": "yes", "mode": "steer"}]
    late = api.post(f"/tasks/{running['id']}/reply", {"message": "more"})
    assert late.status_code == 409


def test_a_blank_reply_is_refused_before_the_task_is_looked_for(api: Api) -> None:
    path = "/tasks/00000000-0000-4000-8000-000000000000/reply"
    assert api.post(path, {"message": "  "}).status_code == 400
    assert api.post(path, {"message": "x"}).status_code == 404
    assert api.post(path, {}).json["field"] == "message"
    assert api.post(path, {"message": "x", "mode": "later"}).status_code == 422


def test_a_reply_to_an_ended_session_resumes_it_in_a_new_attempt(api: Api, worker: PlayedWorker) -> None:
    fleet.publish_runners([fleet.RunnerState("codex", True, "codex")])
    task = api.new(runner="codex", prompt="go")
    assert api.post(f"/tasks/{task['id']}/reply", {"message": "x"}).status_code == 409
    with transaction():
        Task.update(runner_session_id="s-1", status=Status.COMPLETED).execute()
    answer = api.post(f"/tasks/{task['id']}/reply", {"message": "go on"})
    assert (answer.status_code, answer.json["status"]) == (200, "running")
    wait_until(lambda: worker.claimed)
    assert (worker.claimed[0].resume, worker.claimed[0].message) == (True, "go on")


@pytest.mark.parametrize("verb", ["interrupt", "input/close"])
def test_steering_needs_a_live_attempt_and_passes_the_workers_refusal_on(
    api: Api, worker: PlayedWorker, verb: str
) -> None:
    path = f"/tasks/{api.new()['id']}"
    assert api.post(f"{path}/{verb}").status_code == 409
    api.post(f"{path}/start")
    problem = {"status": 409, "slug": "conflict", "title": "Wrong state", "detail": "One shot.", "more": [1]}
    worker.answer = lambda command: ("refused", problem)
    answer = api.post(f"{path}/{verb}")
    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    assert answer.json == problem
    worker.answer = lambda command: ("applied", {})
    assert api.post(f"{path}/{verb}").json["status"] == "running"
    worker.answer = lambda command: ("expired", {"detail": "The attempt ended before this arrived."})
    assert api.post(f"{path}/{verb}").json["slug"] == "conflict"


def test_an_agents_question_is_answered_once(api: Api, worker: PlayedWorker, running: dict[str, Any]) -> None:
    attempt = worker.claimed[0]
    with transaction():
        row = approvals.ask(
            attempt.id, attempt.task_id, Question("r1", "Bash", "run it", command="make", risk=("network",))
        )
        Task.update(status=Status.NEEDS_INPUT).execute()
    assert api.get(f"/tasks/{running['id']}").json["attention"] == "approval"
    path = f"/tasks/{running['id']}/approvals"
    listed = api.get(path).json
    assert set(listed[0]) == set(
        "id task_id attempt_id status tool title command input cwd risk rule choices scope note decided_by"
        " created_at decided_at delivered_at confirmed_at expires_at updated_input tool_use_id task_rule".split()
    )
    assert (listed[0]["status"], listed[0]["task_id"], listed[0]["risk"]) == (
        "pending",
        running["id"],
        ["network"],
    )
    assert api.post(f"{path}/{row.id}", {"decision": "maybe"}).status_code == 422
    assert api.post(f"{path}/nope", {"decision": "allow"}).status_code == 404
    masked = {"decision": "allow", "updated_input": {"command": "[redacted]"}}
    assert api.post(f"{path}/{row.id}", masked).status_code == 422
    decided = api.post(f"{path}/{row.id}", {"decision": "deny", "scope": "task", "note": "no"})
    assert decided.status_code == 200
    assert (decided.json["status"], decided.json["scope"], decided.json["note"]) == ("denied", "task", "no")
    assert api.post(f"{path}/{row.id}", {"decision": "allow"}).status_code == 409
    assert api.get(f"{path}?status=pending").json == []
    assert Command.select().where(Command.kind == CommandKind.DECIDE).count() == 1
