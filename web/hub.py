"""What changed in the store, to everyone who watches: one thread per web process reads it and encodes it once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Protocol

import peewee

from shared import doorbell
from shared.clock import from_micros, now, to_micros
from shared.store.database import close as close_store
from shared.store.database import raw
from shared.store.models import Task
from web import event_text, reading, views
from web.census import Census
from web.subscriber import Frame, Subscriber
from web.wire import text_frame

log = logging.getLogger(__name__)

BOARD = "board"
#: Frames of one topic are at least this far apart (web.md 1.1: one fifth of the CPU of a frame per event).
TICK_SECONDS = 0.04
#: How long a lost ring goes unnoticed.
SAFETY_SECONDS = 1.0
PAGE = 500
FRAME_BYTES = 256 * 1024
#: A task that only grows is shown this often; a change of anything else at once.
GROWTH_SECONDS = 0.5
GROWING = ("event_count", "updated_at", "cost_ledger")
#: Stamps are taken before their commit, so a look goes back this far.
SLACK_MICROS = 2_000_000


class Listener(Protocol):
    """One thread's end of a bell (`broker.wakeup`)."""

    def wait(self, timeout_seconds: float) -> bool: ...
    def poke(self) -> None: ...
    def close(self) -> None: ...


def task_topic(task_id: str) -> str:
    return f"task:{task_id}"


def events_frame(topic: str, first: int, last: int, texts: Iterable[str]) -> Frame:
    payload = f'{{"topic":"{topic}","first":{first},"last":{last},"events":[{",".join(texts)}]}}'
    return Frame(topic, first, last, text_frame(payload.encode()))


def pages(task_number: int, topic: str, after: int, limit: int = PAGE) -> list[Frame]:
    """The next `limit` stored events above `after`, in frames of bounded size."""
    task_id = topic.partition(":")[2]
    frames: list[Frame] = []
    texts: list[str] = []
    first = size = last = 0
    for seq, text in event_text.after(task_number, task_id, after, limit):
        if texts and size + len(text) > FRAME_BYTES:
            frames.append(events_frame(topic, first, last, texts))
            texts, size = [], 0
        first = first if texts else seq
        texts.append(text)
        size, last = size + len(text), seq
    if texts:
        frames.append(events_frame(topic, first, last, texts))
    return frames


class _Topic:
    """A watched task: who watches, how far its events are published, what was last shown of it."""

    def __init__(self, number: int, known: int) -> None:
        self.number, self.known = number, known
        self.members: set[Subscriber] = set()


