"""The body of each kind of timeline row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from shared.clock import rfc3339
from web.rendering.ansi import Terminal
from web.rendering.markdown import prose
from web.rendering.marks import spelled, visible

#: Longer output shows its first lines and offers the rest (web.md 3.4).
LINES, SHOWN = 20, 8
#: Of one result this much is drawn; the whole is in the API.
CHARACTERS = 64 * 1024
SUMMARY = re.compile(r"(\d+) files? changed(?:, (\d+) insertions?\(\+\))?(?:, (\d+) deletions?\(-\))?")
DECIDED = {
    "pending": ("Waits for you", "warn"),
    "allowed": ("Allowed", "ok"),
    "denied": ("Denied", "bad"),
    "expired": ("Expired", "idle"),
    "cancelled": ("Taken back", "idle"),
}
BY = {"owner": "by you", "policy": "by a rule", "timeout": "by time-out"}
NEXT = {
    "attempt-failed": "Read the output above, then start the task again or reply to the agent.",
    "attempt-start-failed": "Mend what it names, then start the task again.",
    "reply-error": "Nothing was delivered; write it again when the task waits for you.",
}


class Call(NamedTuple):
    """A tool's call with its result, if that is there; without it and `is_live` it still runs."""

    title: str
    about: Mapping[str, Any]
    result: str | None
    failed: bool
    seconds: float | None
    is_live: bool = True


def said(text: str) -> Markup:
    return Markup('<div class="body prose">{}</div>').format(prose(text))


def thought(text: str) -> Markup:
    return Markup(
        '<details class="body"><summary>Thinking</summary><div class="prose quiet">{}</div></details>'
    ).format(prose(text))


def lines(found: Sequence[Markup], *, folded: bool) -> Markup:
    """Lines of output; with `folded` only the first of many."""
    if folded and len(found) > LINES:
        head, rest = found[:SHOWN], found[SHOWN:]
        return Markup(
            '<div class="body"><pre class="lines">{}</pre>'
            '<details class="more"><summary>Show {} lines</summary><pre>{}</pre></details></div>'
        ).format(Markup("").join(head), f"{len(rest):,}", Markup("").join(rest))
    return Markup('<pre class="body lines">{}</pre>').format(Markup("").join(found))


def output(text: str) -> Markup:
    """A tool's output, folded when it is long."""
    cut = len(text) > CHARACTERS
    terminal = Terminal()
    shown = [terminal.line(line) + "\n" for line in text[:CHARACTERS].rstrip("\n").split("\n")]
    note = Markup('<p class="quiet">{}</p>').format(f"Cut after {CHARACTERS:,} characters.") if cut else ""
    return lines(shown, folded=True) + note


def call(given: Call) -> Markup:
    """Chip, one line, how it went; input and output open below."""
    if given.seconds is None and not given.is_live:
        state = Markup("")
    elif given.seconds is None:
        state = Markup('<span class="quiet state" data-waits>running</span>')
    else:
        word = "failed" if given.failed else ""
        state = Markup('<span class="quiet state">{}</span>').format(
            " · ".join(filter(None, (took(given.seconds), word)))
        )
    answer = (
        Markup("")
        if given.result is None
        else Markup('<p class="part">Output</p>{}').format(output(given.result))
    )
    tool = str(given.about.get("tool") or "tool")
    return Markup(
        '<details class="body call" data-call="{id}"{open}><summary><span class="chip">{tool}</span>'
        '<code class="argument">{title}</code>{state}</summary>'
        '<div class="inside">{input}{answer}</div></details>'
    ).format(
        id=spelled(given.about.get("tool_use_id")),
        open=Markup(" open") if given.failed else "",
        tool=visible(tool),
        title=visible(given.title.removeprefix(f"{tool} ")),
        state=state,
        input=tool_input(given.about.get("input")),
        answer=answer,
    )


def result(text: str, about: Mapping[str, Any], failed: bool) -> Markup:
    """A result whose call stands further up."""
    return Markup(
        '<details class="body call" data-result="{}"{}><summary><span class="chip">Result</span>'
        '<code class="argument">{}</code><span class="quiet state">{}</span></summary>'
        '<div class="inside">{}</div></details>'
    ).format(
        spelled(about.get("tool_use_id")),
        Markup(" open") if failed else "",
        visible(text.strip().split("\n", 1)[0][:200]),
        "failed" if failed else "",
        output(text),
    )


