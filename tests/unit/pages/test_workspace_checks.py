"""The form for what is asked of a workspace's tasks before they land."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import workspaces
from tests.unit.pages.conftest import Visitor

FIELDS = {
    "verify": "make test",
    "verify_mode": "advisory",
    "seconds": "90",
    "co_authored_by": "1",
    "review": "1",
}


def test_what_is_written_is_the_workspaces_and_shown_again(visitor: Visitor, tmp_path: Path) -> None:
    row = workspaces.register(str(tmp_path), tmp_path)
    lines = "lint: ruff check .\ntests (required): pytest -q: all\n\n"
    answer = visitor.send(f"/ui/workspaces/{row.id}/checks", {**FIELDS, "checks": lines})
    assert answer.status_code == 303
    assert workspaces.get(row.id).defaults == {
        "verify": "make test",
        "verify_mode": "advisory",
        "verify_seconds": 90,
        "co_authored_by": True,
        "review": "required",
        "checks": [
            {"name": "lint", "command": "ruff check ."},
            {"name": "tests", "command": "pytest -q: all", "mode": "required"},
        ],
    }
    page = visitor.get(f"/ui/workspaces/{row.id}/setup").text
    assert "lint: ruff check .\ntests (required): pytest -q: all</textarea>" in page
    assert '<option value="advisory" selected>' in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"checks": "no command"}, "name: command"),
        ({"checks": "verify: true"}, "none is called verify"),
        ({"checks": "a: true\na: false"}, "names of their own"),
        ({"seconds": "soon"}, "verify_seconds"),
        ({"seconds": "0"}, "verify_seconds"),
        ({"verify_mode": "maybe"}, "verify_mode"),
    ],
)
def test_what_is_no_check_is_said_in_a_sentence_and_changes_nothing(
    visitor: Visitor, tmp_path: Path, fields: dict[str, str], said: str
) -> None:
    row = workspaces.register(str(tmp_path), tmp_path)
    place = f"/ui/workspaces/{row.id}/setup"
    answer = visitor.send(f"/ui/workspaces/{row.id}/checks", {**FIELDS, **fields, "back": place})
    assert answer.status_code == 422
    assert said in answer.text
    assert workspaces.get(row.id).defaults == {}
