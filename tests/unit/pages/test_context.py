"""More lines of a file on the changes page, with the test as the worker that reads them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared import fleet, tasks
from shared.review import comments, comparisons, landings, points, versions
from shared.review.comparisons import ComparisonRecord
from shared.review.landings import CaptureRecord
from shared.review.versions import TEXT, Version
from shared.store.models import Command, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.rendering.payloads import PAYLOADS, judged
from tests.unit.rendering.test_context import OLD
from tests.unit.versions import samples
from tests.unit.web.conftest import Api, PlayedWorker
from tests.unit.web.test_groups import captured, made

BLOB = "2" * 40
NEW = [*OLD[:29], "changed", *OLD[30:]]
PATCH = b"".join(
    b"%s%s\n" % (kind, line.encode())
    for kind, line in [
        (b"", "diff --git a/a b/a"), (b"", "--- a/a"), (b"", "+++ b/a"), (b"", "@@ -27,7 +27,7 @@"),
        *((b" ", line) for line in OLD[26:29]), (b"-", OLD[29]), (b"+", "changed"), *((b" ", line) for line in OLD[30:33]),
    ]
)  # fmt: skip


FILE = {"path": "a.py", "status": "modified", "additions": 1, "deletions": 1, "old_blob": "1" * 40,
        "new_blob": BLOB, "old_mode": "100644", "new_mode": "100644", "binary": False}  # fmt: skip


@pytest.fixture
def task(api: Api) -> Task:
    found: Task = Task.get(Task.id == api.new()["id"])
    record = CaptureRecord("b" * 40, "c" * 40, "t1", "stat", [FILE], PATCH, False, [])
    landings.keep_capture(found, record)
    return found


def kept(command: Command, lines: list[str] = NEW, *, is_cut: bool = False) -> tuple[str, dict[str, Any]]:
    text = "".join(f"{line}\n" for line in lines).encode()
    versions.keep(Task.get_by_id(command.task_id), [Version(BLOB, TEXT, text, is_cut=is_cut)])
    return "applied", {}


def numbers(html: str) -> list[str]:
    return re.findall(r'<td class="number[^"]*">(\d*)</td>', html)


def test_rows_come_with_their_numbers_in_both_layouts_and_end_with_the_file(
    visitor: Visitor, task: Task, worker: PlayedWorker
) -> None:
    worker.answer = kept
    page = f"/ui/tasks/{task.id}/changes/lines?path=a.py"
    split = visitor.get(f"{page}&view=split&old=40&new=40&count=2").text
    assert numbers(split) == ["40", "40", "41", "41"]
    assert split.count('<span class="hl-number">40</span>') == 2
    unified = visitor.get(f"{page}&view=unified&old=99&new=99&count=20").text
    assert numbers(unified) == ["99", "99", "100", "100"]
    assert visitor.get(f"{page}&old=101&new=101&count=20").text == ""
    assert "Only the first 1 MiB" not in unified
    assert Command.select().where(Command.kind == "file").count() == 1


def test_where_only_the_beginning_is_kept_the_last_row_says_so(
    visitor: Visitor, task: Task, worker: PlayedWorker
) -> None:
    worker.answer = lambda command: kept(command, is_cut=True)
    shown = visitor.get(f"/ui/tasks/{task.id}/changes/lines?path=a.py&old=100&new=100&count=5").text
    assert 'class="cut"' in shown
    assert "Only the first 1 MiB" in shown


def test_a_page_without_scripts_comes_with_more_lines_or_says_why_not(
    visitor: Visitor, task: Task, worker: PlayedWorker
) -> None:
    page = f"/ui/tasks/{task.id}/changes?view=unified&path=a.py"
    worker.answer = lambda command: ("refused", {"status": 409, "detail": "This version is gone."})
    assert "This version is gone." in visitor.get(f"{page}&context=23").text
    worker.answer = kept
    shown = visitor.get(f"{page}&context=13").text
    assert numbers(shown)[:2] == ["17", "17"]
    assert numbers(shown)[-2:] == ["43", "43"]
    assert "context=33#f-" in shown
    whole = numbers(visitor.get(f"{page}&context=999999999").text)
    assert (whole[:2], whole[-2:]) == (["1", "1"], ["100", "100"])
    for odd in ("context=0", "context=", "context=x", "context=-1", "context=²"):
        assert numbers(visitor.get(f"{page}&{odd}").text)[0] in ("24", "27")


def test_what_is_no_place_of_the_file_is_refused(visitor: Visitor, task: Task) -> None:
    page = f"/ui/tasks/{task.id}/changes/lines"
    for query in (
        "old=0&new=1&count=1",
        "old=1&new=x&count=1",
        "old=1&new=1",
        "old=1&new=1&count=1e3",
        "old=²&new=1&count=1",
    ):
        assert visitor.get(f"{page}?path=a.py&{query}").status_code == 400, query
    assert visitor.get(f"{page}?path=b&old=1&new=1&count=1").status_code == 404
    assert visitor.get(f"{page}?path=a.py&capture=x&old=1&new=1&count=1").status_code == 404
    assert not fleet.live_workers()
    assert visitor.get(f"{page}?path=a.py&old=1&new=1&count=1").status_code == 503


def test_comments_on_lines_that_the_diff_leaves_out_quote_them_and_move_with_them(
    api: Api, task: Task, worker: PlayedWorker
) -> None:
    worker.answer = kept
    path = f"/tasks/{task.id}/comments"
    said = api.post(path, {"path": "a.py", "line": 90, "last_line": 91, "body": "Why?"}).json
    assert said["quote"] == "line 90\nline 91"
    assert api.post(path, {"path": "a.py", "line": 102, "body": "Why?"}).status_code == 400
    row = landings.latest_capture(task)
    assert row is not None
    again = CaptureRecord(
        "b" * 40, "c" * 40, "t2", "stat", [{**row.files[0], "new_blob": "3" * 40}], PATCH, False, []
    )
    landings.keep_capture(task, again)
    text = "".join(f"{line}\n" for line in ["new first", *NEW]).encode()
    versions.keep(task, [Version("3" * 40, TEXT, text)])
    (moved,) = api.get(path).json
    assert (moved["line"], moved["outdated"]) == (91, False)
    assert comments.of(task)[0].first_line == 90


def test_a_comparison_of_two_tasks_has_their_pictures_and_the_lines_around(
    visitor: Visitor, api: Api, worker: PlayedWorker
) -> None:
    first, second, _ = (tasks.get(one["id"]) for one in made(api)["tasks"])
    captured(first, "1")
    captured(second, "2")
    versions.keep(second, [Version("5" * 40, "image/png", samples.png(), 3, 2)])
    picture = {**FILE, "path": "a.png", "old_blob": "4" * 40, "new_blob": "5" * 40, "binary": True}
    patch = PATCH + b"diff --git a/a.png b/a.png\nGIT binary patch\n\n"

    def compare(command: Command) -> tuple[str, dict[str, Any]]:
        if command.kind == "file":
            return kept(command)
        pair = points.pair(first, command.body["from"], command.body["to"], second)
        record = ComparisonRecord("1" * 40, "2" * 40, "", [FILE, picture], patch, False)
        return "applied", {"comparison": comparisons.keep(pair, record).id}

    worker.answer = compare
    page = f"/ui/groups/{first.group_id}/diff?from={first.id}&to={second.id}"
    shown = visitor.get(f"{page}&view=unified&path=a.png").text
    assert f'src="/ui/tasks/{second.id}/changes/picture/{"5" * 40}"' in shown
    (source,) = re.findall(r'data-lines="([^"]+)"', shown)
    rows = visitor.get(f"{source.replace('&amp;', '&')}&view=unified&old=40&new=40&count=2").text
    assert numbers(rows) == ["40", "40", "41", "41"]
    link = re.findall(r'href="(\?[^"]+context=23)#[^"]*" data-more="up"', shown)[0].replace("&amp;", "&")
    assert f"from={first.id}&to={second.id}" in link
    assert numbers(visitor.get(page.partition("?")[0] + link).text)[:2] == ["7", "7"]
    wrong = source.replace("&amp;", "&").replace(first.id, second.id)
    assert visitor.get(f"{wrong}&old=1&new=1&count=1").status_code == 404


def test_hostile_lines_stay_text(visitor: Visitor, task: Task, worker: PlayedWorker) -> None:
    hostile = [payload.replace("\n", " ") for payload in PAYLOADS]
    worker.answer = lambda command: kept(command, hostile)
    for view in ("split", "unified"):
        answer = visitor.get(f"/ui/tasks/{task.id}/changes/lines?path=a.py&view={view}&old=1&new=1&count=900")
        assert len(numbers(answer.text)) == 2 * len(hostile)
        judged(f"<table>{answer.text}</table>")