def tool_input(given: Any) -> Markup:
    """A tool's input: a line for each short value, a block for each long one."""
    if not isinstance(given, Mapping) or not given:
        return Markup("")
    parts = [Markup('<p class="part">Input</p>')]
    for name, value in given.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        shown = visible(text, breaks=True)
        long = "\n" in text or len(text) > 120
        block = Markup('<p><b>{}</b></p><pre tabindex="0">{}</pre>')
        line = Markup("<p><b>{}</b> <code>{}</code></p>")
        parts.append((block if long else line).format(visible(name), shown))
    return Markup("").join(parts)


def request(text: str, about: Mapping[str, Any], approvals: Mapping[str, Any]) -> Markup:
    """What the agent asked for, and what became of it."""
    row = approvals.get(str(about.get("approval_id")))
    if row is None:
        return Markup('<p class="body"><b>{}</b></p>').format(visible(text))
    word, tone = DECIDED.get(row.status, (row.status, "idle"))
    command = (
        Markup('<pre tabindex="0">{}</pre>').format(visible(row.command, breaks=True)) if row.command else ""
    )
    known = [BY.get(row.decided_by or "", row.decided_by or "")]
    known += [
        Markup('{}<time datetime="{}" data-clock>{}</time>').format(
            word, rfc3339(at), at.strftime("%H:%M:%S")
        )
        for word, at in (
            ("", row.decided_at),
            ("delivered ", row.delivered_at),
            ("the agent went on ", row.confirmed_at),
        )
        if at
    ]
    if row.scope == "task":
        known.append("for the whole task")
    if row.rule:
        known.append(Markup("rule <code>{}</code>").format(visible(row.rule)))
    said = Markup("<p>“{}”</p>").format(visible(row.note)) if row.note else ""
    return Markup(
        '<div class="body" data-approval="{}"><p><b>{}</b> <span class="state {}">{}</span> '
        '<span class="quiet">{}</span></p>{}{}</div>'
    ).format(row.id, visible(row.title), tone, word, Markup(" · ").join(filter(None, known)), command, said)


def decision(text: str, about: Mapping[str, Any]) -> Markup:
    by = str(about.get("decided_by") or "owner")
    if by != "owner":
        return Markup('<p class="body" data-decided="{}">{}</p>').format(
            spelled(about.get("approval_id")), visible(text, breaks=True)
        )
    return Markup('<p class="body" data-decided="{}"><b>You</b> {}</p>').format(
        spelled(about.get("approval_id")), visible(text[:1].lower() + text[1:], breaks=True)
    )


def needs_input(text: str, about: Mapping[str, Any]) -> Markup:
    reason = str(about.get("reason") or "")
    asked = Markup("<pre>{}</pre>").format(visible(reason, breaks=True)) if reason else ""
    guess = (
        Markup(' <span class="quiet">{}</span>').format("as far as can be seen")
        if about.get("detection") == "guess"
        else ""
    )
    return Markup('<div class="body"><p><b>Waits for your answer</b>{}</p>{}</div>').format(guess, asked)


def reply(text: str, about: Mapping[str, Any]) -> Markup:
    queued = (
        Markup(' <span class="quiet">queued for the next turn</span>')
        if about.get("delivery") == "queued"
        else ""
    )
    who = "The agent that began it" if about.get("by") == "agent" else "You"
    return Markup('<div class="body"><p class="who"><b>{}</b>{}</p><p class="text">{}</p></div>').format(
        who, queued, visible(text, breaks=True)
    )


def failure(text: str, about: Mapping[str, Any]) -> Markup:
    hint = NEXT.get(str(about.get("category") or ""), "")
    after = Markup('<p class="next">{}</p>').format(hint) if hint else ""
    return Markup('<div class="body"><p>{}</p>{}</div>').format(visible(text, breaks=True), after)


def gap(text: str, about: Mapping[str, Any]) -> Markup:
    return Markup('<p class="body">{}</p>').format(visible(text, breaks=True))


def step(text: str, about: Mapping[str, Any]) -> Markup:
    return Markup('<p class="body"><span>{}</span></p>').format(visible(text))


ended = step


def changes(stat: str, path: str) -> Markup:
    """The captured changes in one line, with the way to them."""
    found = SUMMARY.search(stat)
    if found is None:
        return step(stat, {})
    files = int(found[1])
    return Markup(
        '<div class="body"><a href="{}/changes">{} changed file{}</a> <span class="added">+{}</span> '
        '<span class="removed">−{}</span></div>'
    ).format(path, files, "" if files == 1 else "s", found[2] or 0, found[3] or 0)


def took(seconds: float) -> str:
    """`412 ms`, `3.1 s`, `2 m 10 s`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} m {int(seconds) % 60} s"
