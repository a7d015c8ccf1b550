"""The task page over tasks told without an agent: long timelines, filters, requests, hostile text, every look."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from shared.store.models import Approval
from tests import conftest
from tests.browser import chromium, story
from tests.browser.conftest import Open, is_live
from tests.installation import Installation, installed


@pytest.fixture(scope="module")
def here() -> Iterator[Installation]:
    """Without a worker: it would end attempts that have no process."""
    with tempfile.TemporaryDirectory(prefix="or-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / ".gitconfig").write_text(conftest.GIT_CONFIG)
        with installed(folder, workers=0, HOME=name, GIT_CONFIG_GLOBAL=f"{name}/.gitconfig") as found:
            yield found


@pytest.fixture
def told(here: Installation) -> Iterator[Installation]:
    """The installation's store, open in this process, which stands in for the worker."""
    story.open_here(here)
    story.worker_and_runners()
    yield here
    story.close_here()


def test_a_long_timeline_holds_few_nodes_and_any_event_can_be_reached(
    visit: Open, told: Installation
) -> None:
    row, attempt = story.task("Long", "shell", status="completed")
    story.flood(row, attempt, 20_000)
    page = visit(f"/ui/tasks/{row.id}#e7777")
    target = page.locator("#e7777")
    expect(target).to_be_in_viewport()
    expect(target).to_contain_text("test_7776")
    expect(target).to_have_class(re.compile("sought"))
    assert page.evaluate("() => document.querySelectorAll('*').length") < 12_000
    page.keyboard.press("e")
    expect(page.locator("#timeline .line").last).to_contain_text("test_19999")
    page.locator("#scroller").hover()
    for _ in range(10):
        page.mouse.wheel(0, -4000)
    page.wait_for_function("() => document.querySelectorAll('.block.loading').length === 0")
    assert page.evaluate("() => document.querySelectorAll('*').length") < 12_000


def test_filters_and_search_are_asked_of_the_server(visit: Open, told: Installation) -> None:
    row, attempt = story.task("Filtered", "shell", status="completed")
    story.flood(row, attempt, 3_000)
    story.say(row, attempt, "error", "It broke & stopped")
    page = visit(f"/ui/tasks/{row.id}")
    page.keyboard.press("/")
    page.keyboard.type("test_2222 ")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline .line")).to_have_count(1)
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Errors only").check()
    expect(page.locator("#timeline .event")).to_have_count(1)
    expect(page.locator("#timeline")).to_contain_text("It broke & stopped")


def test_a_request_is_allowed_by_a_key_once_it_has_been_seen(visit: Open, told: Installation) -> None:
    row = story.hub_test()
    page = visit(f"/ui/tasks/{row.id}")
    expect(page.locator("#pinned .pin:not([hidden]) .command")).to_have_text(
        "git push origin openruntime/7f3c91aa-fix-flaky-hub-test"
    )
    expect(page.locator("#pinned .pin:not([hidden]) .count")).to_have_text("1 of 2")
    page.get_by_role("button", name="Next request").click()
    expect(page.locator("#pinned .pin:not([hidden]) .command")).to_have_text(
        "gh pr create --fill --base main"
    )
    page.wait_for_timeout(600)  # keys count once the request could have been read
    page.keyboard.press("d")
    page.keyboard.type("not yet")
    page.keyboard.press("Enter")
    expect(page.locator("#pinned .pin")).to_have_count(1)
    expect(page.locator("#timeline")).to_contain_text("not yet")
    expect(page.locator(".event [data-approval] .state", has_text="Denied")).to_have_count(1)
    page.keyboard.press("a")
    expect(page.locator("#pinned .pin")).to_have_count(0)
    expect(page.locator(".event [data-approval] .state", has_text="Allowed")).to_have_count(1)


def test_an_agents_questions_are_answered_by_choosing_or_in_words(visit: Open, told: Installation) -> None:
    row = story.asks_a_question()
    page = visit(f"/ui/tasks/{row.id}")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_text("Answer every question")).to_be_visible()
    page.get_by_label("PostgreSQL").check()
    page.get_by_label("unit").check()
    page.get_by_label("In your own words").last.fill("and smoke")
    page.get_by_role("button", name="Answer").click()
    expect(page.locator("#pinned .pin")).to_have_count(0)
    answers = Approval.get(Approval.task == row.number).updated_input["answers"]
    assert answers == {
        "Which database should the tests use?": "PostgreSQL",
        "Which suites?": "unit, and smoke",
    }
    page.complaints.clear()  # type: ignore[attr-defined] # the browser itself reports the refusal


def test_older_events_are_pages_without_a_script(visit: Open, told: Installation) -> None:
    row, attempt = story.task("Paged", "shell", status="completed")
    story.flood(row, attempt, 1_000)
    page = visit(f"/ui/tasks/{row.id}", java_script_enabled=False)
    page.get_by_role("link", name="Older events").click()
    expect(page.locator("#timeline .line").last).to_contain_text("test_799")
    page.get_by_role("link", name="Newer events").click()
    expect(page.locator("#timeline .line").last).to_contain_text("test_999")


@pytest.mark.parametrize(("dark", "narrow"), chromium.LOOKS)
def test_every_view_is_accessible_fits_and_keeps_hostile_text_as_text(
    visit: Open, told: Installation, dark: bool, narrow: bool
) -> None:
    rows = [story.hub_test(), story.asks_a_question(), story.hostile()]
    page = visit("/", dark=dark, narrow=narrow)
    for row in rows:
        for view in ("", "/policy", "/attempts", "/changes"):
            page.goto(f"http://{told.address}/ui/tasks/{row.id}{view}")
            is_live(page)
            expect(page.locator("[data-lazy]")).to_have_count(0)
            found = Axe().run(page)
            assert found.violations_count == 0, f"{row.title} {view}\n{found.generate_report()}"
            assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), view
            assert page.evaluate("() => window.__xss") is None
            assert page.locator("main img, main script, main iframe").count() == 0
    expect(page.locator("h1")).to_contain_text("⟦U+202E⟧")
