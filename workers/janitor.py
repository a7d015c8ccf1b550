"""The janitor: what was left lying by a crash is taken up again, at start and every second after.

It finds attempts whose worker is dead, queued ones nobody rang for, and commands nobody took or whose taker died;
each find is one guarded write, so several janitors do no harm.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import timedelta

from broker.liveness import Owners
from shared import approvals, archive, attempts, backlog, commands, fleet, limits
from shared.clock import now
from shared.commands import CommandKind
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import OpenRuntimeError, Refused
from shared.review import landings
from shared.store.database import close
from shared.store.models import Attempt, Command, Task
from workers import deleting
from workers.attempts import process
from workers.attempts.place import worktree_of
from workers.landing import verification
from workers.office import Office
from workers.repository import discovery, folders, removal, retention, shadow

log = logging.getLogger(__name__)
ROUND_SECONDS = 1.0
DAY_SECONDS = 86_400


class Janitor(threading.Thread):
    """Tidies up every second on its own thread; `round` may be called by itself."""

    def __init__(self, office: Office, owners: Owners) -> None:
        super().__init__(name="janitor", daemon=True)
        self._office = office
        self._owners = owners
        self._closing = threading.Event()
        self._beaten_at = 0.0
        self._let_go_at: float | None = None

    def run(self) -> None:
        self._empty_trash()
        while True:
            try:
                self.round()
            except Exception:
                log.exception("the janitor failed once")
            if self._closing.wait(ROUND_SECONDS):
                close()
                return

    def stop(self) -> None:
        self._closing.set()
        self.join()

    def _empty_trash(self) -> None:
        """What killed processes left of removals and temporary git directories."""
        try:
            shadow.sweep()
            for folder in (self._office.config.worktrees, self._office.config.repositories):
                removal.empty_trash(folder)
        except OSError:
            log.warning("what was left over could not be deleted", exc_info=True)

    def round(self) -> None:
        """One look at everything."""
        if time.monotonic() - self._beaten_at >= fleet.HEARTBEAT_SECONDS:
            fleet.beat(self._office.worker)
            self._remove_unused_worktrees()
            self._beaten_at = time.monotonic()
        self._forget_the_dead()
        self._take_over()
        if backlog.queued():
            self._office.start_next()
        approvals.expire_due()
        limits.resume_due()
        commands.ring_again()
        if self._let_go_at is None or time.monotonic() - self._let_go_at >= DAY_SECONDS:
            self._let_go_at = time.monotonic()
            let_go_of_the_old(self._office.config)

    def _forget_the_dead(self) -> None:
        """Dead workers leave the list, and the commands they had taken are anybody's again."""
        for worker in fleet.workers():
            if worker.host == fleet.host() and not self._owners.is_alive(worker.id):
                commands.release(worker.id)
                fleet.forget_worker(worker.id)
        taken = Command.select(Command.worker).where(Command.state == commands.State.TAKEN).distinct()
        for row in taken:
            if not self._owners.is_alive(row.worker or ""):
                commands.release(row.worker or "")
        mine = Command.select().where(
            Command.state == commands.State.TAKEN, Command.worker == self._office.worker
        )
        for command in mine:
            if not self._office.cares_for(command.id):  # its end could not be stored
                commands.release(self._office.worker, command.id)

    def _remove_unused_worktrees(self) -> None:
        """A start that died while it made a worktree, and was then stopped, left one that no agent ever saw."""
        unused = Task.select().where(
            Task.execution_workspace.is_null(),
            Task.live_attempt.is_null(),
            Task.worktree_cleaned_at.is_null(),
        )
        for task in unused.join(Attempt).where(Attempt.claims > 0).distinct():
            worktree = worktree_of(task, self._office.config)
            if worktree is not None and not worktree.in_place:
                with suppress(Refused):
                    landings.request_work(task, CommandKind.CLEANUP, {"force": True})

    def _take_over(self) -> None:
        mine = self._office.worker
        for attempt in attempts.claimed():
            if attempt.worker == mine:
                if not self._office.cares_for(attempt.id):
                    self._resume(attempt)
            elif not self._owners.is_alive(attempt.worker or ""):
                taken = attempts.adopt(attempt, mine)
                if taken is not None:
                    crashpoint("takeover.adopted")
                    self._resume(taken)

    def _resume(self, attempt: Attempt) -> None:
        """Go on with an attempt somebody had claimed: watch it, end it, or let it be started again.

        One whose agent may have run is never started again: not even where its directory is gone (a restored backup).
        """
        directory = self._office.config.attempts / attempt.id
        try:
            match process.state(directory):
                case "absent" if directory.is_dir() or attempt.identity is None:
                    attempts.release(attempt, "its worker died before the agent started")
                case "starting":
                    return
                case _:
                    log.info("taking over attempt %s", attempt.id)
                    self._office.attach(attempt)
        except OpenRuntimeError:
            log.warning("attempt %s cannot be taken over now", attempt.id, exc_info=True)


def let_go_of_the_old(config: Config) -> None:
    """What landings and cleanups kept for a while, and checks whose worker nobody took over from."""
    since = now() - timedelta(days=archive.KEPT_DAYS)
    spare = [row.id for row in Task.select(Task.id).where(Task.worktree_cleaned_at > since)]
    has_worktree = Task.worktree_path.is_null(False) & Task.worktree_cleaned_at.is_null()
    standing = [row.id for row in Task.select(Task.id).where(has_worktree)]
    seconds = archive.KEPT_DAYS * DAY_SECONDS
    for row in Task.select(Task.workspace).where(Task.branch.is_null(False)).distinct():
        with suppress(OpenRuntimeError):
            repository = discovery.locate(row.workspace)
            if repository is not None:
                retention.prune(repository, older_than_seconds=seconds, spare=spare, standing=standing)
    for repository in folders.every(config.folders):
        retention.prune(repository, older_than_seconds=seconds, spare=spare, standing=standing)
    verification.sweep(config, older_than_seconds=DAY_SECONDS)
    deleting.forget_the_old(config)
