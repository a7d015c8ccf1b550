"""How values read: ages, money, and text that would rather not be seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.pages import words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rm \u202etxt.exe", "rm ⟦U+202E⟧txt.exe"),
        ("a\u200bb", "a⟦U+200B⟧b"),
        ("a\x1b[31mb", "a⟦U+001B⟧[31mb"),
        ("one\ntwo\tthree", "one↵two⇥three"),
        ("tag\U000e0041", "tag⟦U+E0041⟧"),
        ("filler\u3164", "filler⟦U+3164⟧"),
        ("żółw 日本 é 👍", "żółw 日本 é 👍"),
    ],
)
def test_what_is_invisible_is_spelled_out(text: str, shown: str) -> None:
    assert words.spelled(text) == shown
    assert words.visible(text).striptags() == shown


def test_text_is_escaped_and_the_marks_are_markup() -> None:
    shown = words.visible("<b>\u202e</b>")
    assert shown.startswith('&lt;b&gt;<span class="codepoint"')
    assert "⟦U+202E⟧" in shown


def test_line_breaks_stay_where_they_are_wanted() -> None:
    assert words.visible("one\n\ttwo", breaks=True) == "one\n\ttwo"


@given(st.text())
def test_whatever_is_shown_holds_no_markup_of_the_text(text: str) -> None:
    bare = words.visible(text.replace("span", "")).replace('<span class="codepoint" title="', "")
    assert "<script" not in bare
    assert bare.count("<") == bare.count("</span>")


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("one\ntwo\n\n", "two"),
        ("10 %\r50 %\rdone", "done"),
        ("done\r\n", "done"),
        ("\x1b]0;title\x07plain", "plain"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("", ""),
    ],
)
def test_output_becomes_its_last_line_without_terminal_codes(output: str, line: str) -> None:
    assert words.last_line(output) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (3600, "1h"), (11100, "3h 5m"), (200000, "2d")],
)
def test_durations_read_short(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


@pytest.mark.parametrize(
    ("micros", "estimated", "text"),
    [(0, False, ""), (4_000, False, "<$0.01"), (840_000, False, "$0.84"), (1_005_000, True, "~$1.01")],
)
def test_money_reads_in_dollars(micros: int, estimated: bool, text: str) -> None:
    assert words.money(micros, estimated) == text
