"""Prose: formatted, and nothing in it runs, loads or leads into the dashboard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rendering.payloads import PAYLOADS, judged
from web.rendering.markdown import prose


def test_prose_has_its_usual_forms() -> None:
    shown = prose("**b** `c`\n\n- one\n\n```py\nx < 1\n```\n\n|a|\n|-|\n|1|")
    assert "<strong>b</strong>" in shown
    assert "<code>c</code>" in shown
    assert "<li>one</li>" in shown
    assert "x &lt; 1" in shown
    assert '<div class="wide"><table>' in shown


def test_headings_leave_the_outline_of_the_page_alone() -> None:
    assert prose("# Title") == '<p class="heading h1">Title</p>\n'


def test_an_image_is_named_and_never_loaded() -> None:
    assert prose("![secret](http://evil.invalid/?q=1)") == "<p>[image: secret]</p>\n"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "/logout",
        "//evil.invalid",
        "file:///etc",
    ],
)
def test_only_absolute_web_addresses_are_links(address: str) -> None:
    assert "href" not in prose(f"[x]({address})")


def test_links_tell_their_target_nothing() -> None:
    assert 'rel="noopener noreferrer nofollow"' in prose("[x](https://example.invalid)")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_becomes_markup(payload: str) -> None:
    judged(prose(payload))


@given(st.text(alphabet="<>&\"'[]()!`*_#|-\n ajvscriptx:/=", max_size=120))
def test_no_text_becomes_foreign_markup(text: str) -> None:
    judged(prose(text))


def test_deep_nesting_and_long_text_stay_text() -> None:
    assert "&gt;" in prose(">" * 3_000) or "<blockquote>" in prose(">" * 3_000)
    assert prose("x" * 70_000).startswith('<pre class="plain">')
