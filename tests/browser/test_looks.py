"""Every page in both themes and both widths: accessible, no wider than the screen, and quiet."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser import chromium, seed, spending
from tests.browser.conftest import Open, is_live
from tests.installation import Installation

PAGES = ["/", "/?archived=1", "/ui/inbox", "/ui/sessions", seed.TRANSCRIPT, "/ui/workspaces", "/ui/workspaces?browse=/", "/ui/runners", "/ui/audit?verify=1", "/ui/search", "/ui/search?q=the", "/ui/costs", "/ui/costs?by=task&period=all",
         "/ui/nothing-here", "/ui/groups/{group}", "/ui/groups/{group}/diff", "/ui/tasks/{review}/changes/between?to=attempt-1", "/ui/tasks/{review}/delete", "/ui/tasks/{done}/delete"]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def seeded(here: Installation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    shop, notes = seed.workspaces(Path(tmp_path_factory.mktemp("seed")))
    seed.sessions(here, {"webshop": shop, "notes": notes})
    ids = seed.tasks(here, shop, notes)
    spending.told(here)
    variants = [{"runner": "shell"}, {"runner": "codex", "model": "m"}]
    goal = {"title": "Two ways", "prompt": "p", "command": "true", "variants": variants}
    here.post("/groups", goal)
    group = here.post("/groups", goal).body
    here.post(f"/groups/{group['id']}/pick", {"task_id": group["tasks"][0]["id"]})
    ids["group"] = group["id"]
    here.post(f"/tasks/{ids['stopped']}/archive", {})
    return ids


@pytest.mark.parametrize(("dark", "narrow"), chromium.LOOKS)
def test_every_page_is_accessible_and_fits(
    visit: Open, seeded: dict[str, str], dark: bool, narrow: bool
) -> None:
    page = visit("/", dark=dark, narrow=narrow)
    for path in (path.format(**seeded) for path in PAGES):
        page.goto(page.url.partition("/")[0] + "//" + page.url.split("/")[2] + path)
        is_live(page)
        page.evaluate(
            "() => document.querySelectorAll('main details').forEach(found => { found.open = true })"
        )
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), path
    #: The browser itself reports the page that is not there.
    page.complaints[:] = [said for said in page.complaints if "404" not in said]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("dark", "narrow"), chromium.LOOKS)
def test_the_sign_in_page_is_accessible_and_fits(visit: Open, dark: bool, narrow: bool) -> None:
    page = visit("/", signed_in=False, dark=dark, narrow=narrow)
    assert page.url.endswith("/login")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_a_theme_that_was_chosen_is_remembered(visit: Open) -> None:
    page = visit()
    page.get_by_label("Menu").click()
    page.get_by_label("Dark").check()
    before = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.reload()
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == before


def test_files_may_be_kept_for_good_because_their_address_changes(visit: Open) -> None:
    page = visit()
    sheet = page.get_attribute("link[rel=stylesheet]", "href")
    answer = page.request.get(page.url.rstrip("/") + str(sheet))
    assert "immutable" in answer.headers["cache-control"]
