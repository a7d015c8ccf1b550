"""The task page in a browser, over real tasks: live lines exactly once, answering, stopping, restarts, no script."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, is_live, send
from tests.installation import OPEN, Installation, ended, repository
from tests.waiting import wait_until

ASKS = "printf 'Go on? [y/N] '; read answer; echo got $answer"


def shown_lines(page: Page) -> list[str]:
    return [line.strip() for line in page.locator("#timeline .line").all_inner_texts()]


def test_live_lines_arrive_exactly_once_and_in_order(visit: Open, here: Installation, src: Path) -> None:
    id = here.run(
        "for n in $(seq 1 250); do echo line $n; [ $((n % 25)) = 0 ] && sleep 0.05; done; sleep 600", src
    )
    page = visit(f"/ui/tasks/{id}")
    is_live(page)
    expect(page.locator("#timeline")).to_contain_text("line 250")

    def is_whole() -> bool:
        """A block above the end may still be on its way."""
        lines = [line for line in shown_lines(page) if line.startswith("line ")]
        return len(lines) >= 100 and lines == [f"line {n}" for n in range(250 - len(lines) + 1, 251)]

    wait_until(is_whole, 10, what="the last lines without a gap")
    assert page.evaluate(
        "() => { const s = document.getElementById('scroller'); return s.scrollHeight - s.scrollTop - s.clientHeight < 4 }"
    )
    here.post(f"/tasks/{id}/stop")
    expect(page.locator("#task-head .state").first).to_have_text("Stopped")


def test_a_question_is_answered_by_the_keyboard_alone(visit: Open, here: Installation, src: Path) -> None:
    id = here.run(ASKS, src)
    page = visit(f"/ui/tasks/{id}")
    expect(page.locator("#pinned")).to_contain_text("Go on? [y/N]")
    page.keyboard.press("r")
    expect(page.locator("#message")).to_be_focused()
    page.keyboard.type("yes <b>please</b>")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#timeline")).to_contain_text("got yes <b>please</b>")
    expect(page.locator("#pinned .pin")).to_have_count(0)
    expect(page.locator("#reply")).to_contain_text("The command has ended")


def test_a_running_task_is_stopped_from_its_page(visit: Open, here: Installation, src: Path) -> None:
    id = here.run("echo working; sleep 600", src)
    page = visit(f"/ui/tasks/{id}")
    expect(page.locator("#timeline")).to_contain_text("working")
    page.on("dialog", lambda dialog: dialog.accept())
    page.keyboard.press(".")
    expect(page.locator("#task-head .state").first).to_have_text("Stopped")
    expect(page.get_by_role("button", name="Start again")).to_be_visible()
    expect(page.locator("#details")).to_contain_text("Stopped")


def test_a_restarted_web_process_is_caught_up_with_exactly(
    visit: Open, here: Installation, src: Path
) -> None:
    gate = src / "go"
    id = here.run(
        f"echo before; while [ ! -e {gate} ]; do sleep 0.05; done; for n in $(seq 1 150); do echo after $n; done; sleep 600",
        src,
        place="in-place",
    )
    page = visit(f"/ui/tasks/{id}")
    is_live(page)
    expect(page.locator("#timeline")).to_contain_text("before")
    port = here.address.rpartition(":")[2]
    assert here.web is not None
    here.web.terminate()
    ended(here.web)
    expect(page.locator("#connection")).not_to_have_attribute("data-state", "live")
    gate.touch()
    here.settings["PORT"] = port
    here.start_web()
    is_live(page)
    expect(page.locator("#timeline")).to_contain_text("after 150")
    lines = [line for line in shown_lines(page) if line.startswith("after ")]
    assert lines == [f"after {n}" for n in range(150 - len(lines) + 1, 151)]
    page.complaints.clear()  # type: ignore[attr-defined] # the browser reports the refused connections


def test_scrolling_up_stops_following_and_the_end_is_one_click_away(
    visit: Open, here: Installation, src: Path
) -> None:
    id = here.run("for n in $(seq 1 400); do echo old $n; done; while :; do echo tick; sleep 0.1; done", src)
    page = visit(f"/ui/tasks/{id}")
    expect(page.locator("#timeline")).to_contain_text("tick")
    page.locator("#scroller").hover()
    page.mouse.wheel(0, -1500)
    expect(page.locator("#jump")).to_be_visible()
    expect(page.locator("#jump")).to_contain_text("new")
    before = page.evaluate("() => document.getElementById('scroller').scrollTop")
    expect(page.locator("#jump")).to_contain_text(re.compile(r"[1-9]\d* new"))
    assert abs(page.evaluate("() => document.getElementById('scroller').scrollTop") - before) < 5
    page.keyboard.press("e")
    expect(page.locator("#jump")).to_be_hidden()
    expect(page.locator("#timeline .line").last).to_be_in_viewport()


def test_a_draft_survives_a_reload(visit: Open, here: Installation, src: Path) -> None:
    id = here.run("sleep 600", src)
    here.until(id, "running")
    page = visit(f"/ui/tasks/{id}")
    page.fill("#message", "half a thou")
    page.reload()
    expect(page.locator("#message")).to_have_value("half a thou")


def test_everything_works_without_a_script(visit: Open, here: Installation, src: Path) -> None:
    gated = here.create(ASKS, repository(src / "repo"), policy={**OPEN, "require_approval": True})
    here.post(f"/tasks/{gated['id']}/start")
    page = visit(f"/ui/tasks/{gated['id']}", java_script_enabled=False)
    send(page.get_by_role("button", name="Approve and start"))
    here.until(gated["id"], "needs-input")
    page.reload()
    expect(page.locator("#pinned")).to_contain_text("Go on?")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("alert")).to_have_text("Write an answer first.")
    page.get_by_label("Type a line").fill("surely")
    send(page.get_by_role("button", name="Send"))
    assert page.url.endswith(f"/ui/tasks/{gated['id']}")
    here.until(gated["id"])
    page.reload()
    expect(page.locator("#timeline")).to_contain_text("got surely")
    #: The browser itself reports the refusal.
    page.complaints[:] = [said for said in page.complaints if "400" not in said]  # type: ignore[attr-defined]
