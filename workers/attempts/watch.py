"""One live attempt as its supervision sees it: what was read, what it means, what is still to be stored."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared import policy
from shared.approvals import Verdict
from shared.attempts import Progress
from shared.events import Draft
from shared.lifecycle import Status
from shared.policy import grants, tool_rules
from shared.store.models import Attempt
from workers.attempts import log
from workers.attempts.narration import Narrator, over_limit
from workers.attempts.process import Control
from workers.attempts.reading import LineReader
from workers.runners import Context, Runner
from workers.runners.observations import (
    Asked,
    Hindered,
    Observation,
    Outcome,
    Output,
    Replied,
    Send,
    SessionStarted,
    Spent,
    ToolResult,
    TurnEnded,
    Unsafe,
    Withdrawn,
)
from workers.shim import frames

STREAMS = {frames.STDIN: "stdin", frames.STDOUT: "stdout", frames.STDERR: "stderr"}
#: A prompt without its newline is shown once its stream was quiet this long (architecture rule 4).
QUIET_SECONDS = 0.15
READ_BYTES = 64 * 1024


@dataclass
class Watch:
    """State of one attempt between its start (or re-attach) and its end."""

    attempt: Attempt
    runner: Runner
    context: Context
    directory: Path
    control: Control | None
    wake: Callable[[], None] = lambda: None
    #: Captures what is there before a turn begins; the capture's id, None for the base.
    before_turn: Callable[[], str | None] = lambda: None
    status: Status = Status.RUNNING
    offset: int = 0
    turn: TurnEnded | None = None
    dirty: bool = True
    ended: bool = False
    drafts: list[Draft] = field(default_factory=list)
    jobs: deque[Callable[[], None]] = field(default_factory=deque)
    in_hand: set[str] = field(default_factory=set)
    busy: bool = False
    stored_offset: int = 0
    #: What the agent's protocol needs from us, by id, until its shim has it; kept with the reader's state.
    unsent: dict[str, bytes] = field(default_factory=dict)
    #: What holds the agent up, and since when (monotonic); whether it must be ended at once.
    hindrance: str | None = None
    hindered_since: float = 0.0
    unsafe: bool = False
    stopping: bool = False
    #: What other threads want done by the loop, which alone touches the rest; each event is set once it is stored.
    mail: deque[tuple[Callable[[], None], threading.Event]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.ended = self.control is None
        kept = self.attempt.runner_state or {}
        self.offset = self.stored_offset = self.attempt.log_offset
        self.status = Status(self.attempt.status)
        self.reader = self.runner.reader(kept.get("reader"), self.context)
        self.turn = _turn(kept.get("turn"))
        self.unsent = {id: base64.b64decode(data) for id, data in (kept.get("unsent") or {}).items()}
        self.hindrance = self.attempt.hindrance
        self.hindered_since = time.monotonic()
        self.lines = LineReader(self.attempt.reader_state, pieces=self.reader.partial_lines)
        self.narrator = Narrator(self.attempt.id, self.runner.name)
        self._quiet_since = time.monotonic()
        self._progress = self._blank()

    @property
    def log_path(self) -> Path:
        return self.directory / "log"

    def read(self) -> bool:
        """Read what the log has grown by, up to a bound; whether there may be more."""
        found, self.offset = log.read(self.log_path, self.offset, READ_BYTES)
        for frame in found:
            if frame.stream == frames.NOTE:
                self._noted(json.loads(frame.payload))
            else:
                self._heard(STREAMS[frame.stream], frame.payload)
        if found:
            self._quiet_since = time.monotonic()
        return bool(found)

    def show_tails(self) -> None:
        """Show unfinished lines of plain output once their stream was quiet."""
        if self.has_tails and time.monotonic() - self._quiet_since >= QUIET_SECONDS:
            self._show(self.lines.tail)

    def show_rest(self) -> None:
        """Show every unfinished line: the streams have ended."""
        self._show(self.lines.rest)

    def _show(self, taken: Callable[[str], str]) -> None:
        for stream in ("stdout", "stderr"):
            if self.lines.has_tail(stream) and (text := taken(stream)):
                self._observe(self.reader.feed(stream, [text], self.reader.partial_lines))

    @property
    def has_tails(self) -> bool:
        return self.reader.partial_lines and (self.lines.has_tail("stdout") or self.lines.has_tail("stderr"))

    @property
    def has_news(self) -> bool:
        """Whether there is anything to store."""
        new = self._progress
        changed = self.drafts or new.questions or new.withdrawn or new.cost or new.status or new.session_id
        return bool(changed) or self.offset != self.stored_offset or self.hindrance != self.attempt.hindrance

    def take(self) -> Progress | None:
        """What is to be stored now, with the offset it came from; None when nothing changed."""
        if not self.has_news:
            return None
        progress = self._progress
        progress.drafts, self.drafts = self.drafts, []
        progress.log_offset = self.offset
        progress.at_rest = self.at_rest
        progress.reader_state = _json(self.lines.state())
        progress.runner_state = _json(
            {
                "reader": self.reader.state(),
                "turn": _turn_json(self.turn),
                "unsent": {id: base64.b64encode(data).decode() for id, data in self.unsent.items()},
            }
        )
        progress.hindrance = self.attempt.hindrance = self.hindrance
        self._progress = self._blank()
        return progress

    def stored(self, progress: Progress) -> None:
        """The batch with this progress is committed."""
        self.stored_offset = progress.log_offset

    def sent(self, id: str) -> None:
        """The shim has what the protocol needed."""
        self.unsent.pop(id, None)

    def _blank(self) -> Progress:
        return Progress(self.attempt.id, self.attempt.task_id, self.attempt.epoch, self.offset)

    def _heard(self, stream: str, payload: bytes) -> None:
        lines, pieces = self.lines.feed(stream, payload)
        if lines:
            self._observe(self.reader.feed(stream, lines))
        for piece in pieces:
            self._observe(self.reader.feed(stream, [piece], True))

    def _observe(self, seen: Sequence[Observation]) -> None:
        for item in seen:
            self._hindered(item)
            match item:
                case Output():
                    pass
                case Send():
                    self.unsent[item.id] = item.data
                case Unsafe():
                    self.unsafe = True
                    self.turn = TurnEnded(Outcome.FAILED, error=item.reason)
                case Replied():
                    self.drafts.append(
                        self.narrator.replied(
                            item, delivery="stdin", clears=self.status is Status.NEEDS_INPUT
                        )
                    )
                    self.turn = None
                    self._become(Status.RUNNING)
                case SessionStarted():
                    self._progress.session_id = item.session_id
                case Asked():
                    self._asked(item)
                case Withdrawn():
                    self._progress.withdrawn.append(item.request)
                case ToolResult() if not item.partial:
                    self._progress.results.append(item.id)
                case Spent():
                    self._progress.cost = item.cost
                case TurnEnded():
                    self._turn_ended(item)
            self.drafts.extend(self.narrator.events(item))

    def _turn_ended(self, item: TurnEnded) -> None:
        """An interrupted agent waits to be told how to go on; unless it is being stopped."""
        self.turn = item
        if item.outcome is Outcome.INTERRUPTED and not self.stopping:
            self._become(Status.NEEDS_INPUT)
            self.drafts.append(
                self.narrator.needs_input("the turn was interrupted; say how to go on", "interrupt")
            )

    def _hindered(self, item: Observation) -> None:
        """Whatever an agent says or does shows that nothing holds it up any more."""
        if isinstance(item, Hindered):
            self.hindered_since = self.hindered_since if self.hindrance else time.monotonic()
            self.hindrance = item.text
        elif not isinstance(item, Output | Send | Spent):
            self.hindrance = None

    def _asked(self, item: Asked) -> None:
        question = item.question
        call = tool_rules.call_of(
            question.tool, question.input, question.command, question.cwd or self.context.cwd
        )
        found = policy.tool_decision(
            self.context.policy,
            call,
            contained=self.context.contained,
            granted=grants.of(self.attempt.task_id),
        )
        if found.action == "ask" or question.choices or question.tool in tool_rules.FOR_A_PERSON:
            self._progress.questions.append((question, None))
            self._become(Status.NEEDS_INPUT)
            self.drafts.append(self.narrator.needs_input(question.title, "protocol"))
        else:
            self._progress.questions.append((question, Verdict(found.action, str(found), found.reason)))

    def _noted(self, note: dict[str, Any]) -> None:
        match note.get("note"):
            case "waiting":
                self._show(self.lines.tail)
                self._become(Status.NEEDS_INPUT)
                self.drafts.append(
                    self.narrator.needs_input(self.lines.last_line, str(note.get("detection", "read")))
                )
            case "resumed":
                self._become(Status.RUNNING)
            case "over-limit":
                self.drafts.append(over_limit(self.attempt.id, note["field"], note["used"], note["limit"]))
            case "network":
                self.drafts.append(self.narrator.reached(note))
            case "dropped":
                self.drafts.append(self.narrator.gap("Output was dropped: the log is full", **note))

    def _become(self, status: Status) -> None:
        if self.status is not status:
            self.status = self._progress.status = status

    def heard_reply(self) -> None:
        """The shim wrote a reply: read on until its frame, and with it event and status, has come by."""
        while self.read():
            pass

    def answered(self) -> None:
        """Every question has its answer: the agent works again."""
        self._become(Status.RUNNING)

    def post(self, action: Callable[[], None], wait_seconds: float) -> None:
        """Have the loop do `action`, and wait until its effect is stored; for other threads than the loop's."""
        done = threading.Event()
        self.mail.append((action, done))
        self.dirty = True
        self.wake()
        done.wait(wait_seconds)

    @property
    def is_working(self) -> bool:
        """Whether a turn is under way, one that waits for an answer included."""
        return self.turn is None and self.is_agent

    @property
    def is_agent(self) -> bool:
        """Whether it works in turns and waits by its protocol; a shell's waiting is the shim's to see."""
        return self.runner.capabilities.sessions

    @property
    def takes_replies(self) -> bool:
        """Whether this agent will take words as soon as it has started."""
        return self.runner.capabilities.reply == "live" and self.context.options.get("mode") != "oneshot"

    @property
    def at_rest(self) -> bool:
        """Whether the agent has nothing to do unless somebody says something more."""
        return self.turn is not None and self.turn.outcome is not Outcome.INTERRUPTED


def _turn(kept: dict[str, Any] | None) -> TurnEnded | None:
    return TurnEnded(**{**kept, "outcome": Outcome(kept["outcome"])}) if kept else None


def _turn_json(turn: TurnEnded | None) -> dict[str, Any] | None:
    return dataclasses.asdict(turn) if turn else None


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))
