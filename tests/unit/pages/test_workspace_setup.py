"""A workspace's set-up is written on its page, and a wrong limit changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared import workspaces
from tests.unit.pages.conftest import Visitor


@pytest.fixture
def row(visitor: Visitor, tmp_path: Path) -> Any:
    return workspaces.register(str(tmp_path), tmp_path)


def test_what_is_written_stands_in_the_defaults(visitor: Visitor, row: Any) -> None:
    fields = {"setup": "npm ci", "teardown": "", "minutes": "5", "include": "1"}
    assert visitor.send(f"/ui/workspaces/{row.id}/setup/write", fields).status_code == 303
    assert workspaces.get(row.id).defaults == {
        "setup": "npm ci",
        "setup_seconds": 300,
        "setup_mode": "advisory",
    }
    page = visitor.get(f"/ui/workspaces/{row.id}/setup").text
    assert 'value="npm ci"' in page
    assert 'name="include" value="1" checked' in page


@pytest.mark.parametrize("minutes", ["", "0", "61", "soon", "-1"])
def test_a_wrong_time_limit_is_refused_with_a_sentence(visitor: Visitor, row: Any, minutes: str) -> None:
    place = f"/ui/workspaces/{row.id}/setup"
    answer = visitor.send(f"{place}/write", {"setup": "true", "minutes": minutes, "back": place})
    assert answer.status_code == 422
    assert "a number of minutes from 1 to 60" in answer.text
    assert workspaces.get(row.id).defaults == {}
