"""The changes page of thousands of files: a part of them at a time, every one of them found."""

from __future__ import annotations

import re

import pytest

from shared.store.models import Task
from tests.browser.captured import capture
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from web.pages import changes

FILES = 2_700


@pytest.fixture
def page(api: Api) -> str:
    task: Task = Task.get(Task.id == api.new()["id"])
    capture(task, [(f"src/d{number % 9}/Module{number:04}.py", ["a"], ["b"]) for number in range(FILES)])
    return f"/ui/tasks/{task.id}/changes"


def listed(html: str) -> list[str]:
    """The files that a page lists, by number."""
    return re.findall(r'<section class="file.*?Module(\d{4})\.py', html, re.DOTALL)


def test_a_long_list_comes_in_parts_that_lead_to_each_other(visitor: Visitor, page: str) -> None:
    first = visitor.get(page).text
    assert (listed(first)[0], listed(first)[-1], len(listed(first))) == ("0000", "0249", changes.PART_FILES)
    assert "1–250 of 2,700 files" in first
    assert 'rel="next" href="?view=split&amp;part=2"' in first
    assert 'rel="prev"' not in first
    last = visitor.get(f"{page}?part=11&viewed=hide").text
    assert (listed(last)[0], listed(last)[-1]) == ("2500", "2699")
    assert 'rel="prev" href="?view=split&amp;viewed=hide&amp;part=10"' in last
    assert 'rel="next"' not in last
    for odd in ("99", "0", "-1", "x", "²", "9" * 40):
        assert len(listed(visitor.get(f"{page}?part={odd}").text)) in (200, 250), odd


def test_files_are_found_among_all_by_what_is_in_their_paths(visitor: Visitor, page: str) -> None:
    found = visitor.get(f"{page}?find=module26&space=ignore").text
    assert (listed(found)[0], len(listed(found))) == ("2600", 100)
    assert "1–100 of 100 files" in found
    assert '<input type="hidden" name="space" value="ignore">' in found
    assert 'href="?view=split&amp;space=ignore">All files' in found
    none = visitor.get(f"{page}?find=<script>").text
    assert listed(none) == []
    assert "No changed file has that in its path." in none
    assert "<script>" not in none.replace("<script src", "").replace("<script type", "")


def test_the_part_that_holds_a_file_is_shown_when_it_is_asked_for(visitor: Visitor, page: str) -> None:
    shown = visitor.get(f"{page}?path=src/d8/Module1709.py&part=1").text
    assert listed(shown)[0] == "1500"
    assert "1,501–1,750 of 2,700 files" in shown
    (key,) = re.findall(r'data-file="(\w+)" data-name="src/d8/Module1709.py"', shown)
    assert listed(visitor.get(f"{page}?comment={key}").text)[0] == "1500"


def test_a_short_list_has_no_parts(visitor: Visitor, api: Api) -> None:
    task: Task = Task.get(Task.id == api.new()["id"])
    capture(task, [("a.py", ["a"], ["b"])])
    shown = visitor.get(f"/ui/tasks/{task.id}/changes").text
    assert 'class="parts"' not in shown
    assert 'placeholder="Filter 1 file"' in shown
