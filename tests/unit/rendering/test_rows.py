"""Rows of the timeline: what belongs together shares a row, every category has a form, no text becomes markup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shared.events import Category, Kind
from tests.unit.rendering.payloads import PAYLOADS, judged
from web.rendering import rows
from web.rendering.rows import Context, Seen

AT = datetime(2026, 11, 22, 18, 46, 4, tzinfo=UTC)
HERE = Context("/ui/tasks/1", "claude-code")
SHELL = Context("/ui/tasks/1", "shell")


def seen(
    seq: int,
    text: str,
    category: str | None = "runner-output",
    kind: str = "stdout",
    *,
    after: float = 0,
    **about: Any,
) -> Seen:
    metadata = {"category": category, **about} if category else {}
    return Seen(seq, "a", kind, text, metadata, AT + timedelta(seconds=after))


def drawn(*events: Seen, context: Context = SHELL) -> list[rows.Row]:
    return rows.rows(events, context)


def test_lines_of_one_stream_share_a_row_and_keep_their_addresses() -> None:
    found = drawn(seen(1, "one"), seen(2, "two"), seen(3, "oops", kind="stderr"), seen(4, "three"))
    assert [(row.first, row.last) for row in found] == [(1, 2), (3, 3), (4, 4)]
    assert 'id="e1"' in found[0].html
    assert 'id="e2" data-seq="2"' in found[0].html


def test_a_pause_begins_a_new_row() -> None:
    assert len(drawn(seen(1, "one"), seen(2, "two", after=5))) == 2


def test_pieces_without_a_newline_are_one_line() -> None:
    html = drawn(seen(1, "Delete? ", partial=True), seen(2, "[y/N]"))[0].html
    assert "Delete? [y/N]" in html
    assert html.count('class="line"') == 1


def test_a_result_joins_its_call_also_when_calls_cross() -> None:
    found = drawn(
        seen(1, "make", "tool-call", tool="Bash", tool_use_id="x", input={"command": "make"}),
        seen(2, "read", "tool-call", tool="Read", tool_use_id="y", input={}),
        seen(3, "built", "tool-result", tool_use_id="x", after=3),
        seen(4, " more", "tool-result", tool_use_id="x", after=3, continues=True),
        seen(5, "text", "tool-result", tool_use_id="y", failed=True, after=4),
        context=HERE,
    )
    assert [(row.first, row.last) for row in found] == [(1, 4), (2, 5)]
    assert "built more" in found[0].html
    assert "3.0 s" in found[0].html
    assert "failed" in found[1].html


def test_a_result_whose_call_is_not_there_stands_alone() -> None:
    assert 'data-result="x"' in drawn(seen(3, "built", "tool-result", tool_use_id="x"))[0].html


def test_pieces_of_prose_are_read_as_one_text() -> None:
    found = drawn(seen(1, "**bo", "agent-message"), seen(2, "ld**", "agent-message", continues=True))
    assert len(found) == 1
    assert "<strong>bold</strong>" in found[0].html


def test_long_output_of_an_agent_is_folded_and_a_shells_is_not() -> None:
    lines = [seen(n, f"line {n}") for n in range(1, 61)]
    assert "Show 52 lines" in drawn(*lines, context=HERE)[0].html
    assert "Show" not in drawn(*lines)[0].html


@pytest.mark.parametrize("category", [*Category, None])
@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_and_category_has_a_row_that_escapes(kind: Kind, category: str | None) -> None:
    for payload in PAYLOADS:
        text = payload.replace("\x00", "")
        about = dict.fromkeys(("tool", "tool_use_id", "reason", "delivery", "detection", "approval_id"), text)
        found = drawn(
            seen(1, text, category, kind, input={text: text, "long": f"{text}\n{text}"}, **about),
            context=HERE,
        )
        html = "".join(row.html for row in found)
        judged(html)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_request_shows_its_command_and_what_became_of_it(payload: str) -> None:
    row = SimpleNamespace(
        id="q", title=payload, command=payload, status="denied", decided_by="owner", decided_at=AT,
        delivered_at=AT, confirmed_at=None,
        scope="task", rule=payload, note=payload,
    )  # fmt: skip
    context = Context("/ui/tasks/1", "claude-code", {"q": row})
    html = drawn(seen(1, payload, "approval-request", "lifecycle", approval_id="q"), context=context)[0].html
    assert "Denied" in judged(html)
    assert "by you" in html


def test_a_diff_leads_to_the_changes() -> None:
    html = drawn(seen(1, " a | 2 +-\n 3 files changed, 12 insertions(+), 4 deletions(-)", None, "diff"))[
        0
    ].html
    assert '<a href="/ui/tasks/1/changes">3 changed files</a>' in html
    assert "+12" in html


def test_an_error_says_what_to_do_next() -> None:
    html = drawn(seen(1, "The agent could not be started: no claude", "attempt-start-failed", "error"))[
        0
    ].html
    assert "start the task again" in html
