"""The page of the audit log."""

from __future__ import annotations

import pytest

from shared import audit, deletion, tasks
from shared.audit import log
from shared.config import Config
from shared.store.database import raw
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api


def test_each_decision_is_a_row_that_leads_to_its_task(visitor: Visitor, api: Api) -> None:
    task = api.new(title="<b>tidy</b>\u202e")
    page = visitor.get("/ui/audit").text
    assert f'href="/ui/tasks/{task["id"]}"' in page
    assert "&lt;b&gt;tidy&lt;/b&gt;" in page
    assert "\u202e" not in page
    assert "You, by token" in page
    deletion.hide(tasks.get(task["id"]))
    assert f"task {task['id'][:8]}, deleted" in visitor.get("/ui/audit").text


def test_filters_and_exports_keep_what_was_asked(visitor: Visitor, api: Api) -> None:
    api.new()
    page = visitor.get("/ui/audit?kind=create&actor=owner&since=2020-01-01").text
    assert 'href="/audit/export?format=csv&amp;kind=create&amp;actor=owner&amp;since=2020-01-01"' in page
    assert page.count("<tr>") == 2
    assert "Nothing was decided that fits." in visitor.get("/ui/audit?kind=stop").text


def test_its_state_is_shown_when_asked_for(visitor: Visitor, api: Api, config: Config) -> None:
    raw().execute("PRAGMA synchronous = full")  # heads are noted of what survives a power cut
    audit.keep_heads(config.data)
    try:
        api.new()
        assert "The log is whole." in visitor.get("/ui/audit?verify=1").text
        raw().execute("DROP TRIGGER audit_entry_stays")
        raw().execute("DELETE FROM audit_entry WHERE seq = 2")
        assert "Entry 2 is not right:" in visitor.get("/ui/audit?verify=1").text
    finally:
        log._heads = None


def test_older_entries_are_a_page_on(visitor: Visitor) -> None:
    for number in range(130):
        audit.record("create", "task", note=f"number {number}")
    page = visitor.get("/ui/audit").text
    assert "number 129" in page
    assert 'href="/ui/audit?cursor=32"' in page
    assert "number 29" in visitor.get("/ui/audit?cursor=32").text


@pytest.mark.parametrize(
    "query", ["since=x", "until=9999-12-31", "cursor=x", "kind=%00", "actor=%00<b>", "task='"]
)
def test_whatever_the_address_says_there_is_a_page(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/ui/audit?{query}").status_code == 200
