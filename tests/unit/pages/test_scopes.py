"""A part of a task's changes on its own page, as a browser without scripts reads it."""

from __future__ import annotations

import re

import pytest

from shared.review import comparisons, landings, marking, points
from shared.review.comparisons import ComparisonRecord
from shared.store.models import Command, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker
from tests.unit.web.test_diffs import attempt, captured
from tests.unit.web.test_review import ended

SCRIPT = "<script>alert(1)</script>"
PATCH = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n one\n+{SCRIPT}\n".encode()


@pytest.fixture
def path(api: Api, worker: PlayedWorker) -> str:
    """The changes page of a task whose two attempts ended with different files; a person did something in between."""
    worker.claims = False
    id = ended(api)["id"]
    attempt("1")
    captured("2")
    attempt("3")
    return f"/ui/tasks/{id}/changes"


def comparing(worker: PlayedWorker, *names: str) -> None:
    def answer(command: Command) -> tuple[str, dict[str, str]]:
        pair = points.pair(command.task, command.body["from"], command.body["to"])
        files = [
            {"path": name, "path_b64": None, "old_path": None, "status": "modified", "additions": 1, "deletions": 0,
             "binary": False, "old_mode": "100644", "new_mode": "100644", "flags": ["outside-globs"]}
            for name in names or ("a.txt",)
        ]  # fmt: skip
        record = ComparisonRecord("1" * 40, "2" * 40, "", files, PATCH, False)
        return "applied", {"comparison": comparisons.keep(pair, record).id}

    worker.answer = answer


def menu(page: str) -> dict[str, str]:
    """What can be chosen, by its name: the address it leads to."""
    part = page[page.index('<details class="scopes">') :]
    part = part[: part.index("</details>")]
    return {
        name: link.replace("&amp;", "&")
        for link, name in re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', part)
    }


def test_the_menu_offers_what_makes_sense_for_this_task(
    api: Api, visitor: Visitor, worker: PlayedWorker, path: str
) -> None:
    comparing(worker)
    found = menu(visitor.get(path).text)
    assert list(found) == [
        "All changes", "Since the last turn", "Attempt 1", "Between attempts 1 and 2", "Attempt 2",
    ]  # fmt: skip
    task = Task.get()
    row = landings.latest_capture(task)
    assert row is not None
    marking.mark(task, row, row.files[0], "owner")
    found = menu(visitor.get(path).text)
    assert list(found)[2] == "Since my last review"
    for name, link in found.items():
        page = visitor.get(link)
        assert (page.status_code, menu(page.text)) == (200, found), name
        assert f'aria-current="true">{name}</a>' in page.text


def test_a_task_of_one_attempt_that_nobody_has_viewed_has_no_menu(api: Api, visitor: Visitor) -> None:
    id = ended(api)["id"]
    attempt("1")
    assert 'class="scopes"' not in visitor.get(f"/ui/tasks/{id}/changes").text


def test_a_scope_says_what_it_shows_and_leads_back_and_its_text_is_no_markup(
    visitor: Visitor, worker: PlayedWorker, path: str
) -> None:
    comparing(worker, "<b>.txt")
    page = visitor.get(f"{path}/between?from=before-attempt-2&to=attempt-2").text
    assert "What attempt 2 changed." in page
    assert "Comments and marks are shown with all changes" in page
    assert (SCRIPT in page, "<b>.txt" in page, "&lt;b&gt;.txt" in page) == (False, False, True)
    assert 'form="marks"' not in page
    assert "not among the allowed files" in page
    assert re.search(rf'href="{path}\?[^"]*">All changes</a>', page)


def test_up_to_the_latest_state_a_file_is_marked_as_on_the_whole_page(
    visitor: Visitor, worker: PlayedWorker, path: str
) -> None:
    comparing(worker)
    here = f"{path}/between?from=turn"
    page = visitor.get(here).text
    (button,) = re.findall(r'<button class="button small viewed"[^>]*name="viewed" value="([^"]+)"', page)
    (capture,) = re.findall(r'name="capture" value="([^"]+)"', page)
    answer = visitor.send(
        path.replace("/changes", "/viewed"), {"capture": capture, "viewed": button, "back": here}
    )
    assert answer.headers["Location"].startswith(here)
    assert 'name="open"' in visitor.get(here).text
    assert "1 of 2 viewed" in visitor.get(path).text


def test_while_it_is_compared_and_where_it_cannot_be_the_page_says_so(
    visitor: Visitor, worker: PlayedWorker, path: str
) -> None:
    worker.answer = lambda command: (
        "refused",
        {"status": 409, "detail": "Gone for good.", "slug": "conflict"},
    )
    assert "Gone for good." in visitor.get(f"{path}/between?from=turn").text
    Command.delete().execute()
    worker.answer = lambda command: ("left", {})
    page = visitor.get(f"{path}/between?from=turn&space=ignore").text
    assert "still being compared" in page
    assert re.search(r'href="\?from=turn&amp;to=latest&amp;[^"]*space=ignore[^"]*">Look again', page)


def test_words_that_name_nothing_are_refused_and_the_whole_change_has_its_own_page(
    visitor: Visitor, path: str
) -> None:
    assert visitor.get(f"{path}/between?from=noon").status_code == 400
    assert visitor.get(f"{path}/between?from=attempt-9").status_code == 404
    assert visitor.get(f"{path}/between").headers["Location"] == path
    assert visitor.get(f"{path}/between/file?comparison=x&key=y").status_code == 404


def test_many_files_come_in_parts_and_are_found_by_their_paths_without_leaving_the_scope(
    visitor: Visitor, worker: PlayedWorker, path: str
) -> None:
    comparing(worker, *(f"src/{number:03}.py" for number in range(300)))
    here = f"{path}/between?from=turn&to=latest"
    page = visitor.get(here).text
    assert (page.count('<section class="file"'), "1–250 of 300 files" in page) == (250, True)
    (following,) = set(re.findall(r'rel="next" href="([^"]+)"', page))
    page = visitor.get(f"{path}/between{following.replace('&amp;', '&')}").text
    assert (page.count('<section class="file"'), "251–300 of 300 files" in page) == (50, True)
    page = visitor.get(f"{here}&find=299").text
    assert (page.count('<section class="file"'), "src/299.py" in page) == (1, True)
    assert re.search(r'<input type="hidden" name="from" value="turn">', page)
