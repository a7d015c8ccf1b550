"""The sessions page over real transcripts: finding one, and going on with it as a task."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import seed
from tests.browser.conftest import Open, is_live
from tests.installation import Installation


@pytest.fixture(scope="module", autouse=True)
def held(here: Installation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    shop, notes = seed.workspaces(Path(tmp_path_factory.mktemp("seed")))
    places = {"webshop": shop, "notes": notes}
    seed.sessions(here, places)
    return places


def test_sessions_are_found_without_a_script(visit: Open) -> None:
    page = visit("/ui/sessions", java_script_enabled=False)
    rows = page.locator(".session")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("Rework the checkout's error messages")
    rows.first.locator("summary").click()
    expect(rows.first).to_contain_text("I have written one sentence for each of the nine failures")
    expect(rows.first).to_contain_text("1 sub-agent")
    page.get_by_label("Runner", exact=True).select_option("codex")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Summarise the interviews")


def test_a_session_leads_to_the_composer_that_goes_on_with_it(visit: Open, held: dict[str, Path]) -> None:
    page = visit("/ui/sessions")
    is_live(page)
    page.get_by_role("link", name="Continue as a task Summarise the interviews").click()
    is_live(page)
    composer = page.locator("#composer")
    expect(composer).to_contain_text("Goes on with Codex’s session “Summarise the interviews”")
    expect(composer.locator("#runner")).to_have_value("codex")
    expect(composer.locator("#workspace")).to_have_value(str(held["notes"]))
    composer.get_by_role("link", name="Start afresh").click()
    expect(composer).not_to_contain_text("Goes on with")


def test_a_session_held_in_a_repository_can_be_continued_here_and_in_a_terminal(
    visit: Open, held: dict[str, Path]
) -> None:
    page = visit("/ui/sessions")
    is_live(page)
    row = page.locator(".session").first
    expect(row.get_by_role("link", name="Continue as a task")).to_be_visible()
    expect(row.get_by_role("link", name="New task here")).to_have_count(0)
    row.locator("summary").click()
    expect(row).to_contain_text(f"claude --resume {seed.HELD[0][1]}")


def test_a_transcript_is_read_without_a_script_and_leads_to_its_sub_agent(visit: Open) -> None:
    page = visit("/ui/sessions", java_script_enabled=False)
    page.get_by_role("link", name="Rework the checkout's error messages", exact=True).click()
    expect(page.locator(".told .event")).to_have_count(5)
    call = page.locator(".call", has_text="rg -n")
    call.locator("summary").first.click()
    expect(call).to_contain_text("shop/checkout/errors.py:12")
    expect(page.locator(".failed .call")).to_contain_text("1 failed, 40 passed")
    page.get_by_text("1 sub-agent, details").click()
    page.get_by_role("link", name="Find every place in the shop").click()
    expect(page.locator(".told")).to_contain_text("The agent that began it")
