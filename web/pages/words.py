"""How values read on a page: ages, durations, money, and untrusted text with everything invisible made visible."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from flask import Flask
from markupsafe import Markup

from shared import task_place
from shared.audit import Actor
from shared.clock import from_micros, now, rfc3339
from shared.store.models import Task
from shared.task_place import TaskPlace
from web.rendering.marks import spelled, visible

#: Terminal control: CSI, OSC (with its terminator), other two-byte escapes.
ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)|\x1b[ -/]*[0-~]", re.DOTALL)
MINUTE, HOUR, DAY = 60, 3600, 86400
LABELS = {"claude-code": "Claude", "codex": "Codex", "shell": "Shell"}
PLACES: dict[str, str] = {TaskPlace.COPY: "copy of the folder", TaskPlace.IN_PLACE: "in place"}
MICROS_PER_CENT = 10_000
ACTORS: dict[str, str] = {
    Actor.BROWSER: "You, in a browser",
    Actor.BEARER: "You, by token",
    Actor.TERMINAL: "You, in a terminal",
    Actor.RULE: "A rule",
    Actor.TIMEOUT: "The clock",
    Actor.SYSTEM: "openRuntime",
}


def install(app: Flask) -> None:
    """Make these words filters of the templates."""
    app.jinja_env.filters.update(
        visible=visible,
        spelled=spelled,
        plain=plain,
        ago=ago,
        span=span,
        moment=moment,
        iso=rfc3339,
        instant=from_micros,
        runner=runner_label,
        short_path=short_path,
        plural=plural,
        actor=actor,
        field=field,
    )


def plain(text: str) -> str:
    """Output as text: terminal control is gone, and what a carriage return overwrote too."""
    lines = ANSI.sub("", text).split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(plain(text).split("\n")) if line.strip()), "")


def span(seconds: float | None) -> str:
    """`41s`, `12m`, `3h 5m`, `2d`."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m"
    if whole < DAY:
        minutes = whole % HOUR // MINUTE
        return f"{whole // HOUR}h {minutes}m" if minutes else f"{whole // HOUR}h"
    return f"{whole // DAY}d"


def ago(at: datetime | None) -> str:
    """`just now`, `12m ago`."""
    if at is None:
        return ""
    seconds = (now() - at).total_seconds()
    return "just now" if seconds < 10 else f"{span(seconds)} ago"


def moment(at: datetime | None) -> Markup:
    """A `<time>` element that the page's script keeps up to date."""
    if at is None:
        return Markup("")
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        rfc3339(at), at.strftime("%Y-%m-%d %H:%M:%S UTC"), ago(at)
    )


def money(micros: int, estimated: bool = False) -> str:
    """`$0.84`, `~$0.84` where it is an estimate, empty for nothing spent."""
    if micros <= 0:
        return ""
    cents = (micros + MICROS_PER_CENT // 2) // MICROS_PER_CENT
    sign = "~" if estimated else ""
    return f"{sign}<$0.01" if cents == 0 else f"{sign}${cents / 100:.2f}"


def runner_label(name: str) -> str:
    return LABELS.get(name, name)


def actor(name: str) -> str:
    """Who did something, from the audit log's word for it."""
    kind, _, rest = name.partition(":")
    return ACTORS.get(name) or (f"Token {rest}" if kind == "token" else name)


def works_in(task: Task) -> str:
    """The kind of place, in words; "" where it is an ordinary worktree, or not known yet."""
    return PLACES.get(task_place.shown(task.place, task.options) or "", "")


def field(name: str) -> str:
    """A field of a policy as a person reads it."""
    return name.replace("_", " ").capitalize().replace(" mcp ", " MCP ").replace(" mib", " MiB")


def short_path(path: str) -> str:
    """A path with the home folder as `~`."""
    home = str(Path.home())
    return "~" + path[len(home) :] if path == home or path.startswith(home + "/") else path


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 task`, `3,000 tasks`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
