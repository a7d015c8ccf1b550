"""The audit log over HTTP: filters, pages, its state and its export."""

from __future__ import annotations

import csv
import io
import json

import pytest

from shared import audit
from shared.audit import log
from shared.audit.export import COLUMNS, csv_lines
from shared.config import Config
from shared.store.database import raw
from tests.unit.web.conftest import Api


def kinds(answer: object) -> list[str]:
    return [entry["kind"] for entry in answer.json]  # type: ignore[attr-defined]


def test_who_asked_is_in_the_entry(api: Api) -> None:
    task = api.new(title="tidy")
    (entry,) = api.get("/audit").json
    assert (entry["actor"], entry["kind"], entry["task_id"]) == ("owner:token", "create", task["id"])
    assert audit.record("create", "task") == 2
    assert api.get("/audit").json[0]["actor"] == "system"


def test_entries_are_paged_and_filtered(api: Api) -> None:
    first, other = api.new(), api.new()
    api.post(f"/tasks/{first['id']}/stop")
    assert kinds(api.get(f"/audit?task={first['id']}")) == ["stop", "create"]
    assert kinds(api.get("/audit?kind=create&order=oldest")) == ["create", "create"]
    assert kinds(api.get("/audit?actor=owner")) == ["stop", "create", "create"]
    assert kinds(api.get("/audit?actor=own")) == []
    assert kinds(api.get("/audit?until=2020-01-31")) == []
    assert len(api.get("/audit?since=2020-01-31&until=9999-12-30").json) == 3
    page = api.get("/audit?limit=2")
    assert len(page.json) == 2
    rest = api.get(page.headers["Link"].split(">")[0][1:])
    assert [entry["object_id"] for entry in rest.json] == [first["id"]]
    assert "Link" not in rest.headers
    assert other["id"] == page.json[1]["object_id"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("since=tomorrow", 400),
        ("until=9999-12-31", 400),
        ("limit=0", 422),
        ("order=x", 422),
        ("cursor=x", 422),
    ],
)
def test_what_cannot_be_asked_for_is_said(api: Api, query: str, status: int) -> None:
    assert api.get(f"/audit?{query}").status_code == status


def test_its_state_names_the_first_bad_entry(api: Api, config: Config) -> None:
    raw().execute("PRAGMA synchronous = full")  # heads are noted of what survives a power cut
    audit.keep_heads(config.data)
    try:
        for _ in range(3):
            api.new()
        assert api.get("/audit/verify").json["stands"] is True
        raw().execute("DROP TRIGGER audit_entry_keeps")
        raw().execute("UPDATE audit_entry SET actor = 'nobody' WHERE seq = 2")
        found = api.get("/audit/verify").json
        assert (found["stands"], found["first_bad"], found["problem"]) == (False, 2, "it was changed")
    finally:
        log._heads = None


def test_the_export_has_every_entry_in_both_forms(api: Api) -> None:
    api.new(title='=HYPERLINK("x")')
    audit.record("create", "task", actor="token:+1\n2", note="é")
    lines = api.get("/audit/export").text.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [1, 2]
    answer = api.get("/audit/export?format=csv&kind=create")
    assert "audit.csv" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1]["actor"] == "token:+1\\u000a2"
    assert json.loads(rows[0]["detail"])["title"] == '=HYPERLINK("x")'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    entry = dict.fromkeys(COLUMNS) | {"seq": 1, "actor": text, "detail": {"a": text}}
    _, record = csv_lines([entry])
    cells = next(csv.reader(io.StringIO(record)))
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n")]
