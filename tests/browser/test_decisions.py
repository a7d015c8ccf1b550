"""Answering an agent in a browser: every kind of request in both themes and widths, and what is typed stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from shared import approvals, workspaces
from shared.approvals import Question
from shared.lifecycle import Status
from shared.store.database import transaction
from shared.store.models import Approval, Task
from tests.browser import chromium, story
from tests.browser.conftest import Open, is_live
from tests.installation import Installation, installed

TREE = "/home/ada/.local/share/openruntime/worktrees/7f3c91aa"
PLAN = """# Resume after a dropped connection

1. Keep the **cursor** in `hub.py`.
2. Subscribe before the page is read, and drop what arrives twice.

```python
queue = subscribe()
page = read(after)
```
"""


@dataclass
class Told:
    """Addresses of a task per kind of request, and of a workspace's rules."""

    call: str
    edit: str
    masked: str
    plan: str
    question: str
    rules: str


def asks(title: str, *questions: Question) -> str:
    row, attempt = story.task(title)
    with transaction():
        for question in questions:
            approvals.ask(attempt.id, row.number, question)
        Task.update(status=Status.NEEDS_INPUT).where(Task.number == row.number).execute()
    return f"/ui/tasks/{row.id}"


def bash(name: str, command: str) -> Question:
    given = {"command": command, "description": "Run the tests"}
    return Question(name, "Bash", "Claude wants to run a command", command, given, TREE, ("network",))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation without a worker: this process plays it."""
    with installed(tmp_path_factory.mktemp("decisions"), workers=0) as found:
        yield found


def tell(home: Path) -> Told:
    """The tasks that ask, and a workspace with rules at `home`."""
    workspace = workspaces.register(str(home), home)
    rules = [
        {"tool": "Bash", "pattern": "git push*", "action": "deny", "reason": "A person pushes."},
        {"tool": "edit", "path": "docs/**", "action": "allow"},
        {"tool": "mcp__github__*", "action": "ask"},
    ]
    workspaces.change(workspace.id, {"tool_rules": rules})
    edit = {"file_path": f"{TREE}/src/hub.py", "old_string": "page = read()", "new_string": "queue = join()"}
    options = [{"label": "SQLite", "description": "In memory."}, {"label": "PostgreSQL", "description": ""}]
    asked = {"question": "Which database?", "header": "DB", "options": options, "multiSelect": False}
    return Told(
        call=asks(
            "Run the tests", bash("a", "npm test -- --runInBand"), bash("b", "npm test"), bash("c", "make")
        ),
        edit=asks("Edit the hub", Question("e", "Edit", "Claude wants to use Edit", None, edit, TREE)),
        masked=asks("Call the API", bash("m", "curl -H 'Authorization: [redacted]' https://api.example/v1")),
        plan=asks(
            "Plan the resume",
            Question("p", "ExitPlanMode", "Claude proposes a plan", None, {"plan": PLAN}, TREE),
        ),
        question=asks(
            "Choose a database",
            Question("q", "AskUserQuestion", "Claude asks: Which database?", None, {}, TREE, (), (asked,)),
        ),
        rules=f"/ui/workspaces/{workspace.id}/rules",
    )


@pytest.fixture(scope="module")
def told(here: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    story.open_here(here)
    story.worker_and_runners()
    yield tell(tmp_path_factory.mktemp("webshop"))
    story.close_here()


@pytest.fixture(autouse=True)
def _alive(told: Told) -> None:
    story.worker_and_runners()


@pytest.mark.parametrize(("dark", "narrow"), chromium.LOOKS)
def test_every_request_and_rule_page_is_accessible_and_fits(
    visit: Open, told: Told, dark: bool, narrow: bool
) -> None:
    page = visit("/", dark=dark, narrow=narrow)
    base = page.url.rstrip("/")
    for path in (
        "/",
        told.call,
        told.edit,
        told.masked,
        told.plan,
        told.question,
        told.rules,
        f"{told.call}/policy",
    ):
        page.goto(base + path)
        is_live(page)
        for summary in page.locator("#pinned .pin:not([hidden]) details > summary").all():
            summary.click()
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path


def test_what_is_typed_into_an_edited_command_stays_while_the_task_goes_on(visit: Open, told: Told) -> None:
    page = visit(told.masked)
    is_live(page)
    page.get_by_text("Edit before allowing").click()
    field = page.get_by_label("description")
    field.fill("Ask for the version only")
    task = Task.get(Task.id == told.masked.rpartition("/")[2])
    story.say(
        task, story.Attempt.get(story.Attempt.id == task.live_attempt), story.Kind.LIFECYCLE, "Still here"
    )
    expect(page.get_by_text("Still here")).to_be_visible()
    page.wait_for_timeout(600)
    expect(field).to_be_visible()
    expect(field).to_have_value("Ask for the version only")
    page.get_by_role("button", name="Allow as edited").click()
    expect(page.locator("#pinned [data-ask]")).to_have_count(0)
    row = Approval.get(Approval.request == "m")
    assert (row.status, row.updated_input) == ("allowed", {"description": "Ask for the version only"})


def test_allowing_for_the_task_answers_what_it_covers_and_leaves_the_rest(visit: Open, told: Told) -> None:
    page = visit(told.call)
    is_live(page)
    expect(page.locator("#pinned [data-ask]")).to_have_count(3)
    page.get_by_role("button", name="Allow “npm test*” for this task").first.click()
    expect(page.locator("#pinned [data-ask]")).to_have_count(1)
    expect(page.get_by_role("button", name="Allow this exact command for this task")).to_be_visible()
    rows = {row.request: row.status for row in Approval.select().where(Approval.request.in_(["a", "b", "c"]))}
    assert rows == {"a": "allowed", "b": "allowed", "c": "pending"}


def test_one_question_is_answered_by_a_button_on_the_board(visit: Open, told: Told) -> None:
    page = visit("/")
    is_live(page)
    page.get_by_role("button", name="SQLite").click()
    expect(page.get_by_role("button", name="PostgreSQL")).to_have_count(0)
    assert Approval.get(Approval.request == "q").updated_input == {"answers": {"Which database?": "SQLite"}}
