"""Observations as events: the one place that words what an agent said and did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from shared.events import Category, Draft, Kind
from shared.network import hosts
from workers.attempts.reading import PIECE_BYTES, pieces_of
from workers.runners.observations import (
    Hindered,
    Noticed,
    Observation,
    Output,
    Planned,
    Replied,
    Said,
    SessionStarted,
    Thought,
    ToolCall,
    ToolResult,
)

STREAMS = {"stdout": Kind.STDOUT, "stderr": Kind.STDERR}
#: A tool's input beyond this is cut in the event; the attempt's log has it whole.
INPUT_CHARACTERS = 16 * 1024
#: A plan's steps as a person would tick them off.
MARKS = {"completed": "[x]", "in_progress": "[~]"}
#: What the limits count, each with the sentence that says so.
OVER = {
    "max_memory_mib": "It uses {used:,} MiB of memory, and may use {limit:,}",
    "max_processes": "It runs {used:,} processes, and may run {limit:,}",
    "max_disk_mib": "It takes {used:,} MiB on the disk, and may take {limit:,}",
    "OPENRUNTIME_MIN_FREE_MIB": "Only {used:,} MiB are left on the disk, and {limit:,} are kept free",
}


def over_limit(attempt_id: str, field: str, used: int, limit: int) -> Draft:
    """An agent that is being stopped for what it takes of its host; `field` is the policy's, or a setting."""
    about = {
        "category": Category.POLICY,
        "attempt_id": attempt_id,
        "field": field,
        "used": used,
        "limit": limit,
    }
    return Draft(
        Kind.LIFECYCLE, f"{OVER[field].format(used=used, limit=limit)}. The agent is stopped.", about
    )


class Narrator:
    """Words one attempt's observations; plain output shares its metadata object from line to line."""

    def __init__(self, attempt_id: str, runner: str) -> None:
        self._attempt = attempt_id
        self._runner = runner
        self._whole = {stream: self._output(stream) for stream in STREAMS}
        self._partial = {stream: {**self._output(stream), "partial": True} for stream in STREAMS}

    def _output(self, stream: str, event_type: str = "plain") -> dict[str, Any]:
        return {
            "category": Category.RUNNER_OUTPUT,
            "runner": self._runner,
            "event_type": event_type,
            "needs_input": False,
            "stream": stream,
            "attempt_id": self._attempt,
        }

    def events(self, seen: Observation) -> Iterator[Draft]:
        """The events one observation makes; some make none."""
        details: dict[str, Any]
        match seen:
            case Output():
                yield from self._lines(seen)
            case Said():
                details = {"event_type": seen.event_type, **_within(seen.parent)}
                yield from self._long(seen.text, Category.AGENT_MESSAGE, details)
            case Thought():
                yield from self._long(seen.text, Category.AGENT_THINKING, _within(seen.parent))
            case ToolCall():
                details = {"tool": seen.name, "tool_use_id": seen.id, "input": _bounded(seen.input)}
                about = self._about(Category.TOOL_CALL, {**details, **_within(seen.parent)})
                yield Draft(Kind.STDOUT, seen.title, about)
            case ToolResult():
                details = {"tool_use_id": seen.id, "failed": seen.failed, **_within(seen.parent)}
                details |= {"partial": True} if seen.partial else {}
                yield from self._long(seen.text, Category.TOOL_RESULT, details)
            case Planned():
                steps = [{"step": step, "status": status} for step, status in seen.steps]
                text = "\n".join(f"{MARKS.get(status, '[ ]')} {step}" for step, status in seen.steps)
                yield from self._long(text, Category.PLAN, {"steps": steps})
            case Hindered():
                yield Draft(Kind.LIFECYCLE, seen.text, {**self._output("stdout", "hindrance")})
            case SessionStarted():
                about = self._about(Category.RUNNER_SESSION, {"session_id": seen.session_id})
                yield Draft(Kind.LIFECYCLE, f"Runner session id: {seen.session_id}", about)
            case Noticed():
                about = {**self._output("stdout", "notice"), **seen.metadata}
                yield Draft(Kind.LIFECYCLE, seen.text, about)

    def replied(self, seen: Replied, *, delivery: str, clears: bool) -> Draft:
        """A reply that reached the agent; `clears` when it ended a needs-input."""
        about: dict[str, Any] = {"delivery": delivery}
        if clears:
            about["clears_status"] = "needs-input"
        return Draft(Kind.INPUT, seen.text, self._about(Category.REPLY, about))

    def needs_input(self, reason: str, detection: str) -> Draft:
        about = {"reason": reason, "source": self._runner, "detection": detection}
        return Draft(
            Kind.LIFECYCLE,
            f"Needs input: {reason}" if reason else "Needs input",
            self._about(Category.NEEDS_INPUT, about),
        )

    def reached(self, note: Mapping[str, Any]) -> Draft:
        """What the agent's programs reached, or not, and how often since it was last said."""
        details = {name: note.get(name) for name in ("verdict", "host", "port", "count", "why")}
        where = hosts.written((str(note["host"]), note["port"])) if note["host"] else "further hosts"
        verdict, why = note["verdict"], note["why"]
        text = f"Reached {where}" if verdict == "allowed" else why or f"Not reached: {where}"
        times = f" ({note['count']} times)" if note["count"] > 1 else ""
        return Draft(Kind.LIFECYCLE, text + times, self._about(Category.POLICY, details))

    def gap(self, text: str, **details: Any) -> Draft:
        """Something of the output is missing, and this says what."""
        return Draft(Kind.LIFECYCLE, text, self._about(Category.GAP, details))

    def _lines(self, seen: Output) -> Iterator[Draft]:
        kind = STREAMS[seen.stream]
        metadata = (self._partial if seen.partial else self._whole)[seen.stream]
        for line in seen.lines:
            if len(line) <= PIECE_BYTES // 4:
                yield Draft(kind, line, metadata)
            else:
                *pieces, last = pieces_of(line)
                for piece in pieces:
                    yield Draft(kind, piece, self._partial[seen.stream])
                yield Draft(kind, last, metadata)

    def _long(self, text: str, category: Category, details: Mapping[str, Any]) -> Iterator[Draft]:
        about = self._about(category, details)
        for number, piece in enumerate(pieces_of(text)):
            yield Draft(Kind.STDOUT, piece, about if number == 0 else {**about, "continues": True})

    def _about(self, category: Category, details: Mapping[str, Any]) -> dict[str, Any]:
        return {"category": category, "attempt_id": self._attempt, "runner": self._runner, **details}


def _within(parent: str | None) -> dict[str, str]:
    """Marks what a sub-agent said or did with the call that started it."""
    return {"parent_tool_use_id": parent} if parent else {}


def _bounded(value: Mapping[str, Any]) -> Any:
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text) <= INPUT_CHARACTERS:
        return dict(value)
    return {"cut": True, "text": text[:INPUT_CHARACTERS]}
