"""S3, S5, S11 and S16 in Chromium: text stays text in every place that shows it, and other pages reach nothing."""

from __future__ import annotations

import http.server
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Request

from shared import approvals, timeline
from shared.approvals import Question
from shared.clock import now
from shared.events import Category, Draft, Kind
from shared.lifecycle import Status
from shared.review import comments
from shared.store.database import transaction
from shared.store.models import Attempt, Comment, Task
from tests.browser import story
from tests.browser.captured import Change, capture
from tests.browser.conftest import Open, contexts, here, is_live, visit
from tests.installation import Installation
from tests.security.payloads import PAYLOADS, mark
from tests.waiting import wait_until

__all__ = ["contexts", "here", "visit"]
pytestmark = pytest.mark.browser

#: Watches from the first moment: dialogs, nodes that only markup could make, and handlers in attributes.
WATCH = """
window.__hits = [];
for (const name of ["alert", "confirm", "prompt", "print"]) window[name] = () => window.__hits.push(name);
const forbidden = "main script, main iframe, main object, main embed, main img, main link, main style, main base, main meta," +
  "main video, main audio, main math, main template, main portal, main picture, main svg:not(.icon)";
new MutationObserver(() => {
  for (const node of document.querySelectorAll(forbidden)) window.__hits.push(node.outerHTML.slice(0, 100));
}).observe(document, { childList: true, subtree: true });
"""
#: Handlers, addresses and controls that stand in the finished page; in prose zero-width characters are let be, emoji
#: are made of them. A field holds what is edited in it as it is.
JUDGE = """(prose) => {
  const wrong = [...window.__hits];
  for (const node of document.querySelectorAll("main *")) {
    for (const { name, value } of node.attributes) {
      if (name.startsWith("on") || name === "srcdoc") wrong.push(`${node.tagName} ${name}`);
      if (/^(href|src|action|formaction|xlink:href|hx-\\w+)$/.test(name) && /^\\s*(javascript|vbscript|data|file):/i.test(value))
        wrong.push(`${node.tagName} ${name}=${value.slice(0, 60)}`);
      if (/^(src|action|formaction|hx-get|hx-post)$/.test(name) && /evil/.test(value)) wrong.push(`${node.tagName} ${name}`);
    }
  }
  const main = document.querySelector("main").cloneNode(true);
  for (const field of main.querySelectorAll("textarea")) field.remove();
  const text = main.textContent;
  const seen = prose ? /[\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]/ : /[\\u061c\\u200b-\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ufeff\\u00ad\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]/;
  const hidden = seen.exec(text);
  if (hidden) wrong.push(`U+${hidden[0].codePointAt(0).toString(16)} in …${text.slice(hidden.index - 30, hidden.index + 10)}`);
  return wrong;
}"""


#: A file is drawn when it comes into view.
SCROLL = """() => {
  const next = document.querySelector("[data-lazy]");
  next?.scrollIntoView();
  return !next;
}"""


@pytest.fixture(scope="module")
def sinks(here: Installation) -> dict[str, str]:
    """Each place that shows text of others, with every payload in it: its name and its page."""
    story.open_here(here)
    try:
        story.worker_and_runners()
        made = {name: _told(*what) for name, what in SAID.items()}
        found = {name: f"/ui/tasks/{row.id}" for name, row in made.items()}
        found["tool calls"] = f"/ui/tasks/{_tools(PAYLOADS[::2]).id}"
        found["tool results"] = f"/ui/tasks/{_tools(PAYLOADS[1::2]).id}"
        found["questions"] = f"/ui/tasks/{_asked().id}"
        found["file names"] = f"/ui/tasks/{_changed(_names()).id}/changes"
        changed = f"/ui/tasks/{_changed(_lines()).id}/changes"
        found |= {"lines, unified": f"{changed}?view=unified", "lines, split": f"{changed}?view=split"}
        found["comments"] = f"/ui/tasks/{_commented().id}/changes"
        found["addressed comments"] = f"/ui/tasks/{_addressed().id}/changes"
        _titled()
        return {**found, "board": "/", "inbox": "/ui/inbox"}
    finally:
        story.close_here()


