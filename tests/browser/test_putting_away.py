"""Archiving and deleting in a browser: live on open pages, undone with one click, and without a script."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.conftest import Open, is_live
from tests.installation import Installation, repository


def done(here: Installation, folder: Path, title: str, command: str = "echo fine") -> str:
    id = here.run(command, folder, title=title)
    here.until(id)
    return id


def test_an_archived_task_leaves_open_boards_and_comes_back(
    visit: Open, here: Installation, src: Path
) -> None:
    id = done(here, src, "Check the links")
    page, other = visit(), visit()
    for board in (page, other):
        is_live(board)
        expect(board.locator(f"#card-{id}")).to_be_visible()
    card = page.locator(f"#card-{id}")
    card.hover()
    card.get_by_role("button", name="Archive").click()
    for board in (page, other):
        expect(board.locator(f"#card-{id}")).to_have_count(0)
    expect(page.locator("#notice")).to_contain_text("Archived “Check the links”.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#notice")).to_contain_text("is back on the board")
    for board in (page, other):
        expect(board.locator(f"#card-{id}")).to_be_visible()


def test_the_archive_puts_tasks_back(visit: Open, here: Installation, src: Path) -> None:
    id = done(here, src, "Old one")
    here.post(f"/tasks/{id}/archive", {})
    page = visit()
    is_live(page)
    expect(page.locator(f"#card-{id}")).to_have_count(0)
    page.get_by_role("link", name="Archived").click()
    is_live(page)
    card = page.locator(f"#card-{id}")
    card.hover()
    card.get_by_role("button", name="Put back").click()
    expect(card).to_have_count(0)
    assert here.get(f"/tasks/{id}").body["archived_at"] is None


def test_a_deleted_task_leaves_open_boards_and_its_open_page_says_so(
    visit: Open, here: Installation, src: Path
) -> None:
    id = done(here, src, "Going away")
    board, timeline, attempts = visit(), visit(f"/ui/tasks/{id}"), visit(f"/ui/tasks/{id}/attempts")
    for page in (board, timeline, attempts):
        is_live(page)
    expect(board.locator(f"#card-{id}")).to_be_visible()
    assert here.request("DELETE", f"/tasks/{id}").status == 204
    expect(board.locator(f"#card-{id}")).to_have_count(0)
    for page in (timeline, attempts):
        expect(page.get_by_role("alert").filter(has_text="This task was deleted.")).to_have_count(1)
        expect(page.get_by_role("button", name="Start again")).to_be_hidden()
    timeline.get_by_role("link", name="To the board").last.click()
    timeline.wait_for_url(re.compile(r"/$"))
    for page in (board, timeline, attempts):  # who reads anew just when the task goes is told so
        page.complaints[:] = [said for said in page.complaints if "404" not in said]  # type: ignore[attr-defined]


def test_a_task_with_unmerged_work_is_deleted_and_put_back_without_a_script(
    visit: Open, here: Installation, tmp_path: Path
) -> None:
    shop = repository(tmp_path / "shop")
    id = done(here, shop, "Unwanted work", "echo x > n.txt")
    page = visit(f"/ui/tasks/{id}", java_script_enabled=False)
    page.get_by_role("link", name="Delete…").click()
    expect(page.locator("main")).to_contain_text("1 changed file that is not merged")
    expect(page.locator("main")).to_contain_text("worktrees/" + id)
    page.get_by_label("Delete the unmerged changes too").check()
    page.get_by_role("button", name="Delete the task and its worktree").click()
    expect(page.locator("#notice")).to_contain_text("It can be put back for 30 days")
    expect(page.locator(f"#card-{id}")).to_have_count(0)
    assert here.get(f"/tasks/{id}").status == 404
    page.locator("#notice").get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="Unwanted work")).to_be_visible()
    assert here.get(f"/tasks/{id}").status == 200
