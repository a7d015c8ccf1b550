"""S24: what a person looked at is what they decide on; anything that moved since is 409 and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from shared import approvals, attempts, creation, tasks
from shared.approvals import Question
from shared.commands import CommandKind
from shared.errors import Conflict
from shared.lifecycle import Status
from shared.store.database import raw, transaction
from shared.store.models import Approval, Attempt
from tests.integration.landing.conftest import Landing
from tests.integration.landing.conftest import site as landing
from tests.unit.web.conftest import Api, PlayedWorker

__all__ = ["landing"]

#: What happens between the look and the click, and which of the two that were looked at it moves.
MOVES = {
    "the agent goes on": ("head", "echo later > later.txt"),
    "the agent takes its work back": ("head", "git checkout -q .; rm -f new.txt; echo other > other.txt"),
    "the agent changes a mode": ("head", "chmod +x new.txt"),
    "the agent renames a file": ("head", "mv new.txt newer.txt"),
    "a commit on the target": ("target", "git commit -q --allow-empty -m more"),
    "the target is reset": ("target", "git commit -q --allow-empty -m more; git reset -q --hard HEAD~1; git commit -q --allow-empty -m x"),
    "the target is amended": ("target", "git commit -q --amend --allow-empty -m other"),
}  # fmt: skip


@pytest.mark.parametrize("strategy", ["squash", "apply"])
def test_only_what_was_shown_lands(landing: Landing, strategy: str) -> None:
    every = 1 if strategy == "squash" else 4
    for name, (what, script) in list(MOVES.items())[::every]:
        task = landing.task("echo new > new.txt")
        shown = landing.done(task, CommandKind.PREVIEW, strategy=strategy)
        seen = {"head_oid": shown["head_oid"], "target_oid": shown["target_oid"], "strategy": strategy}
        if what == "head":
            task = landing.again(task, script)
        else:
            landing.sh(script)
        told = landing.refused(task, CommandKind.MERGE, **seen)
        assert told["status"] == 409, name
        landing.done(task, CommandKind.CLEANUP, force=True)
    task = landing.task("echo new > new.txt")
    shown = landing.done(task, CommandKind.PREVIEW, strategy=strategy)
    landing.done(
        task,
        CommandKind.MERGE,
        head_oid=shown["head_oid"],
        target_oid=shown["target_oid"],
        strategy=strategy,
    )


def test_made_up_objects_are_not_what_was_shown(landing: Landing) -> None:
    task = landing.task("echo new > new.txt")
    for oid in ("0" * 40, "f" * 40, landing.sh("git rev-parse HEAD").strip()):
        assert landing.refused(task, CommandKind.MERGE, head_oid=oid)["status"] == 409
    for oid in ("0" * 40, "f" * 40):
        assert landing.refused(task, CommandKind.MERGE, target_oid=oid)["status"] == 409


def asked(api: Api, worker: PlayedWorker) -> tuple[dict[str, Any], list[str]]:
    """A running task with two questions of its agent."""
    task = api.new()
    api.post(f"/tasks/{task['id']}/start")
    row = tasks.get(task["id"])
    with transaction():
        for number in range(2):
            question = Question(f"r{number}", "Bash", "wants to run", "ls", {"command": "ls"}, "/x", ())
            approvals.ask(row.live_attempt, row.number, question)
    return task, [found.id for found in Approval.select().order_by(Approval.request)]


def test_a_question_is_decided_once_and_only_its_own(api: Api, worker: PlayedWorker) -> None:
    task, (first, second) = asked(api, worker)
    other = api.new()
    place = f"/tasks/{task['id']}/approvals"
    assert api.post(f"/tasks/{other['id']}/approvals/{first}", {"decision": "allow"}).status_code == 404
    assert api.post(f"{place}/{first}", {"decision": "allow"}).status_code == 200
    for decision in ("allow", "deny"):
        assert api.post(f"{place}/{first}", {"decision": decision}).status_code == 409
    assert Approval.get_by_id(first).status == "allowed"
    assert Approval.get_by_id(second).status == "pending"
    for state in ("expired", "cancelled", "denied"):
        Approval.update(status=state).where(Approval.id == second).execute()
        assert api.post(f"{place}/{second}", {"decision": "allow"}).status_code == 409
        assert Approval.get_by_id(second).status == state


def test_a_question_of_an_attempt_that_ended_cannot_be_answered(api: Api, worker: PlayedWorker) -> None:
    task, ids = asked(api, worker)
    attempts.finish(Attempt.get_by_id(tasks.get(task["id"]).live_attempt), attempts.Ending(Status.STOPPED))
    for id in ids:
        assert api.post(f"/tasks/{task['id']}/approvals/{id}", {"decision": "allow"}).status_code == 409


GATED = {"title": "t", "prompt": "p", "runner": "shell", "command": "true", "preset": "auto-review"}


def test_an_approval_is_of_the_policy_that_was_shown(api: Api) -> None:
    task = api.post("/tasks", GATED).json
    shown = api.get(f"/tasks/{task['id']}").json["policy_hash"]
    wider = {"policy": {"allow_network": True, "require_approval": True}}
    assert api("PATCH", f"/tasks/{task['id']}", wider).status_code == 200
    refused = api.post(f"/tasks/{task['id']}/approve", {"policy_hash": shown})
    assert refused.status_code == 409
    assert Attempt.select().count() == 0
    now = api.get(f"/tasks/{task['id']}").json["policy_hash"]
    assert now != shown
    assert api.post(f"/tasks/{task['id']}/approve", {"policy_hash": now, "start": False}).status_code == 200


def test_a_change_after_the_approval_closes_the_gate_again(api: Api) -> None:
    task = api.post("/tasks", GATED).json
    assert api.post(f"/tasks/{task['id']}/approve", {"start": False}).status_code == 200
    wider = {"policy": {"allow_network": True, "require_approval": True}}
    assert api("PATCH", f"/tasks/{task['id']}", wider).status_code == 200
    assert api.post(f"/tasks/{task['id']}/start").status_code == 412
    assert Attempt.select().count() == 0


def test_an_approval_is_good_for_one_attempt(landing: Landing) -> None:
    made = creation.create(
        creation.NewTask("t", "", "shell", "true", str(landing.folder), policy={"require_approval": True}),
        landing.folder,
    )
    tasks.approve(made, None)
    tasks.request_start(made)
    attempt = attempts.claim_next("worker-1", 8)
    assert attempt is not None
    attempts.finish(attempt, attempts.Ending(Status.READY_FOR_REVIEW))
    with pytest.raises(Exception, match="needs approval"):
        tasks.request_start(tasks.get(made.id))
    assert raw().execute("SELECT count(*) FROM attempt").fetchone() == (1,)
    with pytest.raises(Conflict):
        tasks.approve(tasks.get(made.id), None, policy_hash="0" * 64)
