"""Terminal output: colours are classes, overwriting happens, the rest of a terminal is gone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rendering.payloads import PAYLOADS, judged
from web.rendering.ansi import Terminal, stripped


def line(text: str) -> str:
    return str(Terminal().line(text))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m end", '<span class="ansi-red">red</span> end'),
        ("\x1b[1;92mok\x1b[22m still", '<span class="ansi-bold ansi-green">ok</span><span class="ansi-green"> still</span>'),
        ("\x1b[mreset", "reset"),
        #: 31 is the number of a colour here, not red.
        ("\x1b[38;5;31mx", '<span class="ansi-cyan">x</span>'),
        ("\x1b[38;5;196mx", '<span class="ansi-red">x</span>'),
        ("\x1b[38;5;240mx", '<span class="ansi-dim">x</span>'),
        ("\x1b[38;2;0;200;0mx", '<span class="ansi-green">x</span>'),
        ("\x1b[38:2:0:200:0mx", '<span class="ansi-green">x</span>'),
        ("\x1b[48;2;255;0;0;1mx", '<span class="ansi-bold ansi-on-red">x</span>'),
        ("\x1b[38;5mx", "x"),
        ("\x1b[37;40mx", '<span class="ansi-on-dim">x</span>'),
        ("10%\r50%\r100%", "100%"),
        ("long text\rab", "abng text"),
        ("long text\r\x1b[Kab", "ab"),
        ("ab\b\bX", "Xb"),
        ("ends\r", "ends"),
        ("\x1b]8;;http://evil.invalid\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]unterminated", ""),
        ("\x1b[2J\x1b[1;1H\x1b(B\x1b=text\x07", "text"),
        ("\x9b31mtext", '<span class="ansi-red">text</span>'),
        ("tab\there", "tab\there"),
    ],
)  # fmt: skip
def test_a_line_is_shown_as_a_terminal_would(given: str, shown: str) -> None:
    assert line(given) == shown


def test_a_colour_that_was_left_on_holds_for_the_next_line() -> None:
    terminal = Terminal()
    terminal.line("\x1b[31mfirst")
    assert str(terminal.line("second")) == '<span class="ansi-red">second</span>'


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_in_output_becomes_markup(payload: str) -> None:
    judged(line(payload))


@given(
    st.text(alphabet=st.characters(codec="utf-8") | st.sampled_from("\x1b\r\b[;m038]\\<>\u202e"), max_size=80)
)
def test_no_output_becomes_markup_or_keeps_control(text: str) -> None:
    judged(line(text.replace("\n", "")))


def test_a_long_line_takes_linear_time() -> None:
    began = time.process_time()
    line("\x1b[31mx\x1b[0m" * 6_000)
    line("x\r" * 30_000)
    line("\x1b]" * 30_000)
    assert time.process_time() - began < 3


def test_stripped_text_is_what_a_reader_sees() -> None:
    assert stripped("a\x1b[31mb\x1b[0m\n10%\r20%") == "ab\n20%"
