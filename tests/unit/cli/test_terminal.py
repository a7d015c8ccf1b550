"""Text from agents is shown without anything a terminal would obey (openruntime/cli/terminal.py)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openruntime.cli import terminal


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain\ttext\nand more", "plain\ttext\nand more"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;c3RvbGVu\x1b\\after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP+q544e\x1b\\after", "after"),
        ("\x1b_application\x1b\\\x1b^private\x1b\\\x1bXstring\x1b\\after", "after"),
        ("\x9d0;title\x9cafter", "after"),
        ("\x9b2Jafter", "after"),
        ("\x1b[2J\x1b[H\x1b[1;1fafter", "after"),
        ("\x1b[?1049h\x1b[?25lafter", "after"),
        ("\x1b[6nafter", "after"),
        ("\x1bc\x1b7\x1b(0after", "after"),
        ("unfinished \x1b]0;title", "unfinished "),
        ("unfinished \x1b[12", "unfinished "),
        ("lone \x1b", "lone "),
        ("honest\rspoofed", "honest\nspoofed"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("bell\x07 back\x08\x08space null\x00", "bell backspace null"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("naïve 日本 🙂", "naïve 日本 🙂"),
    ],
)
def test_every_control_but_tabs_and_line_ends_is_removed(hostile: str, shown: str) -> None:
    assert terminal.safe(hostile) == shown


def test_colours_are_kept_and_end_with_the_text() -> None:
    assert terminal.safe("\x1b[1;31mred\x1b[2J still") == "\x1b[1;31mred still\x1b[0m"


def test_a_sequence_hidden_in_another_does_not_appear_when_the_outer_is_removed() -> None:
    assert "\x1b]" not in terminal.safe("\x1b\x1b]]0;title\x07")
    assert terminal.safe("\x1b[\x1b[31m2J").count("\x1b[") <= 2


@given(st.text(alphabet=st.sampled_from("\x1b[]P;m0J\x07\\\x9b\x9c\r\na\u202e"), max_size=40))
def test_nothing_but_colours_escapes(text: str) -> None:
    left = terminal.safe(text)
    for piece in left.split("\x1b")[1:]:
        parameters, ended, _ = piece.partition("m")
        assert ended
        assert parameters[0] == "["
        assert set(parameters[1:]) <= set("0123456789;:")
    assert not set(left) & set("\x07\x9b\x9c\r\u202e")


@given(st.text(max_size=60))
def test_plain_text_carries_no_escape_at_all(text: str) -> None:
    assert "\x1b" not in terminal.plain(text)


def test_cutting_counts_columns_not_characters() -> None:
    assert terminal.fit("日本語テキスト", 7) == "日本語…"
    assert terminal.width("日本a\u0301") == 5
    assert terminal.fit("short", 5) == "short"


def test_a_megabyte_of_openings_takes_linear_time() -> None:
    assert terminal.safe("\x1b]" * 500_000) == ""
