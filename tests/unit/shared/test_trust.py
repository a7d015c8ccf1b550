"""What configures an agent holds its start up until a person trusts it: in this workspace, with this content."""

from __future__ import annotations

import pytest

from shared import attempts, tasks, workspaces
from shared.agents import trust
from shared.agents.trust import Found
from shared.errors import BadRequest, Conflict, NotFound, NotReady
from shared.lifecycle import Status
from shared.store.models import AuditEntry, Task
from tests.unit.shared.played import Board, said

ONE, OTHER = "1" * 64, "2" * 64


def found(path: str = ".mcp.json", digest: str = ONE, problem: str | None = None) -> Found:
    return Found(path, digest, 2, "{}", problem)


def named(digest: str = ONE) -> list[dict[str, str]]:
    return [{"path": ".mcp.json", "digest": digest}]


def workspace_of(task: Task) -> str:
    return workspaces.workspace_id(task.workspace)


def test_a_start_waits_for_trust_and_goes_on_with_it(board: Board) -> None:
    task = board.agent()
    assert [row.path for row in trust.record(task, [found()])] == [".mcp.json"]
    with pytest.raises(NotReady, match=r"trusted that yet: \.mcp\.json") as refused:
        tasks.request_start(tasks.get(task.id))
    assert refused.value.extra["files"] == [{"path": ".mcp.json", "digest": ONE, "problem": None}]
    task = tasks.get(task.id)
    assert (task.status, tasks.attention(task)) == (Status.NEEDS_INPUT, "policy")

    trust.trust(workspace_of(task), named())
    task = tasks.get(task.id)
    assert (task.status, tasks.attention(task)) == (Status.QUEUED, None)
    assert tasks.request_start(task).attempt_number == 1
    entry = AuditEntry.get(AuditEntry.kind == "trust-files")
    assert entry.detail["files"] == named()


def test_trust_is_for_one_content_and_one_workspace(board: Board, tmp_path) -> None:
    task = board.agent()
    trust.record(task, [found()])
    trust.trust(workspace_of(task), named())
    assert trust.record(task, [found()]) == []
    assert [row.digest for row in trust.record(task, [found(digest=OTHER)])] == [OTHER]
    assert trust.record(task, [found()]) == [], "back to what was trusted"
    (tmp_path / "elsewhere").mkdir()
    other = board.agent(workspace=str(tmp_path / "elsewhere"))
    assert len(trust.record(other, [found()])) == 1


def test_what_was_not_found_or_cannot_be_trusted_is_refused_and_nothing_of_it_trusted(board: Board) -> None:
    task = board.agent()
    trust.record(task, [found(), found(".claude/settings.json", OTHER, "It leads elsewhere.")])
    unfit = [*named(), {"path": ".claude/settings.json", "digest": OTHER}]
    for files, error in (([], BadRequest), (named(OTHER), NotFound), (unfit, Conflict)):
        with pytest.raises(error):
            trust.trust(workspace_of(task), files)
    assert len(trust.waiting(tasks.get(task.id))) == 2


def test_a_task_or_its_workspace_may_start_without_them(board: Board) -> None:
    task = board.agent()
    trust.record(task, [found()])
    with pytest.raises(NotReady):
        tasks.request_start(tasks.get(task.id))
    trust.ignore(tasks.get(task.id))
    task = tasks.get(task.id)
    assert (task.status, trust.is_ignoring(task)) == (Status.QUEUED, True)
    tasks.request_start(task)
    registered = workspaces.register(task.workspace, board.home)
    workspaces.change(registered.id, {"repository_settings": "ignore"})
    assert trust.is_ignoring(board.agent())
    assert not trust.is_ignoring(board.agent(options={"repository_settings": "ask"}))


def test_trust_taken_back_is_asked_for_again(board: Board) -> None:
    task = board.agent()
    trust.record(task, [found()])
    trust.trust(workspace_of(task), named())
    assert (trust.distrust(workspace_of(task)), trust.distrust(workspace_of(task))) == (1, 0)
    assert len(trust.waiting(tasks.get(task.id))) == 1


def test_a_worker_that_finds_them_at_the_start_lets_the_task_ask(board: Board) -> None:
    attempt = board.running(board.agent())
    task = tasks.get(attempt.task.id)
    trust.record(task, [found()])
    attempts.needs_trust(attempt)
    task = tasks.get(task.id)
    assert (task.status, task.live_attempt, tasks.attention(task)) == (Status.NEEDS_INPUT, None, "policy")
    assert attempts.reload(attempt).status == Status.FAILED
    assert any("nobody has trusted" in message for _, message in said(task))


def test_a_task_behind_its_gate_asks_for_the_approval_first(board: Board) -> None:
    task = board.agent(policy={"require_approval": True})
    trust.record(task, [found()])
    with pytest.raises(NotReady, match="approval"):
        tasks.request_start(tasks.get(task.id))
    assert tasks.attention(tasks.get(task.id)) == "approval"
    tasks.approve(tasks.get(task.id), None)
    with pytest.raises(NotReady, match="trusted"):
        tasks.request_start(tasks.get(task.id))
    assert tasks.attention(tasks.get(task.id)) == "policy"


def test_only_the_newest_untrusted_files_are_kept(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "MOST_KEPT", 3)
    task = board.agent()
    trust.record(task, [found()])
    trust.trust(workspace_of(task), named())
    for number in range(5):
        trust.record(task, [found(digest=f"{number:064d}")])
    kept = [row.digest for row in trust.in_workspace(workspace_of(task))]
    assert sorted(kept) == [*(f"{number:064d}" for number in (2, 3, 4)), ONE]
