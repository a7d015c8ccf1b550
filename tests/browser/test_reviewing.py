"""A person's review in a browser: what is viewed, file by file and hunk by hunk, and what is said of lines."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.reviewed import EDIT, repo, reviewed
from tests.installation import Installation, git

__all__ = ["repo"]


def test_files_are_filtered_and_marked_as_viewed(visit: Open, here: Installation, repo: Path) -> None:
    page = visit(f"/ui/tasks/{reviewed(here, repo)}/changes")
    page.keyboard.press("/")
    page.keyboard.type("NEW")
    expect(page.locator("#files li:visible")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("V")
    first = page.locator("section.file").first
    viewed = first.get_by_role("button", name="Viewed", exact=True)
    expect(viewed).to_have_attribute("aria-pressed", "true")
    expect(first.locator(".table")).to_be_hidden()
    expect(page.locator("#progress")).to_have_text("1 of 6 viewed")
    page.reload()
    expect(viewed).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Hide viewed").click()
    expect(page.locator("section.file")).to_have_count(5)
    page.get_by_role("link", name="Viewed hidden").click()
    viewed.click()
    expect(page.locator("#progress")).to_have_text("0 of 6 viewed")
    expect(first.locator("table")).to_be_visible()


def test_marks_need_no_script_and_only_the_hunks_that_changed_again_are_open_again(
    visit: Open, here: Installation, repo: Path
) -> None:
    rows = [f"row {n}" for n in range(60)]
    (repo / "long.txt").write_text("\n".join(rows) + "\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "long")
    id = reviewed(
        here,
        repo,
        f"{EDIT}; for n in $(seq 0 59); do echo row $n; done > long.txt; sed -i 's/^row [35]0$/& changed/' long.txt",
    )
    page = visit(f"/ui/tasks/{id}/changes", java_script_enabled=False)
    for name in ("a.txt", "src/new.py"):
        page.locator("section.file", has_text=name).get_by_role("button", name="Viewed", exact=True).click()
    long = page.locator("section.file", has_text="long.txt")
    long.get_by_role("link", name="Show").click()
    long.get_by_role("button", name="Viewed hunk 2").click()
    expect(page.locator("#progress")).to_have_text("2 of 6 viewed, 1 of 2 hunks viewed in one file")
    folded = long.locator("tbody.is-viewed tr:not(.hunk):visible")
    expect(folded).to_have_count(0)
    long.get_by_role("checkbox", name="Show").check()
    expect(folded).to_have_count(7)
    worktree = Path(here.task(id)["worktree_path"])
    (worktree / "a.txt").write_text("one\ntwo\nthree and a bit\n")
    (worktree / "long.txt").write_text((worktree / "long.txt").read_text().replace("30 changed", "30 again"))
    here.get(f"/tasks/{id}/diff?refresh=1")
    page.reload()
    expect(page.locator("#progress")).to_have_text("1 of 6 viewed, 1 of 2 hunks viewed in one file")
    again = page.locator("section.file", has_text="a.txt")
    expect(again).to_contain_text("Changed again")
    expect(again.locator("table")).to_be_visible()
    page.get_by_role("link", name="Merge…").click()
    expect(page.locator("main")).to_contain_text(
        "5 of 6 files not viewed yet, 1 of 2 hunks viewed in one file."
    )


def test_a_whole_change_is_viewed_by_keys(visit: Open, here: Installation, repo: Path) -> None:
    page = visit(f"/ui/tasks/{reviewed(here, repo)}/changes")
    progress, focus = page.locator("#progress"), page.locator("*:focus")
    page.keyboard.press("x")
    expect(progress).to_have_text("1 of 6 viewed")
    expect(focus).to_have_attribute(
        "data-file", str(page.locator("section.file").nth(1).get_attribute("data-file"))
    )
    page.keyboard.press("n")
    page.keyboard.press("N")
    page.keyboard.press("V")
    expect(progress).to_have_text("2 of 6 viewed")
    for viewed in (3, 4):
        page.keyboard.press("x")
        expect(progress).to_have_text(f"{viewed} of 6 viewed")
    page.keyboard.press("x")
    expect(page.locator("section.file", has_text="long.txt").locator("tr")).to_have_count(502)
    for viewed in (5, 6):
        page.keyboard.press("x")
        expect(progress).to_have_text(f"{viewed} of 6 viewed")
    page.keyboard.press("k")
    page.keyboard.press("V")
    expect(progress).to_have_text("5 of 6 viewed")
    page.keyboard.press("]")
    page.keyboard.press("x")
    expect(progress).to_have_text("6 of 6 viewed")
    page.route("**/viewed", lambda route: route.abort())
    first = page.locator("section.file").first.get_by_role("button", name="Viewed", exact=True)
    first.click()
    expect(page.get_by_role("alert")).to_have_text("The mark was not kept. Try again.")
    expect(first).to_have_attribute("aria-pressed", "true")
    page.complaints.clear()  # type: ignore[attr-defined] # the browser itself reports the request


def test_a_comment_starts_at_a_line_and_is_outdated_when_the_agent_changes_it(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    page = visit(f"/ui/tasks/{id}/changes")
    file = page.locator("section.file", has_text="a.txt").first
    file.locator("td.number.add").click()
    expect(file.get_by_label("Lines")).to_have_value("3")
    page.keyboard.type("Why a <half>?\nIt was whole.")
    file.get_by_role("button", name="Save draft").click()
    expect(file.locator(".said")).to_have_text("Why a <half>?\nIt was whole.")
    expect(file.locator(".comment pre")).to_have_text("three and a half")
    file.locator("summary", has_text="Edit").click()
    file.locator(".edit textarea").fill("Why a half?")
    file.get_by_role("button", name="Save", exact=True).click()
    expect(file.locator(".said")).to_have_text("Why a half?")
    page.get_by_role("link", name="1 draft").click()
    expect(page.locator("#comments li")).to_contain_text("a.txt 3 Why a half?")
    Path(here.task(id)["worktree_path"], "a.txt").write_text("one\ntwo\nfour\n")
    here.get(f"/tasks/{id}/diff?refresh=1")
    page.reload()
    expect(file.locator(".comment")).to_contain_text("outdated")
    page.keyboard.press("c")
    expect(file.get_by_label("Lines")).to_be_focused()
    page.locator("main details").evaluate_all("all => all.forEach(one => { one.open = true })")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    file.locator(".comment").get_by_role("button", name="Delete").click()
    expect(page.locator(".comment")).to_have_count(0)


def test_comments_need_no_script_and_a_refusal_keeps_what_was_written(
    visit: Open, here: Installation, repo: Path
) -> None:
    page = visit(f"/ui/tasks/{reviewed(here, repo)}/changes", narrow=True, java_script_enabled=False)
    file = page.locator("section.file", has_text="src/new.py")
    file.get_by_role("link", name="Comment").click()
    for lines, said in (("1-x", "Write the lines as a number"), ("7", "no such lines")):
        file.get_by_label("Lines").fill(lines)
        file.get_by_role("textbox", name="Comment").fill("Name it.")
        file.get_by_role("button", name="Save draft").click()
        expect(file.get_by_role("alert")).to_contain_text(said)
        expect(file.get_by_role("textbox", name="Comment")).to_have_value("Name it.")
    file.get_by_label("Lines").fill("1-2")
    file.get_by_role("button", name="Save draft").click()
    expect(file.locator(".comment")).to_contain_text("lines 1–2")
    expect(page.locator(".drafts")).to_contain_text(
        "1 comment is a draft. A shell has no agent that would read it"
    )
    expect(page.get_by_role("button", name="Send to the agent")).to_have_count(0)
    page.complaints.clear()  # type: ignore[attr-defined] # the browser itself reports the refusals
