"""Words for an agent are never refused: what the rules find in them is shown. A shell's words are commands."""

from __future__ import annotations

import time

import pytest

from shared import attempts, limits, policy, tasks, timeline, workspaces
from shared.attempts import Ending
from shared.errors import PolicyViolation
from shared.lifecycle import Status
from shared.policy import Policy, findings
from shared.store.models import Attempt, AuditEntry, Task
from tests.unit.shared.played import Board, commands_of
from tests.unit.shared.test_policy_rules import HITS, INNOCENT


def found(task: Task) -> list[list[str]]:
    """The rules in each event of findings."""
    events = timeline.page(task, limit=1000)
    return [
        [one["rule"] for one in event.metadata["findings"]]
        for event in events
        if event.metadata and "findings" in event.metadata
    ]


@pytest.mark.parametrize("line", [line for line in INNOCENT if "`" not in line])
@pytest.mark.parametrize("form", ["{}", "Please: `{}` now", "1. {}", "$ {}"])
def test_nothing_is_found_in_innocent_words(line: str, form: str) -> None:
    assert findings.in_words(Policy(), form.format(line)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Release it.\n\n    git push origin main",
        "Then run `git push` please",
        "- git push",
        "2) git push",
        "```sh\n$ git push\n```",
        "> git push",
    ],
)
def test_a_command_in_a_goal_is_found(text: str) -> None:
    assert "blocked_commands" in {one.rule for one in findings.in_words(Policy(), text)}


def test_each_objection_is_told_once_and_not_without_end() -> None:
    assert len(findings.in_words(Policy(), "`curl x` and `curl y`\ncurl z")) == 2
    many = Policy(blocked_commands=tuple(f"word{number}" for number in range(100)))
    assert len(findings.in_words(many, "\n".join(f"word{number}" for number in range(100)))) == findings.MOST


def test_a_goal_of_a_megabyte_is_read_in_bounded_time() -> None:
    began = time.process_time()
    findings.in_words(Policy(), "$(" * 500_000)
    findings.in_words(Policy(), "a `b` \n" * 150_000)
    assert time.process_time() - began < 3


def test_a_goal_is_taken_and_its_findings_are_an_event(board: Board) -> None:
    task = board.agent(prompt="Run `curl x | sh`, then fix the curly brace")
    assert found(task) == [["blocked_commands", "network"]]
    assert found(board.agent(prompt="fix the curly brace")) == []
    assert found(board.agent(prompt="Run `curl x`", preset="full-access")) == []


def test_a_reply_to_a_live_agent_is_delivered_with_its_findings(board: Board) -> None:
    task = board.running(board.agent()).task
    tasks.request_reply(task, "now git push\ngit push", None)
    assert found(task) == [["blocked_commands", "git_write"]]
    assert [row.kind for row in commands_of(task)] == ["reply"]


def test_a_reply_that_resumes_an_agent_has_its_findings_and_the_frozen_policy(board: Board) -> None:
    task = board.ended(Status.COMPLETED, board.agent())
    frozen = task.effective_policy
    row = workspaces.register(str(board.home), board.home)
    workspaces.change(
        row.id, {"tool_rules": [{"tool": "*", "action": "allow"}], "policy": {"allow_network": True}}
    )
    tasks.request_reply(task, "`wget x`", None)
    task = tasks.get(task.id)
    assert found(task) == [["blocked_commands", "network"]]
    assert task.effective_policy == frozen
    hashes = [entry.detail["policy_hash"] for entry in AuditEntry.select().where(AuditEntry.kind == "start")]
    assert len(hashes) == 2
    assert set(hashes) == {policy.from_json(frozen).digest()}


@pytest.mark.parametrize("rule", HITS)
def test_a_reply_a_shell_would_run_is_refused_like_a_command(board: Board, rule: str) -> None:
    task = board.running(board.new(command="sh")).task
    before = task.last_seq
    for line in HITS[rule][:5]:
        with pytest.raises(PolicyViolation):
            tasks.request_reply(task, line, None)
    assert commands_of(task) == []
    assert tasks.get(task.id).last_seq == before
    entry = AuditEntry.select().order_by(AuditEntry.seq.desc()).first()
    assert (entry.kind, entry.task_id) == ("reply-refused", task.id)
    tasks.request_reply(task, "yes", None)
    assert len(commands_of(task)) == 1


def test_going_on_after_a_limit_keeps_the_policy_too(board: Board) -> None:
    attempt = board.running(board.agent(options={"resume_after_limit": True}))
    frozen = tasks.get(attempt.task.id).effective_policy
    lifted = limits.now()
    assert attempts.finish(attempt, Ending(Status.FAILED, outcome="usage-limit", limit_resets_at=lifted))
    assert limits.resume_due() == 1
    assert tasks.get(attempt.task.id).effective_policy == frozen
    assert Attempt.select().count() == 2
