"""The live connection under a real browser: restarts, refused sockets, and lost authority."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Open, is_live
from tests.installation import Installation, ended


def test_a_restarted_server_is_caught_up_with(visit: Open, here: Installation, src: Path) -> None:
    page = visit()
    is_live(page)
    port = here.address.rpartition(":")[2]
    assert here.web is not None
    here.web.terminate()
    ended(here.web)
    expect(page.locator("#connection")).not_to_have_attribute("data-state", "live")
    here.settings["PORT"] = port
    here.start_web()
    id = here.run("echo back again", src, title="While you were away")
    is_live(page)
    expect(page.locator(f"#card-{id}")).to_contain_text("back again")
    page.complaints.clear()  # type: ignore[attr-defined] # the browser reports the refused connections


def test_where_sockets_are_refused_the_board_polls(visit: Open, here: Installation, src: Path) -> None:
    page = visit("/login", signed_in=True)
    page.route("**/js/stream.js", lambda route: route.fulfill(
        body=route.fetch().text().replace("/ws`", "/no-socket`").replace("POLL_EVERY = 3_000", "POLL_EVERY = 200"),
        content_type="text/javascript",
    ))  # fmt: skip
    page.goto(f"http://{here.address}/")
    expect(page.locator("#connection")).to_have_attribute("data-state", "polling")
    id = here.run("echo polled", src, title="Seen all the same")
    expect(page.locator(f"#card-{id}")).to_contain_text("polled")
    page.complaints.clear()  # type: ignore[attr-defined] # the browser reports the refused sockets


def test_lost_authority_leads_to_the_sign_in(visit: Open, here: Installation) -> None:
    page = visit()
    is_live(page)
    token = page.get_attribute("input[name=csrf_token]", "value")
    answer = page.request.post(
        f"http://{here.address}/logout",
        headers={"X-CSRF-Token": str(token), "Origin": f"http://{here.address}"},
    )
    assert answer.status in (200, 204)
    page.wait_for_url("**/login")
