"""What a person does with a task: create, stop, reply, steer; legal and illegal states of each."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from shared import attempts, commands, fleet, policy, tasks
from shared.attempts import Ending
from shared.commands import CommandKind, State
from shared.errors import BadRequest, Conflict, NotFound, PolicyViolation, Refused, WrongShape
from shared.lifecycle import ENDED, LIVE, Status, StopReason
from shared.store.database import transaction
from shared.store.models import Attempt, Command, Event, Task
from tests.unit.shared.played import WORKER, Board, commands_of, progress, said

GATED = {"require_approval": True}


def stored() -> int:
    return int(Task.select().count() + Event.select().count())


def test_a_new_task_is_queued_with_one_event(board: Board) -> None:
    task = board.new(title="  Mend it ", prompt=" p ", command=" true ", labels=("a",), priority=3)
    assert (task.title, task.prompt, task.command) == ("Mend it", "p", "true")
    assert (task.status, task.budget_minutes, task.preset, task.priority) == (Status.QUEUED, 15, "default", 3)
    assert (task.live_attempt, task.effective_policy, task.last_seq) == (None, None, 1)
    assert str(UUID(task.id)) == task.id
    assert said(task) == [("lifecycle", "Task created")]


@pytest.mark.parametrize(("asked", "given"), [(None, 15), (0, 1), (1, 1), (240, 240), (10**12, 240)])
def test_the_budget_is_kept_within_four_hours(board: Board, asked: int | None, given: int) -> None:
    assert board.new(budget_minutes=asked).budget_minutes == given


@pytest.mark.parametrize(
    ("fields", "error", "about"),
    [
        ({"title": " ", "workspace": "/no/such"}, BadRequest, "title"),
        ({"workspace": "no/such", "command": ""}, BadRequest, "no/such"),
        ({"command": " ", "policy": {"allowed_workspaces": ["/srv"]}}, BadRequest, "command"),
        ({"runner": "codex", "prompt": " "}, BadRequest, "goal"),
        ({"runner": "nobody"}, WrongShape, "nobody"),
        ({"preset": "nothing"}, WrongShape, "nothing"),
        ({"command": "curl x"}, PolicyViolation, "curl"),
        ({"policy": {"allowed_workspaces": ["/srv"]}}, PolicyViolation, "allowlist"),
    ],
)
def test_what_cannot_be_created_is_refused_in_order_and_leaves_nothing(
    board: Board, fields: dict[str, object], error: type[Refused], about: str
) -> None:
    with pytest.raises(error, match=about):
        board.new(**fields)
    assert stored() == 0


def test_an_agents_prompt_is_never_refused_for_its_words(board: Board) -> None:
    task = board.new(runner="codex", prompt="sudo curl the secret | git push", command="rm -rf /")
    assert task.command == fleet.DISPLAY["codex"]


def test_a_policys_keys_override_its_preset_and_the_workspaces_preset_is_the_default(board: Board) -> None:
    from shared import workspaces

    assert board.new(preset="full-access").preset == "full-access"
    task = board.new(preset="full-access", policy=GATED)
    assert task.preset == "custom"
    assert tasks.policy_of(task) == policy.from_json(GATED, policy.FULL_ACCESS)
    registered = workspaces.register(str(board.home), board.home)
    workspaces.change(registered.id, {"preset": "auto-review"})
    assert board.new().preset == "auto-review"
    assert board.new(preset="default").preset == "default"


@pytest.mark.parametrize("id", ["", "x", "1234", "0" * 31, "../" * 12])
def test_what_is_no_uuid_is_a_bad_request_and_an_unknown_one_not_found(board: Board, id: str) -> None:
    with pytest.raises(BadRequest):
        tasks.get(id)
    with pytest.raises(NotFound):
        tasks.get(str(uuid4()))
    task = board.new()
    assert tasks.get(task.id.upper()) == task


# Stop


def test_a_stop_before_any_start_ends_the_task(board: Board) -> None:
    task = board.new()
    assert tasks.request_stop(task) is None
    task = tasks.get(task.id)
    assert (task.status, task.stop_reason) == (Status.STOPPED, "user")
    before = said(task)
    assert tasks.request_stop(task) is None
    assert said(task) == before


def test_a_stop_of_a_queued_attempt_prevents_its_start(board: Board) -> None:
    attempt = board.queued()
    reply = commands.accept(attempt.task, CommandKind.REPLY, {"message": "x"}, attempt)
    assert tasks.request_stop(attempt.task) is None
    assert attempts.claim_next(WORKER, 8) is None
    attempt, task = attempts.reload(attempt), tasks.get(attempt.task.id)
    assert (attempt.status, attempt.stop_reason, task.live_attempt) == (Status.STOPPED, "user", None)
    assert attempt.finished_at is not None
    assert task.status is Status.STOPPED
    assert Command.get_by_id(reply.id).state == State.EXPIRED


@pytest.mark.parametrize("status", sorted(LIVE))
def test_a_stop_of_a_live_attempt_is_one_command_however_often_it_is_asked(
    board: Board, status: Status
) -> None:
    attempt = board.running()
    attempts.record([progress(attempt, status=status)])
    first = tasks.request_stop(attempt.task, StopReason.BUDGET)
    again = tasks.request_stop(attempt.task)
    assert first is not None
    assert again == first
    assert first.body == {"reason": "budget-exceeded"}
    assert tasks.get(attempt.task.id).status is status


@pytest.mark.parametrize("status", sorted(ENDED - {Status.STOPPED}))
def test_what_has_ended_otherwise_cannot_be_stopped(board: Board, status: Status) -> None:
    task = board.ended(status)
    with pytest.raises(Conflict, match=status):
        tasks.request_stop(task)
    assert tasks.get(task.id).status is status


def test_interrupting_all_reaches_running_and_queued_attempts_and_survives_one_that_just_ended(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, running, queued, idle = board.running(), board.running(), board.queued(), board.new()
    stop = tasks.request_stop

    def late(task: Task, reason: StopReason) -> Command | None:
        if task.number == ending.task_id:
            attempts.finish(ending, Ending(Status.COMPLETED))
        return stop(task, reason)

    monkeypatch.setattr(tasks, "request_stop", late)
    found = tasks.interrupt_all()
    assert [(one.attempt, one.body) for one in found] == [(running.id, {"reason": "interrupted"})]
    assert attempts.reload(queued).stop_reason == "interrupted"
    assert tasks.get(idle.id).status is Status.QUEUED


# Reply and steering


def test_a_reply_to_a_live_attempt_is_a_command_to_its_worker(board: Board) -> None:
    attempt = board.running()
    reply = tasks.request_reply(attempt.task, " yes ", "steer")
    assert isinstance(reply, Command)
    assert (reply.attempt, reply.kind, reply.body) == (
        attempt.id,
        "reply",
        {"message": "yes", "mode": "steer"},
    )


def test_a_reply_after_the_end_resumes_the_agents_session(board: Board) -> None:
    task = board.ended(Status.STOPPED, board.agent())
    attempt = tasks.request_reply(task, " go on ", None)
    assert isinstance(attempt, Attempt)
    assert (attempt.resume, attempt.message, attempt.runner_session_id) == (True, "go on", "session")
    live = tasks.request_reply(task, "and", None)
    assert isinstance(live, Command)


def test_a_reply_that_nobody_can_take_is_refused(board: Board) -> None:
    with pytest.raises(Conflict, match="start it first"):
        tasks.request_reply(board.new(), "x", None)
    with pytest.raises(Conflict, match="shell has ended"):
        tasks.request_reply(board.ended(Status.COMPLETED), "x", None)
    fleet.publish_runners([fleet.RunnerState("codex", True, "codex")])
    with pytest.raises(Conflict, match="no agent session"):
        tasks.request_reply(board.ended(Status.FAILED, board.new(runner="codex", prompt="x")), "x", None)
    assert Command.select().count() == 0


@pytest.mark.parametrize("kind", [CommandKind.INTERRUPT, CommandKind.CLOSE_INPUT])
def test_only_what_runs_can_be_steered(board: Board, kind: CommandKind) -> None:
    queued = board.queued()
    for task in (queued.task, board.new()):
        with pytest.raises(Conflict):
            tasks.request_steering(task, kind)
    attempt = attempts.claim_next(WORKER, 8)
    assert attempt is not None
    assert tasks.request_steering(attempt.task, kind).attempt == attempt.id
    attempts.finish(attempt, Ending(Status.COMPLETED))
    with pytest.raises(Conflict):
        tasks.request_steering(attempt.task, kind)
    assert [one.state for one in commands_of(attempt.task)] == [State.EXPIRED]


def test_why_a_task_needs_a_person(board: Board) -> None:
    attempt = board.running()
    assert tasks.attention(attempt.task) is None
    attempts.record([progress(attempt, status=Status.NEEDS_INPUT)])
    assert tasks.attention(tasks.get(attempt.task.id)) == "question"
    assert tasks.attention(board.ended(Status.READY_FOR_REVIEW)) == "review"
    assert tasks.attention(board.ended(Status.FAILED)) == "failed"
    assert tasks.attention(board.ended(Status.COMPLETED)) is None


def test_a_refused_verb_leaves_no_trace(board: Board) -> None:
    task = board.ended(Status.COMPLETED)
    before = stored()
    for verb in (
        lambda: tasks.approve(task, None),
        lambda: tasks.request_stop(task),
        lambda: tasks.request_steering(task, CommandKind.INTERRUPT),
        lambda: tasks.request_reply(task, "x", None),
    ):
        with pytest.raises(Conflict), transaction():
            verb()
    assert stored() == before
