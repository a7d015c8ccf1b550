"""A question's life: rules granted for a task, edited inputs, expiry, confirmation, and what a rule would have done."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from shared import approvals, attempts, fleet, policy, tasks, workspaces
from shared.approvals import Question
from shared.attempts import Ending
from shared.clock import now
from shared.commands import CommandKind
from shared.errors import Conflict, NotFound, WrongShape
from shared.lifecycle import Status
from shared.policy import grants, trials
from shared.secrets.redaction import MASK
from shared.store.database import transaction
from shared.store.models import Approval, Attempt, Task
from tests.unit.shared.played import Board, commands_of, progress, said

TREE = "/nowhere/tree"


def question(name: str, command: str | None = None, tool: str = "Bash", **given: Any) -> Question:
    wanted = {"command": command} if command else given
    return Question(name, tool, f"Claude wants {name}", command, wanted, TREE, tool_use_id=f"use-{name}")


def ask(attempt: Attempt, *asked: Question) -> list[Approval]:
    attempts.record([progress(attempt, status=Status.NEEDS_INPUT, questions=[(one, None) for one in asked])])
    return [Approval.get(Approval.attempt == attempt.id, Approval.request == one.request) for one in asked]


def answers(task: Task) -> list[str]:
    return [command.body["approval"] for command in commands_of(task, CommandKind.DECIDE)]


def rules(task: Task) -> list[Mapping[str, Any]]:
    return [{key: value for key, value in rule.items() if key != "id"} for rule in grants.of(task.number)]


@pytest.fixture
def attempt(board: Board) -> Attempt:
    return board.running(board.agent())


# Allow for this task


def test_allowed_for_the_task_the_same_is_not_asked_again(attempt: Attempt) -> None:
    (first,) = ask(attempt, question("a", "npm test"))
    approvals.decide(attempt.task, first.id, "allow", scope="task")
    assert rules(attempt.task) == [{"tool": "Bash", "pattern": "npm test*", "action": "allow"}]
    later, other = ask(attempt, question("b", "npm test -- x"), question("c", "npm publish"))
    assert (later.status, later.decided_by) == ("allowed", "policy")
    assert later.rule == "granted for this task: allow Bash `npm test*`"
    assert other.status == "pending"
    assert answers(attempt.task) == [first.id, later.id]


def test_other_requests_that_wait_are_decided_with_the_one_allowed_for_the_task(attempt: Attempt) -> None:
    first, same, other, asks = ask(
        attempt,
        question("a", "npm test"),
        question("b", "npm test --fast"),
        question("c", "make"),
        question("d", tool="AskUserQuestion"),
    )
    approvals.decide(attempt.task, first.id, "allow", scope="task")
    found = {row.id: (row.status, row.decided_by) for row in approvals.of(attempt.task)}
    assert found[same.id] == ("allowed", "policy")
    assert found[other.id] == found[asks.id] == ("pending", None)
    assert answers(attempt.task) == [first.id, same.id]


def test_what_a_policy_denies_stays_denied_whatever_was_granted(board: Board) -> None:
    denies = {"tool_rules": [{"tool": "Bash", "pattern": "rm *", "action": "deny", "reason": "keep files"}]}
    attempt = board.running(board.agent(policy=denies))
    approvals.grant(attempt.task, {"tool": "*", "action": "allow"})
    removal, build = ask(attempt, question("a", "make; rm -r x"), question("b", "make"))
    assert (removal.status, removal.note) == ("denied", "keep files")
    assert build.status == "allowed"


def test_a_rule_for_an_edited_command_is_about_what_was_edited(attempt: Attempt) -> None:
    (row,) = ask(attempt, question("a", "git push --force"))
    edited = {"command": "git status -s"}
    approvals.decide(attempt.task, row.id, "allow", scope="task", updated_input=edited)
    assert rules(attempt.task) == [{"tool": "Bash", "pattern": "git status*", "action": "allow"}]
    assert ("input", "Allowed Bash with an edited input") in said(attempt.task)


@pytest.mark.parametrize("scope", ["once", "task"])
def test_a_denial_and_an_allow_once_grant_nothing(attempt: Attempt, scope: str) -> None:
    first, second = ask(attempt, question("a", "make"), question("b", "make"))
    approvals.decide(attempt.task, first.id, "deny", scope=scope)
    approvals.decide(attempt.task, second.id, "allow")
    assert rules(attempt.task) == []


@pytest.mark.parametrize(
    "asked", [question("a", f"curl -H {MASK}"), question("a", tool="ExitPlanMode", plan="x")]
)
def test_no_rule_is_made_of_a_masked_command_or_a_plan(attempt: Attempt, asked: Question) -> None:
    (row,) = ask(attempt, asked)
    assert grants.suggestion(row) is None
    with pytest.raises(WrongShape, match="No rule can be made"):
        approvals.decide(attempt.task, row.id, "allow", scope="task")
    assert Approval.get_by_id(row.id).status == "pending"
    assert answers(attempt.task) == []


def test_a_rule_is_granted_once_listed_and_taken_back(attempt: Attempt) -> None:
    rule = {"tool": " edit ", "path": "src/**", "pattern": "", "action": "allow", "later": 1}
    made = approvals.grant(attempt.task, rule)
    assert approvals.grant(attempt.task, rule) == made
    assert rules(attempt.task) == [{"tool": "edit", "path": "src/**", "action": "allow"}]
    grants.remove(attempt.task, made["id"])
    with pytest.raises(NotFound):
        grants.remove(attempt.task, made["id"])
    (row,) = ask(attempt, question("a", tool="Write", file_path="src/a"))
    assert row.status == "pending"
    assert [text for _, text in said(attempt.task)[-3:-1]] == [
        "Rule for this task: allow edit in `src/**`",
        "Rule taken back: allow edit in `src/**`",
    ]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"tool": " ", "action": "allow"}, "tool"),
        ({"tool": "x" * 201, "action": "allow"}, "tool"),
        ({"tool": "*", "action": "perhaps"}, "action"),
        ({"tool": "*"}, "action"),
        ({"tool": "*", "action": "deny", "path": "x" * 1001}, "path"),
        ({"tool": "*", "action": "deny", "pattern": "a\0"}, "pattern"),
    ],
)
def test_a_rule_that_is_none_names_its_field(rule: dict[str, str], field: str) -> None:
    with pytest.raises(WrongShape) as refused:
        grants.clean(rule)
    assert refused.value.extra == {"field": field}


def test_a_task_has_a_hundred_rules_at_most(attempt: Attempt) -> None:
    with transaction():
        for number in range(grants.MOST_RULES):
            grants.add(attempt.task, {"tool": f"t{number}", "action": "deny"})
    with pytest.raises(Conflict, match="100 rules"):
        grants.add(attempt.task, {"tool": "one more", "action": "deny"})


def test_a_tasks_start_takes_its_workspaces_rules_over_behind_its_own(board: Board) -> None:
    row = workspaces.register(str(board.home), board.home)
    theirs = {"tool": "edit", "action": "deny"}
    workspaces.change(row.id, {"tool_rules": [theirs]})
    own = {"tool": "*", "action": "ask"}
    task = board.new(policy={"tool_rules": [own]})
    board.queued(task)
    workspaces.change(row.id, {"tool_rules": None})
    kept = tasks.policy_of(tasks.get(task.id)).tool_rules
    assert list(kept) == [own, {**theirs, "origin": "workspace"}]
    assert policy.from_json(tasks.get(task.id).policy).tool_rules == (own,)


# Edited inputs


def test_codex_runs_what_it_asked_for_so_an_edited_input_is_refused(attempt: Attempt) -> None:
    Task.update(runner="codex").execute()
    task = tasks.get(attempt.task.id)
    (row,) = ask(attempt, question("a", "make", tool="command_execution"))
    with pytest.raises(WrongShape, match="only what it asked for"):
        approvals.decide(task, row.id, "allow", updated_input={"command": "true"})
    assert Approval.get_by_id(row.id).status == "pending"
    fleet.publish_runners([fleet.RunnerState("codex", True, "codex", capabilities={"edits": True})])
    assert approvals.decide(task, row.id, "allow", updated_input={"command": "true"}).status == "allowed"


# Expiry


@pytest.fixture
def short(board: Board) -> Attempt:
    return board.running(board.agent(policy={"approval_minutes": 5}))


def pass_minutes(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    at = now() + timedelta(minutes=minutes)
    monkeypatch.setattr(approvals, "now", lambda: at)


def test_a_request_nobody_answers_is_denied_and_the_turn_interrupted(
    short: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ask(short, question("a", "make"), question("b", "make"))
    pass_minutes(monkeypatch, 4.9)
    assert approvals.expire_due() == 0
    pass_minutes(monkeypatch, 5.1)
    assert approvals.expire_due() == 2
    assert approvals.expire_due() == 0
    for row in approvals.of(short.task):
        assert (row.status, row.decided_by, row.note) == (
            "expired",
            "timeout",
            "Nobody answered in 5 minutes.",
        )
    kinds = [command.kind for command in commands_of(short.task)]
    assert kinds == [CommandKind.DECIDE, CommandKind.DECIDE, CommandKind.INTERRUPT]
    assert said(short.task)[-1] == (
        "lifecycle",
        "Nobody answered in 5 minutes. Bash was denied and the turn interrupted.",
    )
    with pytest.raises(Conflict, match="expired"):
        approvals.decide(short.task, first.id, "allow")
    assert second.expires_at is not None


def test_a_request_waits_for_ever_unless_an_expiry_was_asked_for(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = ask(attempt, question("a", "make"))
    pass_minutes(monkeypatch, 60 * 24 * 365)
    assert approvals.expire_due() == 0
    assert (Approval.get_by_id(row.id).status, row.expires_at) == ("pending", None)


def test_an_answer_in_time_and_an_ended_attempt_leave_nothing_to_expire(
    short: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = ask(short, question("a", "make"), question("b", "make"))
    approvals.decide(short.task, first.id, "allow")
    attempts.finish(short, Ending(Status.FAILED))
    pass_minutes(monkeypatch, 6)
    assert approvals.expire_due() == 0
    assert sorted(row.status for row in approvals.of(short.task)) == ["allowed", "cancelled"]


# Delivered and confirmed


def test_an_answer_is_confirmed_once_when_the_agent_goes_on_with_its_call(attempt: Attempt) -> None:
    first, waiting = ask(attempt, question("a", "make"), question("b", "make"))
    approvals.decide(attempt.task, first.id, "deny")
    approvals.delivered(first.id)
    approvals.confirm(attempt.id, ["use-a", "use-b", "use-unknown"])
    approvals.confirm("another attempt", ["use-a"])
    confirmed = approvals.get(first.id)
    assert confirmed.confirmed_at >= confirmed.delivered_at >= confirmed.decided_at
    assert approvals.get(waiting.id).confirmed_at is None
    approvals.confirm(attempt.id, ["use-a"])
    assert approvals.get(first.id).confirmed_at == confirmed.confirmed_at


def test_an_agent_that_went_on_had_its_answer_delivered(attempt: Attempt) -> None:
    (row,) = ask(attempt, question("a", "make"))
    approvals.decide(attempt.task, row.id, "allow")
    approvals.confirm(attempt.id, ["use-a"])
    assert approvals.get(row.id).delivered_at is not None


# What a rule would have decided


def test_a_rule_is_tried_against_everything_that_was_asked_in_its_workspace(attempt: Attempt) -> None:
    asked = ["git status", "git push", "git status; rm x", "make"]
    rows = ask(attempt, *(question(str(number), line) for number, line in enumerate(asked)))
    ask(attempt, question("plan", tool="ExitPlanMode", plan="x"))
    for row, decision in zip(rows, ("allow", "deny", "deny", "allow"), strict=True):
        approvals.decide(attempt.task, row.id, decision)
    here = attempt.task.workspace

    def tried(action: str, pattern: str) -> str:
        return str(trials.of_rule({"tool": "Bash", "pattern": pattern, "action": action}, here))

    assert tried("allow", "git *") == "Would have allowed 2 of the last 4 requests, 1 of which you denied."
    assert tried("deny", "git *") == "Would have denied 3 of the last 4 requests, 1 of which you allowed."
    assert tried("ask", "rm *") == "Would have asked about 1 of the last 4 requests."
    assert tried("allow", "ls") == "Would have allowed 0 of the last 4 requests."
    elsewhere = trials.of_rule({"tool": "*", "action": "allow"}, "/elsewhere")
    assert str(elsewhere) == "No agent has asked for anything here yet."
