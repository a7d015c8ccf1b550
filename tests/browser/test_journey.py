"""What a person does with the board: sign in, compose, watch, answer — with the keyboard, and without a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, is_live, send
from tests.installation import OPEN, Installation, git, repository
from tests.waiting import wait_until

ASKS = "printf 'Go on? [y/N] '; read answer; echo got $answer"


def column(page: Page, key: str) -> object:
    return page.locator(f"#column-{key} .card")


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until the focus is there, as a person without a mouse does."""
    for _ in range(60):
        if page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_the_keyboard_alone_signs_in_and_runs_the_first_example(visit: Open, here: Installation) -> None:
    page = visit("/", signed_in=False)
    tab_to(page, "#token")
    page.keyboard.type(here.post("/login/links").body["url"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"http://{here.address}/")
    is_live(page)
    tab_to(page, ".example")
    page.keyboard.press("Enter")
    expect(page.locator("#goal")).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#column-running .card, #column-done .card").first).to_contain_text("step")
    expect(page.locator("#first-run")).to_have_count(0)
    expect(page.locator("#column-done .card")).to_contain_text("done")


def test_the_link_signs_in_and_leaves_no_token_in_the_address(visit: Open, here: Installation) -> None:
    page = visit("/login", signed_in=False)
    page.goto("about:blank")
    page.goto(here.post("/login/links").body["url"])
    page.wait_for_url(f"http://{here.address}/")
    page.go_back()
    assert "token" not in page.url


def test_a_spent_link_says_what_to_type(visit: Open) -> None:
    page = visit("/login", signed_in=False)
    page.fill("#token", "http://127.0.0.1/login#token=spent")
    page.click("button")
    expect(page.get_by_role("alert")).to_contain_text("used up or has expired")
    expect(page.locator("main")).to_contain_text("openruntime login")
    page.complaints.clear()  # type: ignore[attr-defined] # the browser reports the 401


def test_a_refused_task_is_explained_at_the_form_and_keeps_its_text(visit: Open) -> None:
    page = visit()
    is_live(page)
    page.select_option("#runner", "codex")
    page.fill("#goal", "Make it faster")
    page.click("#start")
    expect(page.locator("#composer .problem")).to_contain_text("Codex is not available")
    expect(page.locator("#goal")).to_have_value("Make it faster")
    page.select_option("#runner", "shell")
    page.fill("#goal", "curl example.invalid")
    page.click("#start")
    expect(page.locator("#composer .problem")).to_contain_text("curl")
    expect(page.locator("#goal")).to_have_value("curl example.invalid")
    page.complaints.clear()  # type: ignore[attr-defined] # the browser reports the refusals


def test_cards_follow_their_tasks_and_a_half_typed_answer_stays(
    visit: Open, here: Installation, src: Path
) -> None:
    page = visit()
    is_live(page)
    id = here.run(ASKS, src, title="Ask me")
    card = page.locator(f"#card-{id}")
    expect(page.locator(f"#column-needs #card-{id}")).to_contain_text("Go on? [y/N]")
    expect(page.locator("#waiting")).to_contain_text("1 needs you")
    expect(page).to_have_title("(1) Board · openRuntime")
    answer = card.get_by_placeholder("Answer…")
    answer.focus()
    page.keyboard.type("ye")
    here.request("PATCH", f"/tasks/{id}", {})
    page.evaluate("id => document.dispatchEvent(new CustomEvent('openruntime:task', {detail: {id}}))", id)
    with page.expect_response(lambda answer: f"/ui/cards/{id}" in answer.url):
        page.evaluate("id => document.dispatchEvent(new CustomEvent('openruntime:task', {detail: {id}}))", id)
    expect(answer).to_be_focused()
    expect(answer).to_have_value("ye")
    page.keyboard.type("s")
    page.keyboard.press("Enter")
    expect(page.locator(f"#column-done #card-{id}")).to_contain_text("got yes")
    expect(page.locator("#waiting")).to_be_hidden()
    expect(page).to_have_title("Board · openRuntime")


def test_a_group_is_one_card_that_follows_its_tasks(visit: Open, here: Installation, src: Path) -> None:
    place = repository(src / "shop")
    page = visit()
    is_live(page)
    command = f"{ASKS}; echo $answer > answer.txt"
    goal = {"title": "Two ways", "prompt": "", "command": command, "workspace": str(place), "policy": OPEN}
    group = here.post("/groups", {**goal, "variants": [{"runner": "shell"}] * 2}).body
    first, second = (task["id"] for task in group["tasks"])
    whole = f"#card-group-{group['id']}"
    beside = visit(f"/ui/groups/{group['id']}?sort=state")
    is_live(beside)
    expect(page.locator(f"#column-queued > ul > {whole}")).to_contain_text("2 wait")
    page.locator(f"{whole} h3 a").first.focus()
    page.keyboard.press("o")
    expect(page.locator(f"#card-{second}")).to_be_visible()
    here.post(f"/tasks/{first}/start")
    expect(page.locator(f"#column-needs > ul > {whole}")).to_contain_text("1 needs you")
    expect(page.locator("#column-needs [data-count]")).to_have_text("1")
    expect(page.locator(f"#card-{second}")).to_be_visible()
    expect(beside.locator(f"#line-{first}").get_by_role("link", name="Go on? [y/N]")).to_be_visible()
    page.locator(f"{whole} h3 a").first.focus()
    page.keyboard.press("j")
    expect(page.locator(f"#card-{first} h3 a")).to_be_focused()
    answer = page.locator(f"#card-{first}").get_by_placeholder("Answer…")
    answer.fill("yes")
    answer.press("Enter")
    expect(page.locator(f"#column-review > ul > {whole}")).to_contain_text("1 ready")
    expect(page.locator(f"#card-{first}")).to_contain_text("got yes")
    expect(page.locator("#column-needs .card")).to_have_count(0)
    expect(beside.locator(f"#line-{first}")).to_contain_text("Review")
    here.post(f"/groups/{group['id']}/pick", {"task_id": first})
    expect(beside.locator(f"#line-{first}")).to_contain_text("Picked")
    expect(page.locator(f"#column-review > ul > #card-{first}")).to_be_visible()
    expect(page.locator(whole)).to_have_count(0)
    here.post(f"/groups/{group['id']}/unpick")
    expect(page.locator(f"#column-review > ul > {whole}")).to_contain_text("1 ready")
    expect(page.locator(f"#card-{first}")).to_have_count(1)
    here.post(f"/tasks/{second}/start")
    here.until(second, "needs-input")
    here.post(f"/tasks/{second}/reply", {"message": "no"})
    beside.get_by_role("link", name="Read the difference of two").click()
    expect(beside.locator("section.file")).to_contain_text("answer.txt")
    expect(beside.locator("section.file td.code")).to_have_text(["yes", "no"])
    beside.get_by_role("link", name="Side by side").click()
    beside.locator(f"#line-{first}").get_by_role("button", name="Pick").click()
    beside.wait_for_url(f"**/ui/tasks/{first}/changes")


def test_a_gate_is_opened_from_the_card(visit: Open, here: Installation, src: Path) -> None:
    task = here.create("echo released", src, title="Release", policy={**OPEN, "require_approval": True})
    here.post(f"/tasks/{task['id']}/start")
    page = visit("/ui/inbox")
    is_live(page)
    card = page.locator(f"#card-{task['id']}")
    expect(card).to_contain_text("echo released")
    card.get_by_role("button", name="Approve").click()
    here.until(task["id"], "completed")
    expect(card).to_have_count(0)


def test_a_task_of_a_repository_starts_from_the_chosen_branch(
    visit: Open, here: Installation, src: Path
) -> None:
    place = repository(src / "shop")
    git(place, "checkout", "-q", "-b", "older")
    (place / "only-here.txt").write_text("x\n")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "more")
    git(place, "checkout", "-q", "main")
    here.post("/workspaces/register", {"path": str(place)})
    page = visit()
    is_live(page)
    page.select_option("#workspace", str(place))
    page.select_option("#branch select", "older")
    page.select_option("#runner", "shell")
    page.fill("#goal", "ls")
    page.click("#start")
    expect(page.locator("#column-done .card").first).to_contain_text("sub")
    newest = here.get("/tasks?limit=1").body[0]
    assert "only-here.txt" in here.output(newest["id"])