class Hub:
    """Start it after the fork. `stopping` is set for good when the process ends."""

    def __init__(self, listener: Callable[[], Listener]) -> None:
        self.stopping = threading.Event()
        self._make_listener = listener
        self._listener: Listener | None = None
        self._guard = threading.Lock()
        self._topics: dict[str, _Topic] = {}
        self._board: set[Subscriber] = set()
        self._members: set[Subscriber] = set()
        self._changed = threading.Condition()
        self._shown: dict[int, tuple[str, str, float]] = {}
        self._owed: set[int] = set()
        self._census = Census()
        self._seen_at = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._seen_at = to_micros(now())
        self._listener = self._make_listener()
        doorbell.listen(lambda ring: self.poke())
        self._thread = threading.Thread(target=self._run, name="hub", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wake every waiting request and socket; safe in a signal handler."""
        self.stopping.set()
        self.poke()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def poke(self) -> None:
        """Look at the store now."""
        if self._listener is not None:
            self._listener.poke()

    def wait(self, seconds: float) -> None:
        """Sleep until something may have changed, at most `seconds`."""
        with self._changed:
            if not self.stopping.is_set():
                self._changed.wait(seconds)

    @property
    def sockets(self) -> int:
        return len(self._members)

    def enter(self, member: Subscriber, most: int) -> bool:
        """Take a place among `most`; False when none is free."""
        with self._guard:
            if len(self._members) >= most:
                return False
            self._members.add(member)
            return True

    def held_by(self, holder: str) -> int:
        """How many places one credential has."""
        with self._guard:
            return sum(member.holder == holder for member in self._members)

    def leave(self, member: Subscriber) -> None:
        self.cancel(member)
        with self._guard:
            self._members.discard(member)

    def cancel(self, member: Subscriber) -> None:
        """Drop all subscriptions of one socket."""
        with self._guard:
            self._board.discard(member)
            for name in list(self._topics):
                self._drop(name, member)

    def watch_board(self, member: Subscriber) -> None:
        with self._guard:
            self._board.add(member)

    def watch(self, member: Subscriber, topic: str, number: int, known: int) -> None:
        """Publish the topic's events to `member`: of a new topic those above `known`, else the coming ones.

        Whoever subscribes first and reads the store second misses nothing.
        """
        with self._guard:
            self._topics.setdefault(topic, _Topic(number, known)).members.add(member)
        self.poke()

    def unwatch(self, member: Subscriber, topic: str) -> None:
        with self._guard:
            if topic == BOARD:
                self._board.discard(member)
            else:
                self._drop(topic, member)

    def _drop(self, name: str, member: Subscriber) -> None:
        topic = self._topics.get(name)
        if topic is not None:
            topic.members.discard(member)
            if not topic.members:
                del self._topics[name]

    def _run(self) -> None:
        assert self._listener is not None  # noqa: S101 - set before the thread starts
        with closing(self._listener):
            while not self.stopping.is_set():
                began = time.monotonic()
                self._look()
                with self._changed:
                    self._changed.notify_all()
                self.stopping.wait(max(0.0, began + TICK_SECONDS - time.monotonic()))
                self._listener.wait(GROWTH_SECONDS if self._owed else SAFETY_SECONDS)
        with self._changed:
            self._changed.notify_all()
        for member in list(self._members):
            member.wake.set()
        close_store()

    def _look(self) -> None:
        try:
            reading.allow_writes(False)
            self._publish_deletions()
            self._publish_events()
            self._publish_tasks()
        except peewee.DatabaseError as error:
            log.warning("the live stream could not read the store: %s", error)
            close_store()
        except Exception:
            log.exception("the live stream failed; it goes on with the next change")

    def _publish_deletions(self) -> None:
        with self._guard:
            interested = bool(self._board or self._topics)
        if not interested:
            return self._census.forget()
        for task_id in self._census.gone():
            name = task_topic(task_id)
            with self._guard:
                topic = self._topics.pop(name, None)
                members = set(topic.members) if topic else set()
                others = self._board - members
            #: Whoever watches both hears of it once.
            for target, readers in ((name, members), (BOARD, others)):
                self._send(readers, deleted_frame(target, task_id))
        return None

    def _publish_events(self) -> None:
        with self._guard:
            watched = {topic.number: (name, topic) for name, topic in self._topics.items()}
        if not watched:
            return
        marks = ",".join("?" * len(watched))
        rows = raw().execute(f"SELECT number, last_seq FROM task WHERE number IN ({marks})", list(watched))  # noqa: S608
        for number, last_seq in rows.fetchall():
            name, topic = watched[number]
            while topic.known < last_seq and not self.stopping.is_set():
                frames = pages(number, name, topic.known)
                if not frames:
                    break
                for frame in frames:
                    self._send(list(topic.members), frame)
                topic.known = frames[-1].last

    def _send(self, members: Iterable[Subscriber], frame: Frame) -> None:
        for member in members:
            if not member.offer(frame):
                self.cancel(member)

    def _publish_tasks(self) -> None:
        at = to_micros(now())
        low = min(self._seen_at, at) - SLACK_MICROS
        self._seen_at = at
        with self._guard:
            interested = bool(self._board or self._topics)
        if not interested:
            self._shown.clear()
            self._owed.clear()
            return
        changed = Task.updated_at >= from_micros(low)
        rows = list(Task.select().where(changed | Task.number.in_(list(self._owed))))
        self._owed.clear()
        for row, view in zip(rows, views.task_views(rows), strict=True):
            self._publish_task(row, views.light(view))
        if len(self._shown) > PAGE:
            self._shown = {row.number: self._shown[row.number] for row in rows if row.number in self._shown}

    def _publish_task(self, row: Task, view: views.View) -> None:
        shape = views.text({key: value for key, value in view.items() if key not in GROWING})
        whole = views.text(view)
        before_shape, before_whole, shown_at = self._shown.get(row.number, ("", "", 0.0))
        if whole == before_whole:
            return
        if shape == before_shape and time.monotonic() < shown_at + GROWTH_SECONDS:
            self._owed.add(row.number)
            return
        self._shown[row.number] = (shape, whole, time.monotonic())
        name = task_topic(row.id)
        with self._guard:
            topic = self._topics.get(name)
            members = {BOARD: list(self._board), name: list(topic.members) if topic else []}
        for target, readers in members.items():
            if readers:
                self._send(readers, task_frame(target, whole))


def task_frame(topic: str, view_text: str) -> Frame:
    return Frame(topic, 0, 0, text_frame(f'{{"topic":"{topic}","task":{view_text}}}'.encode()))


def deleted_frame(topic: str, task_id: str) -> Frame:
    """What both topics say of a task that is gone; `topic` decides who gets it."""
    return Frame(topic, 0, 0, text_frame(f'{{"topic":"{task_topic(task_id)}","deleted":true}}'.encode()))
