"""Diffs: pairs, words, numbers, both layouts, and hostile lines."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.review import patch
from tests.unit.rendering.payloads import PAYLOADS, judged
from web.rendering import diff
from web.rendering.highlight import highlighted

HEAD = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n"


def parsed(*lines: str) -> patch.FilePatch:
    old = sum(line[0] in " -" for line in lines)
    new = sum(line[0] in " +" for line in lines)
    body = "\n".join(lines) + "\n"
    return patch.parse(HEAD + f"@@ -1,{old} +1,{new} @@ def f():\n{body}".encode("utf-8", "surrogateescape"))


def test_lines_have_the_numbers_of_both_versions() -> None:
    hunk = parsed(" a", "-b", "+c", "+d", " e").hunks[0]
    assert [(line.kind, line.old, line.new) for line in hunk.lines] == [
        (" ", 1, 1), ("-", 2, None), ("+", None, 2), ("+", None, 3), (" ", 3, 4),
    ]  # fmt: skip


def test_a_line_that_looks_like_a_header_is_a_line() -> None:
    hunk = parsed("--- a/x", "+++ b/x", "+@@ -1 +1 @@").hunks[0]
    assert [line.text for line in hunk.lines] == ["-- a/x", "++ b/x", "@@ -1 +1 @@"]


def test_a_missing_newline_is_shown() -> None:
    found = patch.parse(HEAD + b"@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n")
    assert [line.bare for line in found.hunks[0].lines] == [True, False]
    assert 'class="bare"' in diff.table(found, "x", split=True)


def test_bytes_of_another_encoding_are_written_out() -> None:
    found = patch.parse(HEAD + b"@@ -1 +1 @@\n-caf\xe9\n+cafe\n")
    assert found.hunks[0].lines[0].text == "caf\\xe9"


def test_a_binary_patch_tells_its_sizes() -> None:
    found = patch.parse(HEAD + b"GIT binary patch\nliteral 512\nzcmV\n\nliteral 10\nRcm\n\n")
    assert (found.binary, found.sizes) == (True, [512, 10])


def test_changed_words_are_marked_in_both_lines() -> None:
    assert diff.words("x = foo(1, 2)", "x = foo(1, 3)") == ([(11, 12)], [(11, 12)])
    assert diff.words("completely other", "nothing alike here") == ([], [])


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_is_not_marked_is_the_same_in_both_lines(old: str, new: str) -> None:
    left, right = diff.words(old, new)
    if left or right:

        def rest(text: str, spans: list[tuple[int, int]]) -> str:
            return "".join(
                mark for place, mark in enumerate(text) if not any(a <= place < b for a, b in spans)
            )

        assert rest(old, left) == rest(new, right)


@pytest.mark.parametrize("split", [True, False])
def test_every_line_is_there_once_in_both_layouts(split: bool) -> None:
    html = str(diff.table(parsed(" same", "-old one", "-gone", "+old two", " end"), "x.txt", split=split))
    assert html.count("gone") == 1
    assert html.count(">same<") == (2 if split else 1)
    assert "<colgroup>" in html
    assert html.count("−") == 2
    assert ">+</td>" in html


def test_white_space_can_be_ignored() -> None:
    found = parsed(" a", "-if x:", "-  y()", "+if x:", "+    y()", "+    z()", " b")
    html = str(diff.table(found, "x", split=False, ignore_space=True))
    assert html.count('class="del"') == 0
    assert html.count('class="add"') == 1
    only = parsed("-a b", "+a  b")
    assert "Only white space" in diff.table(only, "x", split=False, ignore_space=True)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("name", ["x.py", "x.html", "x.js", "x"])
def test_no_line_becomes_markup(payload: str, split: bool, name: str) -> None:
    text = payload.replace("\n", "").replace("\x00", "")
    judged(diff.table(parsed(f"-{text}", f"+{text} new", f" {text}"), name, split=split))
    head = f"@@ -1 +1 @@ {text}\n-a\n+b\n".encode("utf-8", "replace")
    judged(diff.table(patch.parse(head), name, split=split))


@given(
    st.lists(
        st.text(alphabet=st.characters(exclude_characters="\n", codec="utf-8"), max_size=40), max_size=8
    ),
    st.sampled_from(["a.py", "a.html", "a.md", "a.c", "a.sh"]),
)
def test_colouring_keeps_every_character(lines: list[str], name: str) -> None:
    assert ["".join(text for _, text in line) for line in highlighted(lines, name)] == lines


def test_code_is_coloured_by_few_classes() -> None:
    found = highlighted(["def f(x):  # note", "    return 'a', 1"], "x.py")
    assert ("keyword", "def") in found[0]
    assert any(name == "comment" for name, _ in found[0])
    assert ("number", "1") in found[1]


def test_a_hostile_hunk_takes_bounded_time() -> None:
    began = time.process_time()
    diff.table(parsed("-" + "a " * 50_000, "+" + "b " * 50_000), "x.py", split=True)
    diff.table(
        parsed(*[f"-{n}" for n in range(1500)], *[f"+{n}x" for n in range(1500)]),
        "x.py",
        split=True,
        ignore_space=True,
    )
    assert time.process_time() - began < 8


def test_gits_own_patches_are_read_whole(tmp_path: Path) -> None:
    def git(*words: str) -> bytes:
        return subprocess.run(["git", *words], cwd=tmp_path, check=True, capture_output=True).stdout

    git("init", "-q")
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\n\nfour\nno end")
    git("add", "-A")
    git("commit", "-qm", "base")
    (tmp_path / "a.txt").write_bytes(b"one\n2\n\nfour\nno end\n")
    found = patch.parse(git("diff"))
    kinds = "".join(line.kind for line in found.hunks[0].lines)
    assert (kinds.count("-"), kinds.count("+")) == (3, 3)
    assert "CR" in diff.table(found, "a.txt", split=True)