@pytest.mark.parametrize("width", [False, True])
def test_everything_works_without_a_script(visit: Open, here: Installation, src: Path, width: bool) -> None:
    here.post("/workspaces/register", {"path": str(src)})
    page = visit("/", java_script_enabled=False, narrow=width)
    page.select_option("#runner", "codex")
    page.fill("#goal", "Kept <b>text</b>")
    page.click("#start")
    expect(page.locator("#composer .problem")).to_contain_text("Codex is not available")
    expect(page.locator("#goal")).to_have_value("Kept <b>text</b>")
    page.select_option("#runner", "shell")
    page.select_option("#workspace", str(src))
    page.fill("#goal", ASKS)
    page.click("#start")
    page.wait_for_url(f"http://{here.address}/")
    newest = here.get("/tasks?limit=1").body[0]["id"]
    here.until(newest, "needs-input")
    page.reload()
    card = page.locator(f"#card-{newest}")
    card.get_by_role("button", name="Send").click()
    expect(card.locator(".problem")).to_contain_text("Write an answer first")
    card.get_by_placeholder("Answer…").fill("no")
    send(card.get_by_role("button", name="Send"))
    here.until(newest)
    page.reload()
    expect(card).to_contain_text("got no")
    page.complaints.clear()  # type: ignore[attr-defined] # the browser reports the refusals


