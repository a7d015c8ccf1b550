"""The table of tasks for one goal, as a browser without scripts uses it."""

from __future__ import annotations

from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from tests.unit.web.test_groups import made


def test_the_table_picks_one_and_puts_the_others_back(visitor: Visitor, api: Api) -> None:
    group = made(api, title="Race <b>", variants=[{"runner": "shell"}, {"runner": "codex", "model": "m-1"}])
    first, second = (task["id"] for task in group["tasks"])
    path = f"/ui/groups/{group['id']}"
    board = visitor.get("/").text
    assert board.count(f'href="{path}"') == 2
    assert "1 of 2" in board
    shown = visitor.get(path).text
    assert "Race &lt;b&gt;" in shown
    assert "m-1" in shown
    assert shown.count(f'action="{path}/pick"') == 2
    answer = visitor.send(f"{path}/pick", {"back": path, "task": second})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/ui/tasks/{second}/changes")
    shown = visitor.get(path).text
    assert f'action="{path}/pick"' not in shown
    assert f'id="card-{first}"' not in visitor.get("/").text
    refused = visitor.send(f"{path}/pick", {"back": path, "task": first})
    assert refused.status_code == 409
    assert "put the others back first" in refused.text
    answer = visitor.send(f"{path}/unpick", {"back": path})
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert f'id="card-{first}"' in visitor.get("/").text
