"""The difference between two tasks of a group, as a browser without scripts reads it."""

from __future__ import annotations

import re

import pytest

from shared import tasks
from shared.review import comparisons, points
from shared.review.comparisons import ComparisonRecord
from shared.store.models import Command, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker
from tests.unit.web.test_groups import captured, made

SCRIPT = "<script>alert(1)</script>"
Two = tuple[Task, Task]


@pytest.fixture
def two(api: Api) -> Two:
    """The first two tasks of a group, with a capture each."""
    first, second, _ = (tasks.get(task["id"]) for task in made(api)["tasks"])
    captured(first, "1")
    captured(second, "2")
    return first, second


def path_of(two: Two, **query: str) -> str:
    first, second = two
    said = {"from": first.id, "to": second.id, **query}
    return f"/ui/groups/{first.group_id}/diff?" + "&".join(f"{name}={value}" for name, value in said.items())


def play(worker: PlayedWorker, two: Two, sizes: dict[str, int]) -> None:
    """Let the worker compare them: each file as new in the second, with so many lines."""

    def compare(command: Command) -> tuple[str, dict[str, str]]:
        pair = points.pair(two[0], command.body["from"], command.body["to"], two[1])
        files = [
            {"path": name, "path_b64": None, "old_path": None, "status": "added", "additions": lines,
             "deletions": 0, "binary": False, "old_mode": None, "new_mode": "100644", "flags": []}
            for name, lines in sizes.items()
        ]  # fmt: skip
        patch = "".join(
            f"diff --git a/x b/x\n--- /dev/null\n+++ b/x\n@@ -0,0 +1,{lines} @@\n" + f"+{SCRIPT}\n" * lines
            for lines in sizes.values()
        )
        record = ComparisonRecord("1" * 40, "2" * 40, "", files, patch.encode(), False)
        return "applied", {"comparison": comparisons.keep(pair, record).id}

    worker.answer = compare


def test_the_files_that_differ_are_read_and_what_is_far_comes_when_asked_for(
    visitor: Visitor, worker: PlayedWorker, two: Two
) -> None:
    play(worker, two, {"a/<b>.py": 2, "big.py": 350, "huge.py": 900})
    page = visitor.get(path_of(two, view="unified"))
    assert page.status_code == 200
    assert "What would turn 1. Shell as it was just now into 2. Shell as it was just now" in re.sub(
        r"</?time[^>]*>", "", page.text
    )
    assert "a/&lt;b&gt;.py" in page.text
    assert page.text.count('<table class="diff unified"') == 1
    assert SCRIPT not in page.text
    [partial] = re.findall(r'hx-get="([^"]+)"', page.text)
    part = visitor.get(partial.replace("&amp;", "&")).text
    assert part.count('<tr class="add">') == 350
    assert "Show 900 changed lines" in page.text
    assert visitor.get(path_of(two, path="huge.py")).text.count("<table class=") == 2
    assert '<table class="diff split"' in visitor.get(path_of(two, view="split")).text


def test_without_a_choice_the_first_two_tasks_are_compared(
    visitor: Visitor, worker: PlayedWorker, two: Two
) -> None:
    play(worker, two, {"a": 1})
    shown = visitor.get(f"/ui/groups/{two[0].group_id}/diff").text
    assert "What would turn 1. Shell as it was" in shown
    assert shown.count("<option") == 6
    assert shown.count("selected>") == 2


def test_what_is_not_there_yet_is_said(visitor: Visitor, api: Api, two: Two) -> None:
    waits = visitor.get(path_of(two)).text
    assert "still being compared" in waits
    assert "Look again" in waits
    third = api.get(f"/groups/{two[0].group_id}").json["tasks"][2]["id"]
    assert "Nothing of this task is captured yet." in visitor.get(path_of(two, to=third)).text
    assert visitor.get(path_of(two, to=two[0].id)).status_code == 400
    assert visitor.get(path_of(two, to=api.new()["id"])).status_code == 400


def test_two_that_ended_with_the_same_files_say_so(visitor: Visitor, worker: PlayedWorker, two: Two) -> None:
    play(worker, two, {})
    assert "Both ended with the same files." in visitor.get(path_of(two)).text


def test_a_comparison_of_another_group_is_not_read_through_this_one(
    visitor: Visitor, api: Api, worker: PlayedWorker, two: Two
) -> None:
    play(worker, two, {"a": 1, "big.py": 350})
    [partial] = re.findall(r'hx-get="([^"]+)"', visitor.get(path_of(two)).text)
    other = made(api)["id"]
    assert visitor.get(partial.replace("&amp;", "&").replace(str(two[0].group_id), other)).status_code == 404