ONE_LINE = [text.replace("\n", " ").replace("\r", " ") for text in PAYLOADS]
SAID: dict[str, tuple[Kind, Category]] = {
    "messages": (Kind.STDOUT, Category.AGENT_MESSAGE),
    "thinking": (Kind.STDOUT, Category.AGENT_THINKING),
    "output": (Kind.STDOUT, Category.RUNNER_OUTPUT),
    "errors": (Kind.ERROR, Category.REPLY_ERROR),
    "replies": (Kind.INPUT, Category.REPLY),
}


def _told(kind: Kind, category: Category) -> Task:
    row, attempt = story.task(f"Told {category}")
    about = {"category": category, "attempt_id": attempt.id, "stream": "stdout"}
    drafts = [Draft(kind, payload, {**about, "reason": payload}) for payload in PAYLOADS]
    return _rested(row, attempt, drafts)


def _tools(payloads: list[str]) -> Task:
    row, attempt = story.task("Tools")
    drafts = []
    for number, payload in enumerate(payloads):
        about = {"attempt_id": attempt.id, "tool_use_id": f"call{number}"}
        call = {"tool": payload[:80], "input": {"command": payload, payload: payload}}
        drafts.append(Draft(Kind.STDOUT, payload, {**about, **call, "category": Category.TOOL_CALL}))
        drafts.append(
            Draft(Kind.STDOUT, payload, {**about, "failed": False, "category": Category.TOOL_RESULT})
        )
    return _rested(row, attempt, drafts)


def _asked() -> Task:
    row, attempt = story.task("Asks")
    with transaction():
        for number, text in enumerate(PAYLOADS):
            asked = Question(f"q{number}", text, text, text, {text: text}, text, (text,))
            approvals.ask(attempt.id, row.number, asked)
        Task.update(status=Status.NEEDS_INPUT).where(Task.number == row.number).execute()
    return row


def _changed(changes: list[Change]) -> Task:
    row, attempt = story.task("Changed", branch=PAYLOADS[0], target_branch=PAYLOADS[1])
    capture(row, changes)
    return _rested(row, attempt, [])


def _names() -> list[Change]:
    return [(f"src/{text}.txt", ["old"], ["new"]) for text in ONE_LINE]


def _lines() -> list[Change]:
    """Few files, for a page brings those in that are looked at."""
    return [(f"{start}.py", ONE_LINE[start : start + 50], ["new"]) for start in range(0, len(ONE_LINE), 50)]


def _commented() -> Task:
    """A comment's text and the lines it quotes are shown whatever became of the file."""
    row = _changed([("a.txt", ["old"], ["new"])])
    for quote, body in itertools.zip_longest(PAYLOADS[::2], PAYLOADS[1::2], fillvalue=""):
        comments.add(row, {"path": body}, comments.Side.NEW, (1, 1), quote, body, "owner")
    return row


def _addressed() -> Task:
    """What stands now where a comment's lines stood is shown beside what it was about."""
    told = [ONE_LINE[start : start + 2] for start in range(0, len(ONE_LINE), 2)]
    lines = [[f"begin {number}", *pair, f"end {number}"] for number, pair in enumerate(told)]
    row = _changed([("a.txt", ["old"], list(itertools.chain(*lines)))])
    for number in range(len(told)):
        around = {"before": [f"begin {number}"], "after": [f"end {number}"]}
        where = 4 * number + 2
        comments.add(
            row, {"path": "a.txt"}, comments.Side.NEW, (where, where), "was", "Why?", "owner", around
        )
    with transaction():
        Comment.update(sent_at=now()).where(Comment.task == row.number).execute()
    return row


def _titled() -> None:
    for start in range(0, len(PAYLOADS), 6):
        text = " ".join(PAYLOADS[start : start + 6])
        story.task(
            text, status=Status.NEEDS_INPUT, branch=text, workspace=f"/src/{text}", prompt=text, command=text
        )


def _rested(row: Task, attempt: Attempt, drafts: list[Draft]) -> Task:
    with transaction():
        timeline.append(row.number, drafts, attempt.id)
        Attempt.update(status=Status.READY_FOR_REVIEW).where(Attempt.id == attempt.id).execute()
        Task.update(status=Status.READY_FOR_REVIEW, live_attempt=None).where(
            Task.number == row.number
        ).execute()
    return row