def test_filters_are_the_servers_and_stand_in_the_address(visit: Open, here: Installation, src: Path) -> None:
    wanted = here.run("echo 1", src, title="A needle in here")
    other = here.run("echo 2", src, title="Only hay")
    page = visit()
    is_live(page)
    page.fill("#q", "needle")
    expect(page.locator(f"#card-{other}")).to_have_count(0)
    expect(page.locator(f"#card-{wanted}")).to_have_count(1)
    assert page.url.endswith("/?q=needle")
    unseen = here.run("echo 3", src, title="More hay")
    here.until(unseen)
    page.reload()
    expect(page.locator(f"#card-{wanted}")).to_have_count(1)
    expect(page.locator(f"#card-{unseen}")).to_have_count(0)


def test_shortcuts_are_listed_and_can_be_turned_off(visit: Open) -> None:
    page = visit()
    is_live(page)
    page.evaluate("() => document.activeElement?.blur()")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Go to Inbox")
    dialog.get_by_label("Use single-key shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("n")
    expect(page.locator("#goal")).not_to_be_focused()
    page.keyboard.press("?")
    dialog.get_by_label("Use single-key shortcuts").check()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/ui/inbox")


def test_a_workspace_is_added_from_the_folder_browser_and_removed(visit: Open, src: Path) -> None:
    (src / "chosen").mkdir()
    page = visit("/ui/workspaces")
    page.fill("#path", "/no/such/folder")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".add .problem")).to_contain_text("does not exist")
    expect(page.locator("#path")).to_have_value("/no/such/folder")
    page.fill("#path", str(src))
    page.get_by_role("link", name="Browse").click()
    page.get_by_role("link", name="chosen").click()
    expect(page.locator("#path")).to_have_value(str(src / "chosen"))
    page.get_by_role("button", name="Add").click()
    row = page.locator(".row", has_text=str(src / "chosen"))
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Remove").click()
    expect(row).to_have_count(0)
    page.complaints.clear()  # type: ignore[attr-defined] # the browser reports the refusal


def test_signing_out_elsewhere_ends_the_page(visit: Open, here: Installation) -> None:
    page = visit()
    is_live(page)
    page.get_by_label("Menu").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/login")
    page.goto(f"http://{here.address}/")
    wait_until(lambda: page.url.endswith("/login"))
