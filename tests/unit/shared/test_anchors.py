"""Lines are found again by what they read and what was around them; what stands in their place is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.review import anchors
from shared.review.anchors import Anchor, Version

BEFORE = "import os\n\ndef f(x):\n    y = x + 1\n    return y\n\ndef g(x):\n    return x\n"


def numbered(text: str, first: int = 1) -> Version:
    return Version(dict(enumerate(text.rstrip("\n").split("\n"), start=first)))


def anchor(first: int, last: int, text: str = BEFORE) -> Anchor:
    lines = numbered(text).lines
    quote = "\n".join(lines[number] for number in range(first, last + 1))
    return Anchor(first, last - first + 1, quote, *anchors.around(lines, first, last))


def test_lines_that_only_moved_are_found_where_they_are() -> None:
    moved = numbered("# new\n# new\n" + BEFORE)
    assert anchors.place(moved, anchor(4, 5)) == 6
    assert anchors.place(moved, anchor(1, 1)) == 3


@pytest.mark.parametrize(
    ("change", "now"),
    [
        (("    y = x + 1\n", "    y = x + 2\n"), "    y = x + 2"),
        (
            ("    y = x + 1\n", "    z = x\n    y = z + 1\n    log(y)\n"),
            "    z = x\n    y = z + 1\n    log(y)",
        ),
        (("    y = x + 1\n", ""), ""),
        (("def f(x):\n    y = x + 1\n", "def f(z):\n    y = z + 1\n"), "def f(z):\n    y = z + 1"),
        (("    y = x + 1\n    return y\n", "    return x + 1\n"), "    return x + 1"),
    ],
)
def test_what_stands_in_place_of_changed_lines_is_told(change: tuple[str, str], now: str) -> None:
    lines = numbered("# above\n" + BEFORE.replace(*change))
    assert anchors.place(lines, anchor(4, 4)) is None
    assert anchors.reading(lines, anchor(4, 4)) == now


def test_the_same_words_elsewhere_are_other_lines() -> None:
    lines = numbered(BEFORE.replace("    return y\n", "    pass\n").replace("return x", "return y"))
    assert anchors.place(lines, anchor(5, 5)) is None
    assert anchors.reading(lines, anchor(5, 5)) == "    pass"
    assert anchors.place(numbered("    return y\n"), anchor(5, 5)) == 1


def test_of_equal_lines_those_with_the_same_lines_around_are_meant() -> None:
    text = "a\n}\nb\n}\nc\n}\n"
    assert anchors.place(numbered("}\nnew\n" + text), anchor(4, 4, text)) == 6


def test_where_nothing_is_left_nothing_is_told() -> None:
    assert anchors.place(numbered("something else\n"), anchor(4, 4)) is None
    assert anchors.reading(numbered("something else\n"), anchor(4, 4)) is None
    assert anchors.reading(Version({}), anchor(4, 4)) is None


def test_lines_that_are_not_shown_are_not_told() -> None:
    begun, ended = numbered("def f(x):\n", 3), numbered("    return y\n", 9)
    assert anchors.reading(Version({**begun.lines, **ended.lines}), anchor(4, 4)) is None


def test_the_first_and_the_last_line_have_one_neighbour() -> None:
    lines = numbered(BEFORE.replace("import os", "import sys").replace("return x\n", "return 1\n"))
    assert anchors.reading(lines, anchor(1, 1)) == "import sys"
    assert anchors.reading(lines, anchor(8, 8)) == "    return 1"


LINE = st.sampled_from(["a", "b", "", "}", "    x = 1", "return"])


@given(st.lists(LINE, min_size=1, max_size=12), st.lists(LINE, max_size=12), st.data())
def test_lines_of_the_same_file_are_where_they_were_and_any_other_is_borne(
    old: list[str], new: list[str], data: st.DataObject
) -> None:
    first = data.draw(st.integers(1, len(old)))
    last = data.draw(st.integers(first, len(old)))
    lines = dict(enumerate(old, start=1))
    quote = "\n".join(old[first - 1 : last])
    kept = Anchor(first, last - first + 1, quote, *anchors.around(lines, first, last))
    found = anchors.place(Version(lines), kept)
    assert found is not None
    assert "\n".join(lines[found + step] for step in range(kept.length)) == quote
    shown = dict(enumerate(new, start=1))
    where = anchors.place(Version(shown), kept)
    assert where is None or "\n".join(shown[where + step] for step in range(kept.length)) == quote
    now = anchors.reading(Version(shown), kept)
    assert now is None or now in "\n".join(new)
