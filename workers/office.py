"""What this worker does when it is rung: start the next attempt, deliver a command, work on a repository."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from broker.wakeup import Wakeup
from shared import attempts, commands, tasks
from shared.commands import State
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import Refused
from shared.store.database import close, transaction
from shared.store.models import Attempt, Command, Task
from workers import work
from workers.attempts import closing, setting_up, starting
from workers.attempts.supervision import Supervision
from workers.attempts.watch import Watch

log = logging.getLogger(__name__)
Row = TypeVar("Row", Attempt, Command)


class Office:
    """One worker's hands: everything its actors and its janitor call."""

    def __init__(self, worker: str, config: Config, orders: Wakeup) -> None:
        self.worker = worker
        self.config = config
        self.closing = False
        self._in_hand: set[str] = set()
        self._claiming = threading.Lock()
        self._aside = ThreadPoolExecutor(2, thread_name_prefix="aside")
        self.supervision = Supervision(orders, self._end, self._slot_is_free, config.outage_seconds)

    def start_next(self) -> None:
        """Claim and start queued attempts as long as there are slots; a start that finds none leaves its row."""
        while not self.closing:
            attempt = self._claim()
            if attempt is None:
                return
            crashpoint("start.claimed")
            if setting_up.is_long(Task.get_by_id(attempt.task_id), self.config):
                self._aside_from_messages(self._start, attempt)
            else:
                self._start(attempt)

    def _claim(self) -> Attempt | None:
        """Claimed and in hand in one step for `cares_for`, or the janitor would give it back in between."""
        with self._claiming:
            attempt = attempts.claim_next(self.worker, self.config.max_attempts)
            if attempt is not None:
                self._in_hand.add(attempt.id)
            return attempt

    def _start(self, attempt: Attempt) -> None:
        try:
            watch = starting.start(attempt, self.config)
            if watch:
                self.supervision.adopt(watch)
        except Exception as error:
            log.exception("starting attempt %s failed", attempt.id)
            attempts.release(attempt, f"the worker failed: {error}")
        finally:
            self._in_hand.discard(attempt.id)

    def deliver(self, command_id: str) -> None:
        """Hand a steering command to its attempt's supervision; one without an attempt resumes its session."""
        command = Command.get_or_none(Command.id == command_id, Command.state == State.ACCEPTED)
        if command is None:
            return
        if command.attempt is not None:
            self.supervision.wake()
            return
        with transaction():  # or a crash in between would say the same thing twice
            taken = commands.take(command_id, self.worker)
            if taken is None:
                return
            try:
                onward = tasks.request_reply(Task.get_by_id(taken.task_id), str(taken.body["message"]), None)
                commands.finish(command_id, State.REDIRECTED, {"to": onward.id})
            except Refused as error:
                commands.finish(command_id, State.REFUSED, work.problem(error))

    def work(self, command_id: str) -> None:
        """Carry out a command that touches a repository, and end it whatever happens.

        One that may run a check takes minutes, on a thread of its own: a message is short (rule 3). A worker that is
        told to end does not wait for it, and the next one goes on where it stands.
        """
        with self._claiming:
            command = commands.take(command_id, self.worker)
            if command is None:
                return
            self._in_hand.add(command.id)
        if work.is_long(command):
            self._aside_from_messages(self._carry_out, command)
        else:
            self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        try:
            work.carry_out(command, self.config)
        finally:
            self._in_hand.discard(command.id)

    def _aside_from_messages(self, act: Callable[[Row], None], row: Row) -> None:
        def run() -> None:
            try:
                act(row)
            finally:
                close()

        threading.Thread(target=run, name="long work", daemon=True).start()

    def attach(self, attempt: Attempt) -> None:
        """Watch an attempt that was started before: live, or ended with output not yet stored."""
        self.supervision.adopt(starting.attach(attempt, self.config))

    def cares_for(self, id: str) -> bool:
        """Whether this process is starting, watching or ending the attempt, or carrying out the command, now."""
        with self._claiming:
            return id in self._in_hand or id in self.supervision.attempt_ids()

    def busy(self) -> bool:
        """Whether any attempt is being started, watched or ended here."""
        return bool(self._in_hand or self.supervision.attempt_ids())

    def close(self) -> None:
        """Stop taking work and store what was read; agents go on under their shims."""
        self.closing = True
        self._aside.shutdown(wait=True, cancel_futures=True)
        self.supervision.stop()

    def _end(self, watch: Watch) -> None:
        self._in_hand.add(watch.attempt.id)
        try:
            closing.close(attempts.reload(watch.attempt), watch.turn, self.config, self.attach)
        finally:
            self._in_hand.discard(watch.attempt.id)
        self._slot_is_free()

    def _slot_is_free(self) -> None:
        if not self.closing:
            self._aside.submit(self._start_waiting)

    def _start_waiting(self) -> None:
        try:
            self.start_next()
        except Exception:
            log.exception("starting the next attempt failed; the janitor tries again")
        finally:
            close()
