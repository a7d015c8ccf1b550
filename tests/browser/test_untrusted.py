"""Text of agents, repositories and strangers on the page: it stays text, and nothing in it hides."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open, is_live
from tests.installation import OPEN, Installation

SCRIPT = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
HIDDEN = "rm \u202etxt.exe\u200b\u2066 -x"


@pytest.mark.parametrize("path", ["/", "/ui/inbox", "/ui/workspaces"])
def test_hostile_text_stays_text_and_shows_what_it_hides(
    visit: Open, here: Installation, src: Path, path: str
) -> None:
    place = src / f"a'\"><b>{SCRIPT.replace('/', '⁄')[:120]}\u202ez"
    place.mkdir()
    here.post("/workspaces/register", {"path": str(place)})
    command = f"echo '{SCRIPT}' {HIDDEN}"
    task = here.create(command, place, title=f"{SCRIPT}{HIDDEN}", policy={**OPEN, "require_approval": True})
    here.post(f"/tasks/{task['id']}/start")
    page = visit(path)
    is_live(page)
    if path != "/ui/workspaces":
        card = page.locator(f"#card-{task['id']}")
        expect(card.locator("h3")).to_contain_text(SCRIPT)
        expect(card.locator("h3")).to_contain_text("⟦U+202E⟧")
        expect(card.locator(".command")).to_contain_text("rm ⟦U+202E⟧txt.exe⟦U+200B⟧⟦U+2066⟧ -x")
    else:
        expect(page.locator("main")).to_contain_text("⟦U+202E⟧")
    assert "owned" not in page.title()
    assert page.locator("main img, main script").count() == 0


def test_terminal_codes_of_output_do_not_reach_the_card(visit: Open, here: Installation, src: Path) -> None:
    id = here.run(r"printf '\033[31mred\033[0m\033]0;title\007 plain\n'", src, title="Colours")
    here.until(id)
    page = visit()
    expect(page.locator(f"#card-{id} .activity")).to_have_text("red plain")
