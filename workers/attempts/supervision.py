"""The supervision loop: one thread per worker that turns every live attempt's log into events.

It never blocks on an agent, a shim or git: steering and endings run in small pools, so that a stop is never
behind a start (reference: control messages starve behind runs).
"""

from __future__ import annotations

import logging
import selectors
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import peewee

from broker.wakeup import Wakeup
from shared import attempts, commands
from shared.crashpoints import crashpoint
from shared.lifecycle import Status
from shared.store.database import close, raw
from workers.attempts import steering
from workers.attempts.watch import Watch

log = logging.getLogger(__name__)

#: One commit per this long or this many events (measured: 25 ms batches cost a third of immediate ones).
BATCH_SECONDS = 0.025
BATCH_EVENTS = 500
#: Commands are looked for on every ring, and at least this often.
LOOK_SECONDS = 1.0
RETRY_SECONDS = 1.0
STEERING_THREADS = 4
ENDING_THREADS = 3


class Supervision(threading.Thread):
    """Owns this worker's watches; `adopt` hands it one, `on_end` is called when one is over."""

    def __init__(
        self,
        orders: Wakeup,
        end: Callable[[Watch], None],
        on_slot: Callable[[], None],
        outage_seconds: float,
    ) -> None:
        super().__init__(name="supervision", daemon=True)
        self._outage_seconds = outage_seconds
        self._orders = orders
        self._end = end
        self._on_slot = on_slot
        self._selector = selectors.DefaultSelector()
        self._watches: dict[str, Watch] = {}
        self._new: list[Watch] = []
        self._ending: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._look = True
        self._looked_at = 0.0
        self._flushed_at = 0.0
        self._steering = ThreadPoolExecutor(STEERING_THREADS, thread_name_prefix="steering")
        self._endings = ThreadPoolExecutor(ENDING_THREADS, thread_name_prefix="ending")
        self._listener = orders.listener()
        self._selector.register(self._listener, selectors.EVENT_READ, self._on_orders)

    def adopt(self, watch: Watch) -> None:
        """Take over a live attempt; its control connection watches already."""
        with self._lock:
            self._new.append(watch)
        self.wake()

    def wake(self) -> None:
        """Look at commands and new watches now."""
        self._listener.poke()

    def attempt_ids(self) -> set[str]:
        """The attempts watched here, about to be watched included."""
        with self._lock:
            return {*self._watches, *self._ending, *(watch.attempt.id for watch in self._new)}

    def stop(self) -> None:
        """End the loop after storing what was read; agents go on under their shims."""
        self._stopping = True
        self.wake()
        self.join()
        self._steering.shutdown(wait=True)
        self._endings.shutdown(wait=True)

    def run(self) -> None:
        raw().execute("PRAGMA synchronous = NORMAL")  # what a power cut takes, the shims' logs give back
        while not self._stopping:
            try:
                self._turn()
            except peewee.DatabaseError:
                log.warning("the store does not take events now; they stay in the logs", exc_info=True)
                time.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("the supervision loop failed once")
                time.sleep(RETRY_SECONDS)
        self._store(list(self._watches.values()))
        self._listener.close()
        close()

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._timeout()):
            key.data()
        self._welcome()
        if self._look or time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._look_for_commands()
        watches = list(self._watches.values())
        done = [self._open_mail(watch) for watch in watches]
        for watch in watches:
            if watch.dirty:
                watch.dirty = watch.read()
            watch.show_tails()
        self._flush(watches, at_once=any(done))
        for event in (event for opened in done for event in opened):
            event.set()
        for watch in watches:
            self._follow_up(watch)

    @staticmethod
    def _open_mail(watch: Watch) -> list[threading.Event]:
        opened = []
        while watch.mail:
            action, event = watch.mail.popleft()
            action()
            opened.append(event)
        return opened

    def _timeout(self) -> float:
        watches = self._watches.values()
        if any(watch.dirty for watch in watches):
            return 0.0
        if any(watch.has_news for watch in watches):
            return max(0.0, BATCH_SECONDS - (time.monotonic() - self._flushed_at))
        if any(watch.has_tails for watch in watches):
            return 0.05
        return LOOK_SECONDS

    def _on_orders(self) -> None:
        self._listener.drain()
        self._look = True

    def _welcome(self) -> None:
        with self._lock:
            new, self._new = self._new, []
            for watch in new:
                watch.wake = self.wake
                self._watches[watch.attempt.id] = watch
        for watch in new:
            if watch.control is not None:
                self._selector.register(watch.control, selectors.EVENT_READ, partial(self._pushed, watch))
                self._pushed(watch)  # what came with the answer to `watch` makes no socket readable any more
            self._look = True

    def _pushed(self, watch: Watch) -> None:
        watch.dirty = True
        if watch.control is not None and any("exited" in push for push in watch.control.pushes()):
            self._selector.unregister(watch.control)
            watch.control.close()
            watch.control = None
            watch.ended = True

    def _look_for_commands(self) -> None:
        self._look = False
        self._looked_at = time.monotonic()
        if not self._watches:
            return
        for command in commands.waiting_for(list(self._watches)):
            watch = self._watches.get(command.attempt or "")
            if watch is not None and command.id not in watch.in_hand:
                watch.in_hand.add(command.id)
                self._queue(watch, partial(steering.carry_out, watch, command))

    def _queue(self, watch: Watch, job: Callable[[], None]) -> None:
        """One steering job of an attempt at a time, in order; a hung shim holds up nobody else."""
        with self._lock:
            watch.jobs.append(job)
            if watch.busy:
                return
            watch.busy = True
        self._steering.submit(self._work_off, watch)

    def _work_off(self, watch: Watch) -> None:
        try:
            while True:
                with self._lock:
                    if not watch.jobs:
                        watch.busy = False
                        return
                    job = watch.jobs.popleft()
                try:
                    job()
                except Exception:
                    log.exception("steering attempt %s failed", watch.attempt.id)
                    watch.in_hand.clear()
        finally:
            close()
            self.wake()

    def _flush(self, watches: list[Watch], *, at_once: bool) -> None:
        pending = sum(len(watch.drafts) for watch in watches)
        late = time.monotonic() - self._flushed_at >= BATCH_SECONDS
        if pending >= BATCH_EVENTS or late or at_once:
            self._store(watches)

    def _store(self, watches: list[Watch]) -> None:
        batch = [(watch, progress) for watch in watches if (progress := watch.take())]
        if not batch:
            return
        try:
            fenced = self._record([progress for _, progress in batch])
        except BaseException:
            for watch, _ in batch:
                self._drop(watch)  # what was read but not stored is read again by whoever attaches next
            raise
        self._flushed_at = time.monotonic()
        for watch, progress in batch:
            watch.stored(progress)
            if progress.attempt_id in fenced:
                self._drop(watch)
            elif progress.status is Status.NEEDS_INPUT:
                self._on_slot()
            if progress.questions:
                self._look = True
            if progress.status is Status.NEEDS_INPUT and watch.is_agent:
                self._queue(watch, partial(steering.hold_clock, watch))

    def _record(self, batch: list[attempts.Progress]) -> set[str]:
        """Store a batch; while the store refuses, hold it and try again rather than lose a line."""
        while True:
            try:
                crashpoint("progress.before-store")
                fenced = attempts.record(batch)
                crashpoint("progress.after-store")
                return fenced
            except peewee.OperationalError:
                if self._stopping:
                    raise
                log.warning("the store does not take events now; trying again", exc_info=True)
                time.sleep(RETRY_SECONDS)

    def _follow_up(self, watch: Watch) -> None:
        if watch.dirty or watch.attempt.id not in self._watches:
            return
        if watch.ended:
            watch.show_rest()
            self._store([watch])
            if watch.attempt.id in self._watches:
                self._ending.add(watch.attempt.id)
                self._drop(watch)
                self._endings.submit(self._end_once, watch)
        elif watch.stored_offset == watch.offset:
            self._go_on(watch)

    def _go_on(self, watch: Watch) -> None:
        """What an agent needs from us once all it said is stored: its protocol's next bytes, or an end."""
        for id in list(watch.unsent):
            self._once(watch, f"send-{id}", partial(steering.send, watch, id))
        if watch.unsafe:
            self._once(watch, "end", partial(steering.end, watch, steering.UNSAFE, ()))
        elif watch.hindrance and time.monotonic() - watch.hindered_since > self._outage_seconds:
            self._once(watch, "end", partial(steering.end, watch, steering.OUTAGE))
        elif watch.at_rest and self._once(watch, "end-turn", partial(steering.end_turn, watch)):
            self._look = True  # what was to be said after this turn

    def _once(self, watch: Watch, name: str, job: Callable[[], None]) -> bool:
        if name in watch.in_hand:
            return False
        watch.in_hand.add(name)
        self._queue(watch, job)
        return True

    def _end_once(self, watch: Watch) -> None:
        """End an attempt; when the store or git fails for now, the janitor finds it again."""
        try:
            self._end(watch)
        except Exception:
            log.exception("ending attempt %s failed; it will be tried again", watch.attempt.id)
        finally:
            self._ending.discard(watch.attempt.id)
            close()

    def _drop(self, watch: Watch) -> None:
        with self._lock:
            self._watches.pop(watch.attempt.id, None)
        if watch.control is not None:
            self._selector.unregister(watch.control)
            watch.control.close()
