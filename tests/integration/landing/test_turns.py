"""What is there when a turn begins is captured within bounds, whatever the agent, git or another worker does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shared import attempts, creation, fleet, tasks
from shared.errors import GitFailed
from shared.review import landings, turns
from shared.store.models import Attempt, Command, Event, Task
from tests.integration.landing.conftest import WORKER, Landing
from workers.attempts import place, starting, steering, turning
from workers.attempts.watch import Watch
from workers.repository import snapshot, time_limit
from workers.repository.git import git
from workers.repository.locks import held
from workers.runners.observations import Outcome, TurnEnded


@pytest.fixture
def attempt(site: Landing) -> Attempt:
    """A claimed attempt of an agent with its worktree, in whose first turn one file was written."""
    fleet.publish_runners([fleet.RunnerState("claude-code", True, "claude")])
    wanted = creation.NewTask(title="t", prompt="p", runner="claude-code", workspace=str(site.folder))
    task = creation.create(wanted, site.folder)
    tasks.request_start(task)
    claimed = attempts.claim_next(WORKER, 8)
    assert claimed is not None
    found = place.prepare(task, claimed, site.config)
    turns.begin(claimed, claimed.id, turning.before_attempt(task, claimed, site.config))
    (Path(found.root) / "one").write_text("1\n")
    return claimed


def idle(site: Landing, attempt: Attempt) -> Watch:
    """The attempt as its worker watches it: its agent has ended a turn, and its shim is gone."""
    watch = starting.attach(attempts.reload(attempt), site.config)
    watch.turn = TurnEnded(Outcome.COMPLETED)
    return watch


def test_a_fresh_worktree_is_the_base_and_is_not_captured(site: Landing, attempt: Attempt) -> None:
    (turn,) = turns.of(attempt.task)
    assert (turn.began_from, landings.latest_capture(attempt.task)) == (None, None)


def test_a_capture_that_takes_too_long_holds_nothing_up_and_is_an_event(
    site: Landing, attempt: Attempt
) -> None:
    before = turning.state(attempt, site.config, 30)
    assert before is not None
    worktree = site.worktree(attempt.task)
    (worktree.path / "two").write_text("2\n")
    with held(worktree.repositories, f"capture {worktree.task_id}"):
        began = time.monotonic()
        assert turning.state(attempt, site.config, 0.2) == before
        assert time.monotonic() - began < 5
    said = [event.message for event in Event.select().where(Event.kind == "error")]
    assert said == [turning.NOT_IN_TIME]
    assert turning.state(attempt, site.config, 30) != before


def test_a_limit_that_is_over_ends_git_at_once_and_a_capture_is_not_tried_again(
    site: Landing, attempt: Attempt
) -> None:
    worktree = site.worktree(attempt.task)
    with time_limit.within(0):
        with pytest.raises(GitFailed):
            git("version")
        began = time.monotonic()
        with pytest.raises(GitFailed):
            snapshot.take(worktree.capture_git_directory, worktree.path, worktree.home / "index", live=True)
        assert time.monotonic() - began < 2
    assert git("version").text


def test_a_reply_that_the_agent_does_not_live_to_hear_begins_no_turn(site: Landing, attempt: Attempt) -> None:
    watch = idle(site, attempt)
    reply = tasks.request_reply(Task.get_by_id(attempt.task_id), "Go on", None)
    assert isinstance(reply, Command)
    steering.carry_out(watch, reply)
    (turn,) = turns.of(attempt.task)
    assert (turn.id, turn.ended_at) == (attempt.id, None)
    kept = landings.latest_capture(attempt.task)
    assert kept is not None
    assert [file["path"] for file in kept.files] == ["one"]
