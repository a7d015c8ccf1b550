"""The changes page in a browser, over real worktrees: reading, both layouts, merging, cleaning up, refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser import chromium
from tests.browser.conftest import Open, is_live
from tests.browser.reviewed import repo, reviewed
from tests.installation import Installation, git
from tests.unit.versions import samples

__all__ = ["repo"]


def log(repo: Path) -> list[str]:
    said = subprocess.run(["git", "log", "--format=%s"], cwd=repo, check=True, capture_output=True, text=True)
    return said.stdout.splitlines()


def test_every_kind_of_change_is_shown(visit: Open, here: Installation, repo: Path) -> None:
    page = visit(f"/ui/tasks/{reviewed(here, repo)}/changes")
    expect(page.locator("section.file")).to_have_count(6)
    expect(
        page.locator("section.file", has_text="a.txt").locator(".add .word, .add.code .word")
    ).to_have_text(" and a half")
    expect(page.locator("section.file", has_text="src/new.py").locator(".hl-keyword").first).to_have_text(
        "def"
    )
    expect(page.locator("section.file", has_text="blob.bin")).to_contain_text(
        "A binary file, not shown. 300 bytes"
    )
    expect(page.locator("section.file", has_text="b.txt")).to_contain_text(
        "Only the mode changed: 100644 → 100755"
    )
    expect(page.locator("section.file", has_text="d.txt")).to_contain_text(
        "Only the name changed, from c.txt"
    )
    long = page.locator("section.file", has_text="long.txt")
    expect(long.locator("table")).to_have_count(0)
    long.get_by_role("link", name="Show 500 changed lines").click()
    expect(long.locator("tr")).to_have_count(502)


def test_lines_around_hunks_are_added_in_place_and_can_be_commented_on(
    visit: Open, here: Installation, repo: Path
) -> None:
    (repo / "count.py").write_text("".join(f"print({number})\n" for number in range(1, 101)))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "count")
    id = reviewed(here, repo, "sed -i 's/^print(50)/print(0)/' count.py")
    page = visit(f"/ui/tasks/{id}/changes?view=split")
    rows = page.locator("table.diff tr")
    expect(rows).to_have_count(10)
    above = page.get_by_role("link", name="↑ 20 above")
    above.focus()
    page.keyboard.press("Enter")
    expect(rows).to_have_count(30)
    expect(above).to_be_focused()
    expect(page.locator(".gap").first).to_contain_text("all 26 lines")
    page.get_by_role("link", name="all 26 lines").press("Enter")
    expect(rows).to_have_count(56)
    expect(page.locator("tr.hunk th")).to_be_focused()
    page.get_by_role("link", name="to the end").click()
    expect(rows).to_have_count(102)
    expect(page.locator("tr.behind")).to_have_count(0)
    numbers = page.locator("table.diff td.number:nth-child(4)").all_inner_texts()
    assert [text.strip() for text in numbers] == [str(number) for number in range(1, 101)]
    page.locator("td.number:nth-child(4)", has_text="97").click()
    page.get_by_role("textbox", name="Comment").fill("Why so far?")
    page.get_by_role("button", name="Save draft").click()
    expect(page.locator(".comment pre")).to_have_text("print(97)")


def test_pictures_are_shown_old_beside_new_and_a_drawing_runs_nothing(
    visit: Open, here: Installation, repo: Path
) -> None:
    (repo / "logo.png").write_bytes(samples.png(30, 20))
    (repo / "next.png").write_bytes(samples.png(30, 20, red=20))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "pictures")
    script = "<script>document.documentElement.id = 1; parent.document.title = 1</script>"
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{script}</svg>'
    id = reviewed(here, repo, f"cp next.png logo.png; echo '{drawn}' > drawn.svg")
    page = visit(f"/ui/tasks/{id}/changes")
    pictures = page.locator("section.file", has_text="logo.png").locator("img")
    expect(pictures).to_have_count(2)
    for place in range(2):
        expect(pictures.nth(place)).to_have_js_property("naturalWidth", 30)
    page.get_by_label("Show what differs").check()
    expect(pictures.nth(1)).to_be_visible()
    drawing = page.locator("section.file", has_text="drawn.svg").locator(".preview")
    expect(drawing.locator("img")).to_have_js_property("complete", False)
    drawing.locator("summary").click()
    expect(drawing.locator("img")).to_have_js_property("naturalWidth", 9)
    page.goto(f"http://{here.address}{drawing.locator('img').get_attribute('src')}")
    assert page.evaluate("() => document.documentElement.id") == ""
    page.complaints.clear()  # type: ignore[attr-defined]  # of the script that did not run


def test_the_layout_is_chosen_by_a_key_and_remembered(visit: Open, here: Installation, repo: Path) -> None:
    page = visit(f"/ui/tasks/{reviewed(here, repo)}/changes")
    expect(page.locator("table.split").first).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator("table.unified").first).to_be_visible()
    expect(page.locator("table.split")).to_have_count(0)
    page.reload()
    expect(page.locator("table.unified").first).to_be_visible()


def test_work_is_rebased_from_the_merge_dialog_and_two_keys_land_it_and_clean_up(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    git(repo, "commit", "-q", "--allow-empty", "-m", "theirs")
    page = visit(f"/ui/tasks/{id}/changes?merge")
    expect(page.get_by_role("dialog")).to_contain_text("main has moved on by 1 commit since the work began")
    page.get_by_role("button", name="Rebase now").click()
    expect(page.locator(".notice", has_text="Rebased onto main at")).to_be_visible()
    is_live(page)
    page.keyboard.press("m")
    expect(page.get_by_role("dialog")).not_to_contain_text("moved on")
    expect(page.get_by_role("dialog")).to_contain_text("Lands cleanly")
    expect(page.get_by_role("dialog")).to_contain_text("6 of 6 files not viewed yet.")
    expect(page.locator("[data-merge]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".landed")).to_contain_text("Merged into main as")
    expect(page.locator(".landed")).to_contain_text("worktree removed")
    task = here.task(id)
    assert task["worktree_merged_at"]
    assert task["worktree_cleaned_at"]
    assert log(repo)[0] == "Edit some files"
    assert (repo / "src/new.py").exists()
    expect(page.locator("section.file")).to_have_count(6)


def test_three_clicks_land_and_clean_up_and_two_take_it_back(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    before = (repo / "a.txt").read_bytes(), log(repo)
    page = visit(f"/ui/tasks/{id}")
    page.get_by_role("link", name="Review 6 files").click()
    page.get_by_role("link", name="Merge…").click()
    page.get_by_role("button", name="Merge into main").click()
    expect(page.locator(".landed")).to_contain_text("worktree removed")
    page.get_by_role("link", name="Undo…").click()
    expect(page.locator("main")).to_contain_text("go back to where they were")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Merge…")).to_be_visible()
    assert ((repo / "a.txt").read_bytes(), log(repo)) == before
    assert (here.task(id)["status"], here.task(id)["worktree_cleaned_at"]) == ("ready-for-review", None)


def test_a_conflict_shows_both_sides_and_is_marked_for_the_editor(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    (repo / "a.txt").write_text("THEIRS\n")
    git(repo, "commit", "-qam", "theirs")
    page = visit(f"/ui/tasks/{id}/changes?merge")
    dialog = page.get_by_role("dialog")
    dialog.locator("summary", has_text="a.txt").click()
    expect(dialog.locator("pre").first).to_contain_text("THEIRS")
    dialog.get_by_role("button", name="Mark them for my editor").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".notice", has_text="held conflict markers")).to_contain_text("${EDITOR:-vi} a.txt")
    assert "<<<<<<< main" in (Path(here.task(id)["worktree_path"]) / "a.txt").read_text()
    page.get_by_role("link", name="Merge…").click()
    expect(dialog).to_contain_text("A conflict is not resolved.")


def test_a_check_that_fails_refuses_and_a_person_may_override_it(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo, verify="echo '{\"score\": 0.5}'; exit 1")
    page = visit(f"/ui/tasks/{id}/changes?merge")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".verdicts")).to_contain_text("verify not run")
    dialog.get_by_role("button", name="Run the checks now").click()
    expect(dialog.locator(".verdicts")).to_contain_text("verify failed · 0.5")
    expect(dialog).to_contain_text("A check did not pass on what would land.")
    dialog.get_by_label("Land it in spite of that").check()
    dialog.get_by_role("button", name="Merge into main").click()
    expect(page.locator(".landed")).to_contain_text("Landed in spite of")


def test_a_worktree_that_was_removed_comes_back_from_the_board(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    assert here.post(f"/tasks/{id}/worktree/cleanup", {"force": True}).status == 200
    page = visit("/?archived=1")
    row = page.locator(".put-away li", has=page.locator(f"a[href*='{id}']"))
    row.get_by_role("link", name="Bring back").click()
    page.get_by_role("button", name="Bring it back").click()
    expect(page.get_by_role("link", name="Merge…")).to_be_visible()
    assert (Path(here.task(id)["worktree_path"]) / "src/new.py").exists()


def test_a_merge_may_keep_the_worktree_which_a_second_button_removes(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    page = visit(f"/ui/tasks/{id}")
    page.get_by_role("link", name="Review 6 files").click()
    page.get_by_role("link", name="Merge…").click()
    page.get_by_label("Remove the worktree afterwards").uncheck()
    page.get_by_label("Strategy").select_option("merge")
    expect(page.locator("#strategy-hint")).to_contain_text("beside the branch")
    page.get_by_label("Remove the worktree afterwards").uncheck()
    page.get_by_label("Commit message").fill("Land it <b>my</b> way")
    page.get_by_role("button", name="Merge into main").click()
    expect(page.locator(".landed")).to_contain_text("merge ·")
    assert here.task(id)["worktree_cleaned_at"] is None
    page.get_by_role("button", name="Remove the worktree").click()
    expect(page.locator(".landed")).to_contain_text("worktree removed")
    assert "Merge: Land it <b>my</b> way" in log(repo)


def test_what_is_in_the_way_is_named_and_nothing_can_be_merged(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    (repo / "a.txt").write_text("mine\n")
    page = visit(f"/ui/tasks/{id}/changes")
    page.keyboard.press("m")
    expect(page.get_by_role("dialog")).to_contain_text("Something of yours is in the way.")
    expect(page.get_by_role("dialog")).to_contain_text("a.txt")
    expect(page.locator("[data-merge]")).to_be_disabled()
    git(repo, "commit", "-qam", "mine")
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    expect(page.get_by_role("dialog")).to_contain_text("1 file conflicts with main")


def test_changes_made_after_the_page_was_shown_are_not_landed(
    visit: Open, here: Installation, repo: Path
) -> None:
    id = reviewed(here, repo)
    page = visit(f"/ui/tasks/{id}/changes")
    Path(here.task(id)["worktree_path"], "later.txt").write_text("not reviewed\n")
    page.keyboard.press("m")
    expect(page.get_by_role("dialog")).to_contain_text("The worktree has changed since you opened this page.")
    expect(page.locator("[data-merge]")).to_be_disabled()


def test_a_cleanup_says_what_it_takes_away(visit: Open, here: Installation, repo: Path) -> None:
    id = reviewed(here, repo)
    page = visit(f"/ui/tasks/{id}/changes")
    page.get_by_role("button", name="Delete the worktree with 6 unmerged files").click()
    expect(page.locator(".notice", has_text="The worktree was removed")).to_be_visible()
    assert here.task(id)["worktree_cleaned_at"]
    expect(page.locator("section.file")).to_have_count(6)


def test_reading_and_merging_need_no_script(visit: Open, here: Installation, repo: Path) -> None:
    id = reviewed(here, repo)
    page = visit(f"/ui/tasks/{id}/changes", java_script_enabled=False)
    page.locator("section.file", has_text="long.txt").get_by_role("link", name="Show").click()
    expect(page.locator("section.file", has_text="long.txt").locator("tr")).to_have_count(502)
    page.get_by_role("link", name="Merge…").click()
    expect(page.locator("main")).to_contain_text("Lands cleanly")
    page.get_by_label("Commit message").fill("By hand")
    page.get_by_role("button", name="Merge into main").click()
    expect(page.locator(".landed")).to_contain_text("Merged into main")
    assert log(repo)[0] == "By hand"


def test_a_refused_merge_is_one_sentence_on_the_form(visit: Open, here: Installation, repo: Path) -> None:
    id = reviewed(here, repo)
    page = visit(f"/ui/tasks/{id}/merge", java_script_enabled=False)
    (repo / "a.txt").write_text("mine\n")
    page.get_by_label("Commit message").fill("kept text")
    page.get_by_role("button", name="Merge into main").click()
    expect(page.get_by_role("alert")).to_contain_text("Something of yours is in the way")
    expect(page.get_by_label("Commit message")).to_have_value("kept text")
    page.complaints.clear()  # type: ignore[attr-defined] # the browser itself reports the refusal


@pytest.mark.parametrize(("dark", "narrow"), chromium.LOOKS)
def test_the_page_and_its_dialog_are_accessible_and_fit(
    visit: Open, here: Installation, repo: Path, dark: bool, narrow: bool
) -> None:
    id = reviewed(here, repo)
    page = visit(f"/ui/tasks/{id}/changes", dark=dark, narrow=narrow)
    is_live(page)
    expect(page.locator("[data-lazy]")).to_have_count(0)
    for step in ("page", "dialog"):
        if step == "dialog":
            page.get_by_role("link", name="Merge…").click()
            expect(page.get_by_role("dialog")).to_contain_text("Lands cleanly")
        found = Axe().run(page)
        assert found.violations_count == 0, f"{step}\n{found.generate_report()}"
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), step
