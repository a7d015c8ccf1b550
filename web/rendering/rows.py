"""Events as rows of the timeline; lines of one stream that follow each other share a row, a result joins its call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from markupsafe import Markup

from shared.clock import rfc3339
from web.rendering import bodies
from web.rendering.ansi import Terminal

#: Output that pauses this long gets a new row, and so a new time.
PAUSE = timedelta(seconds=2)


class Seen(NamedTuple):
    """One event as the store has it."""

    seq: int
    attempt: str | None
    kind: str
    message: str
    metadata: Mapping[str, Any]
    at: datetime

    @property
    def category(self) -> str:
        return str(self.metadata.get("category") or "")


@dataclass(frozen=True)
class Context:
    """What rows need besides their events: the task's path, its runner, and the approvals they name, by id.

    `is_live` says that a call without its result still runs; of a transcript it may stand on another page.
    """

    path: str
    runner: str = "shell"
    approvals: Mapping[str, Any] = field(default_factory=dict)
    is_live: bool = True


@dataclass(frozen=True)
class Row:
    """The events `first` to `last` as HTML."""

    first: int
    last: int
    html: Markup


class Group(NamedTuple):
    """Events that make one row."""

    events: list[Seen]
    result: list[Seen]


def rows(events: Iterable[Seen], context: Context) -> list[Row]:
    """The rows of these events, ascending."""
    return [_row(group, context) for group in grouped(events)]


def html(found: Sequence[Row]) -> Markup:
    return Markup("\n").join(row.html for row in found)


def grouped(events: Iterable[Seen]) -> list[Group]:
    """Events that belong together: lines of one stream, pieces of one text, a tool's result with its call."""
    found: list[Group] = []
    calls: dict[str, Group] = {}
    open_list: list[Seen] = []
    for event in events:
        call = str(event.metadata.get("tool_use_id") or "")
        if open_list and _continues(open_list[-1], event):
            open_list.append(event)
        elif event.category == "tool-result" and call in calls and not calls[call].result:
            open_list = calls[call].result
            open_list.append(event)
        else:
            group = Group([event], [])
            found.append(group)
            open_list = group.events
            if event.category == "tool-call" and call:
                calls[call] = group
    return found


def _continues(last: Seen, event: Seen) -> bool:
    if (event.kind, event.category, event.attempt) != (last.kind, last.category, last.attempt):
        return False
    if event.category == "runner-output":
        return event.kind in ("stdout", "stderr") and event.at - last.at < PAUSE
    return bool(event.metadata.get("continues"))


def _row(group: Group, context: Context) -> Row:
    first = group.events[0]
    kind, body = _body(group, context)
    every = [*group.events, *group.result]
    last = max(event.seq for event in every)
    head = Markup(
        '<div class="event {kind}" id="e{seq}" data-last="{last}" tabindex="-1">'
        '<a class="at" href="#e{seq}"><time datetime="{iso}" data-clock>{clock}</time></a>'
    ).format(kind=kind, seq=first.seq, last=last, iso=rfc3339(first.at), clock=first.at.strftime("%H:%M:%S"))
    return Row(first.seq, last, head + body + Markup("</div>"))


def _body(group: Group, context: Context) -> tuple[str, Markup]:
    """(classes, body) of a row."""
    first = group.events[0]
    text = "".join(event.message for event in group.events)
    match first.category:
        case "runner-output" if first.kind in ("stdout", "stderr"):
            return f"output {first.kind}", _output(group.events, context)
        case "agent-message":
            return "said", bodies.said(text)
        case "agent-thinking":
            return "thought", bodies.thought(text)
        case "plan":
            return "plan", bodies.said(text)
        case "tool-call":
            result = "".join(event.message for event in group.result) if group.result else None
            answer = group.result[0] if group.result else None
            failed = bool(answer and answer.metadata.get("failed"))
            seconds = (answer.at - first.at).total_seconds() if answer else None
            call = bodies.Call(first.message, first.metadata, result, failed, seconds, context.is_live)
            return f"tool{' failed' if failed else ''}", bodies.call(call)
        case "tool-result":
            failed = bool(first.metadata.get("failed"))
            return f"result{' failed' if failed else ''}", bodies.result(text, first.metadata, failed)
        case _:
            return _plain(first, text, context)


SAID: Mapping[str, tuple[str, Callable[[str, Mapping[str, Any]], Markup]]] = {
    "needs-input": ("asks", bodies.needs_input),
    "reply": ("reply", bodies.reply),
    "approval-decision": ("decision", bodies.decision),
    "reply-error": ("error", bodies.failure),
    "gap": ("gap", bodies.gap),
    "attempt-failed": ("ended failed", bodies.failure),
    "attempt-start-failed": ("error", bodies.failure),
    "attempt-stopped": ("ended", bodies.ended),
    "attempt-completed": ("ended ok", bodies.ended),
}


def _plain(event: Seen, text: str, context: Context) -> tuple[str, Markup]:
    if event.category == "approval-request":
        return "asks", bodies.request(text, event.metadata, context.approvals)
    if event.category in SAID:
        kind, make = SAID[event.category]
        return kind, make(text, event.metadata)
    if event.kind == "diff":
        return "diff", bodies.changes(text, context.path)
    if event.kind == "error":
        return "error", bodies.failure(text, event.metadata)
    if event.kind == "input":
        return "reply", bodies.reply(text, event.metadata)
    if event.kind in ("stdout", "stderr"):
        return f"output {event.kind}", _output([event], context)
    return "step", bodies.step(text, event.metadata)


def _output(events: Sequence[Seen], context: Context) -> Markup:
    """Each event is a line with its own address; unterminated pieces continue the line before them."""
    terminal = Terminal()
    lines: list[Markup] = []
    pieces: list[Seen] = []
    for event in events:
        pieces.append(event)
        if not event.metadata.get("partial"):
            lines.append(_line(pieces, terminal, heads_row=not lines))
            pieces = []
    if pieces:
        lines.append(_line(pieces, terminal, heads_row=not lines))
    #: What a shell prints is what a person came to read; an agent's output is a detail of what it does.
    return bodies.lines(lines, folded=context.runner != "shell")


def _line(pieces: Sequence[Seen], terminal: Terminal, *, heads_row: bool) -> Markup:
    text = "".join(piece.message for piece in pieces)
    shown = Markup("\n").join(terminal.line(part) for part in text.split("\n"))
    first, last = pieces[0].seq, pieces[-1].seq
    name = "" if heads_row else Markup(' id="e{}"').format(first)
    return Markup('<span class="line"{} data-seq="{}" data-last="{}">{}\n</span>').format(
        name, first, last, shown
    )
