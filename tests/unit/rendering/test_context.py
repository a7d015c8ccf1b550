"""Unchanged lines around hunks: which are left out, how they are asked for, and diffs with more of them."""

from __future__ import annotations

import difflib
import re

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from shared.review import patch
from shared.review.patch import FilePatch
from web.rendering import context, diff
from web.rendering.context import Gap, More

OLD = [f"line {number}" for number in range(1, 101)]
NEW = [*OLD[:29], "changed", *OLD[30:59], "one more", *OLD[59:]]
MORE = More(Markup("?path=a&amp;context={lines}#f"), "/lines?file=a")


def made(old: list[str], new: list[str]) -> FilePatch:
    """The patch between two versions, as git writes it."""
    lines = difflib.unified_diff([f"{line}\n" for line in old], [f"{line}\n" for line in new], "a/x", "b/x")
    return patch.parse(("diff --git a/x b/x\n" + "".join(lines)).encode())


def links(html: str) -> list[tuple[str, str, str]]:
    """(which, context of its page, text) of every link to more lines."""
    found = re.findall(r'<a href="\?path=a&amp;context=(\d+)#f" data-more="(\w+)">([^<]*)</a>', html)
    return [(which, lines, text) for lines, which, text in found]


def test_every_gap_has_links_to_its_lines_from_both_ends_or_to_all_of_a_few() -> None:
    html = str(diff.table(made(OLD, NEW), "x", split=True, more=MORE))
    assert re.findall(r'class="gap" data-old="(\d+)" data-new="(\d+)" data-count="(\d*)"', html) == [
        ("1", "1", "26"), ("34", "34", "23"), ("63", "64", ""),
    ]  # fmt: skip
    assert links(html) == [
        ("up", "23", "↑ 20 above"), ("all", "29", "all 26 lines"),
        ("down", "23", "↓ 20 below"), ("up", "23", "↑ 20 above"), ("all", "26", "all 23 lines"),
        ("down", "23", "↓ 20 below"), ("all", "403", "to the end"),
    ]  # fmt: skip
    few = diff.table(made(OLD, ["new", *OLD[:10], *OLD[11:]]), "x", split=False, more=MORE)
    assert [link[0] for link in links(str(few))] == ["all", "down", "all"]
    assert links(str(few))[0][2] == "all 4 lines"


def test_there_are_no_links_where_the_patch_shows_the_whole_file() -> None:
    for old, new in (([], OLD), (OLD, []), (OLD[:3], ["x", *OLD[1:3]]), (OLD[:4], [*OLD[:3], "last"])):
        assert links(str(diff.table(made(old, new), "x", split=True, more=MORE))) == []
    bare = patch.parse(
        b"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,4 +1,4 @@\n-a\n+b\n c\n d\n e\n\\ No newline at end of file\n"
    )
    assert links(str(diff.table(bare, "x", split=True, more=MORE))) == []


def test_the_lines_of_a_gap_have_the_numbers_of_both_versions() -> None:
    hunk = context.lines_of(Gap(63, 64, None), NEW, 1_000, is_bare=True)
    assert [(line.old, line.new, line.text) for line in hunk.lines[:1]] == [(63, 64, "line 63")]
    assert (hunk.lines[-1].old, hunk.lines[-1].new, hunk.lines[-1].text) == (100, 101, "line 100")
    assert [line.bare for line in hunk.lines[-2:]] == [False, True]
    assert context.lines_of(Gap(500, 500, None), NEW, 20).lines == []


def test_code_is_told_from_text_by_what_stands_before_it() -> None:
    text = ['"""A text', "class In(Text):", '"""', "class Out: ..."]
    hunk = context.lines_of(Gap(2, 2, None), text, 1)
    assert "hl-keyword" in diff.unchanged(hunk, "x.py", split=False)
    assert "hl-keyword" not in diff.unchanged(hunk, "x.py", split=False, before=text[:1])
    for split, cells in ((False, 1), (True, 2)):
        assert diff.unchanged(hunk, "x.py", split=split).count('<td class="code') == cells


def test_white_space_that_is_hidden_leaves_one_gap() -> None:
    new = [*OLD[:29], "changed", *OLD[30:59], f"  {OLD[59]}", *OLD[60:]]
    html = str(diff.table(made(OLD, new), "x", split=True, ignore_space=True, more=MORE))
    assert re.findall(r'data-new="(\d+)" data-count="(\d*)"', html) == [("1", "26"), ("34", "")]


LINES = st.lists(st.sampled_from("abcdefgh"), max_size=60)


@given(LINES, LINES, st.integers(0, 40), st.integers(0, 200))
def test_more_lines_around_hunks_are_those_of_the_file_each_once(
    old: list[str], new: list[str], around: int, most: int
) -> None:
    found = made(old, new)
    wider = context.widened(found, new, around, max(most, found.lines))
    assert wider.lines <= max(most, found.lines)
    assert len(wider.hunks) == len(found.hunks)
    for lines, numbered in (
        (old, [(line.old, line.text) for hunk in wider.hunks for line in hunk.lines if line.old]),
        (new, [(line.new, line.text) for hunk in wider.hunks for line in hunk.lines if line.new]),
    ):
        assert len({number for number, _ in numbered}) == len(numbered)
        assert all(lines[number - 1] == text for number, text in numbered)
    for hunk in wider.hunks:
        assert sum(line.old is not None for line in hunk.lines) == hunk.old_count
        assert [line.new for line in hunk.lines if line.new][:1] == [hunk.new_start][: hunk.new_count]


@given(LINES, LINES)
def test_all_lines_around_hunks_are_the_whole_file(old: list[str], new: list[str]) -> None:
    found = made(old, new)
    if not found.hunks:
        return
    lines = [line for hunk in context.widened(found, new, 1_000, 1_000).hunks for line in hunk.lines]
    assert [line.text for line in lines if line.new] == new
    assert [line.text for line in lines if line.old] == old