def test_hostile_text_stays_text_in_every_place_that_shows_it(
    visit: Open, here: Installation, sinks: dict[str, str]
) -> None:
    assert len(PAYLOADS) >= 150
    page = visit("/login")
    page.context.add_init_script(WATCH)
    away: list[str] = []
    page.on("request", lambda request: _note(away, request, here))
    page.on("dialog", lambda dialog: (away.append(dialog.message), dialog.dismiss()))
    wrong: dict[str, list[str]] = {}
    for name, path in sinks.items():
        page.goto(f"http://{here.address}{path}")
        is_live(page)
        if name.startswith("lines"):
            wait_until(lambda: page.evaluate(SCROLL), 20, what="every file to be drawn")
        found = page.evaluate(JUDGE, name in SAID or name.startswith("tool"))
        text = page.locator("main").text_content() or ""
        missing = [number for number in range(len(PAYLOADS)) if mark(number) not in text]
        shown = len(PAYLOADS) // 2 if name.startswith("tool") else len(PAYLOADS)
        if len(PAYLOADS) - len(missing) < shown and name not in ("board", "inbox"):
            found.append(f"{len(missing)} payloads are not on the page")
        if found:
            wrong[name] = found[:5]
    assert wrong == {}
    assert away == []


def _note(away: list[str], request: Request, here: Installation) -> None:
    if not request.url.startswith((f"http://{here.address}/", f"ws://{here.address}/", "data:")):
        away.append(request.url)


ATTACK = """<!doctype html><title>other</title>
<iframe src="http://{there}/" id="frame"></iframe>
<script src="http://{there}/tasks"></script><img src="http://{there}/tasks"><link rel="stylesheet" href="http://{there}/tasks">
<form method="post" action="http://{there}/tasks" target="sent" enctype="text/plain"><input name='{{"title":"t","x":"' value='"}}'></form>
<iframe name="sent"></iframe>
<script>
const there = "{there}", told = window.told = {{}};
const task = JSON.stringify({{title: "stolen", prompt: "p", runner: "shell", command: "true"}});
const tries = {{
  read: () => fetch(`http://${{there}}/tasks`, {{credentials: "include"}}).then(r => r.text()),
  blind: () => fetch(`http://${{there}}/tasks`, {{mode: "no-cors", credentials: "include", method: "POST", body: task}}).then(r => r.type + r.status),
  json: () => fetch(`http://${{there}}/tasks`, {{credentials: "include", method: "POST", body: task, headers: {{"Content-Type": "application/json"}}}}).then(r => r.status),
  stop: () => fetch(`http://${{there}}/logout`, {{mode: "no-cors", credentials: "include", method: "POST"}}).then(r => r.type),
  socket: () => new Promise((done, fail) => {{ const s = new WebSocket(`ws://${{there}}/ws`); s.onopen = () => done("open"); s.onerror = () => fail("closed"); }}),
  frame: async () => {{ const text = document.getElementById("frame").contentDocument?.body?.innerText; if (text) return text; throw "closed"; }},
}};
document.forms[0].submit();
Promise.all(Object.entries(tries).map(([name, run]) => run().then(v => told[name] = `got ${{v}}`, e => told[name] = "refused"))).then(() => window.done = true);
</script>"""


@contextmanager
def other_site(body: str) -> Iterator[tuple[str, list[str]]]:
    """A page on another port of this machine, as a dev server of an agent has; and the cookies it was sent."""
    cookies: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookies.append(self.headers.get("Cookie", ""))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}", cookies
        finally:
            server.shutdown()
            thread.join()


def test_a_page_on_another_port_reaches_nothing_with_the_browsers_login(
    visit: Open, here: Installation
) -> None:
    before = len(here.get("/tasks?limit=500").body)
    page: Page = visit("/ui/runners")
    with other_site(ATTACK.format(there=here.address)) as (place, _):
        page.goto(f"http://{place}/")
        page.wait_for_function("() => window.done", timeout=15_000)
        told = page.evaluate("() => window.told")
    page.complaints.clear()  # type: ignore[attr-defined]
    assert told == dict.fromkeys(("read", "blind", "json", "stop", "socket", "frame"), "refused")
    assert len(here.get("/tasks?limit=500").body) == before
    page.goto(f"http://{here.address}/ui/runners")
    assert page.url.endswith("/ui/runners")  # still signed in
