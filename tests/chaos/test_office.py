"""What a worker's office does in one step: a break in the midst of it leaves nothing half done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import messages
from shared import commands, creation, tasks
from shared.commands import CommandKind, State
from shared.config import Config, from_env
from shared.creation import NewTask
from shared.lifecycle import Status
from shared.store.database import close, open_store, transaction
from shared.store.models import Attempt, Command, Task
from workers.office import Office


class Broke(Exception):
    """In place of a kill."""


@pytest.fixture
def config(short_dir: Path) -> Iterator[Config]:
    found = from_env({"OPENRUNTIME_DATA": str(short_dir / "data")})
    open_store(found)
    yield found
    close()


@pytest.fixture
def office(config: Config) -> Iterator[Office]:
    found = Office("me", config, messages.bells(config).orders)
    found.supervision.start()
    yield found
    found.close()


@pytest.fixture
def set_aside(config: Config, tmp_path: Path) -> Command:
    """A reply that an ended agent never took."""
    task = creation.create(NewTask("a task", "a goal", "claude-code", workspace=str(tmp_path)), tmp_path)
    with transaction():
        Task.update(status=Status.READY_FOR_REVIEW, runner_session_id="a session").where(
            Task.number == task.number
        ).execute()
        return commands.accept(tasks.get(task.id), CommandKind.REPLY, {"message": "go on", "mode": None})


def test_a_reply_set_aside_is_said_once_however_often_its_delivery_breaks_off(
    office: Office, set_aside: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise Broke

    with monkeypatch.context() as patched:
        patched.setattr(commands, "finish", broken)
        with pytest.raises(Broke):
            office.deliver(set_aside.id)
    assert not Attempt.select().count()
    assert Command.get_by_id(set_aside.id).state == State.ACCEPTED
    office.deliver(set_aside.id)
    office.deliver(set_aside.id)
    assert [attempt.message for attempt in Attempt.select()] == ["go on"]
    assert [command.state for command in Command.select()] == [State.REDIRECTED]


def test_an_attempt_is_in_hand_from_the_moment_it_is_claimed(
    office: Office, set_aside: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.deliver(set_aside.id)
    seen: list[bool] = []
    monkeypatch.setattr(office, "_start", lambda attempt: seen.append(office.cares_for(attempt.id)))
    office.start_next()
    assert seen == [True]
