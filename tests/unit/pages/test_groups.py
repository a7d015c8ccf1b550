"""The table of tasks for one goal, as a browser without scripts uses it."""

from __future__ import annotations

from shared import fleet
from shared.fleet import RunnerState
from shared.store.models import Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from tests.unit.web.test_groups import made


def test_the_table_picks_one_and_puts_the_others_back(visitor: Visitor, api: Api) -> None:
    group = made(api, title="Race <b>", variants=[{"runner": "shell"}, {"runner": "codex", "model": "m-1"}])
    first, second = (task["id"] for task in group["tasks"])
    path = f"/ui/groups/{group['id']}"
    board = visitor.get("/").text
    assert board.count(f'href="{path}"') == 4
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


def test_the_composer_has_several_agents_try_one_goal(visitor: Visitor) -> None:
    assert 'name="also-codex"' not in visitor.get("/").text
    fleet.publish_runners([RunnerState(name, True, name) for name in ("claude-code", "codex")])
    assert 'name="also-codex"' in visitor.get("/").text
    goal = {
        "goal": "Speed it up",
        "runner": "claude-code",
        "also-claude-code": "1",
        "also-codex": "1",
        "key": "k",
    }
    for _ in range(2):
        assert visitor.send("/ui/compose", goal).status_code == 303
    made = list(Task.select().order_by(Task.number))
    assert [task.runner for task in made] == ["claude-code", "codex"]
    assert made[0].group_id == made[1].group_id is not None
    assert all(task.live_attempt for task in made)
    refused = visitor.send("/ui/compose", {**goal, "runner": "shell", "key": "other"})
    assert "A shell command is not for agents" in refused.text
    assert 'name="also-codex" value="1" checked' in refused.text
    assert Task.select().count() == 2
