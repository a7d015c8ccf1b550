"""The table of tasks for one goal, as a browser without scripts uses it."""

from __future__ import annotations

import re

from shared import fleet, tasks
from shared.fleet import RunnerState
from shared.review import landings
from shared.store.database import transaction
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
    board = visitor.get("/").text
    assert f'id="card-{first}"' not in board
    assert "picked of 2" in board
    assert f'href="{path}">picked of 2' in visitor.get(f"/ui/tasks/{second}/changes").text
    refused = visitor.send(f"{path}/pick", {"back": path, "task": first})
    assert refused.status_code == 409
    assert "put the others back first" in refused.text
    answer = visitor.send(f"{path}/unpick", {"back": path})
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert f'id="card-{first}"' in visitor.get("/").text


def test_a_click_on_a_heading_sorts_the_lines_and_another_turns_them_around(
    visitor: Visitor, api: Api
) -> None:
    group = made(api)
    one, two, three = (task["id"] for task in group["tasks"])
    stat = "a.txt | 2 +-\n {} files changed, {} insertions(+), 1 deletion(-)\n"
    passed = {"name": "verify", "mode": "required", "state": "passed", "score": None, "note": None}
    told = {
        one: {"diff_stat": stat.format(3, 40), "ledger": {"cost_micros": 90_000, "input_tokens": 5}},
        three: {"diff_stat": stat.format(9, 7), "ledger": {"cost_micros": 20_000, "input_tokens": 8},
                "status": "needs-input", "checks": [passed]},
    }  # fmt: skip
    with transaction():
        for id, fields in told.items():
            Task.update(**fields).where(Task.id == id).execute()
    path = f"/ui/groups/{group['id']}"

    def order(sort: str) -> list[str]:
        return re.findall(r'<tr id="line-([^"]+)"', visitor.get(f"{path}?sort={sort}").text)

    assert order("") == order("nonsense") == [one, two, three]
    assert order("-task") == [three, two, one]
    #: What has no figure stands last either way.
    for key in ("lines", "cost"):
        assert (order(key), order(f"-{key}")) == ([three, one, two], [one, three, two]), key
    for key in ("files", "tokens"):
        assert (order(key), order(f"-{key}")) == ([one, three, two], [three, one, two]), key
    assert order("state")[0] == order("checks")[0] == three
    shown = visitor.get(f"{path}?sort=cost").text
    assert f'aria-sort="ascending"><a href="{path}?sort=-cost">Cost' in shown
    assert "✓ verify passed" in shown
    assert "Waits for your answer" in shown


def test_the_files_say_what_only_one_task_changed_and_what_is_the_same_in_several(
    visitor: Visitor, api: Api
) -> None:
    group = made(api)
    path = f"/ui/groups/{group['id']}"
    assert "Which task changed which file" not in visitor.get(path).text
    contents = {"both.txt": "b" * 40, "apart.txt": "c" * 40}
    for number, task in enumerate(group["tasks"][:2]):
        files = [
            (name, blob if name == "both.txt" else f"{number}{blob[1:]}") for name, blob in contents.items()
        ]
        captured(tasks.get(task["id"]), [*files, ("<only>.txt", "d" * 40)][: 3 - number])
    shown = visitor.get(path).text
    rows = re.findall(r'<tr><th scope="row"><code>(.*?)</code></th>(.*?)</tr>', shown, re.DOTALL)
    versions = {
        name: re.findall(r'class="version ([a-z]*)".*?</span>([a-z])</span>', row) for name, row in rows
    }
    assert versions == {
        "&lt;only&gt;.txt": [],
        "apart.txt": [("", "a"), ("", "b")],
        "both.txt": [("same", "a"), ("same", "a")],
    }
    assert shown.count("1 file only here") == 1
    answer = api.get(f"/groups/{group['id']}/files").json
    assert answer["task_ids"] == [task["id"] for task in group["tasks"][:2]]
    told = {
        file["path"]: [(one["task_id"], one["version"]) for one in file["tasks"]] for file in answer["files"]
    }
    first, second = answer["task_ids"]
    assert told == {
        "<only>.txt": [(first, "a")],
        "apart.txt": [(first, "a"), (second, "b")],
        "both.txt": [(first, "a"), (second, "a")],
    }


def captured(task: Task, files: list[tuple[str, str]]) -> None:
    """Keep a capture of these added files and their blobs."""
    listed = [
        {"path": name, "path_b64": None, "old_path": None, "status": "added", "additions": 1, "deletions": 0,
         "binary": False, "old_blob": None, "new_blob": blob, "old_mode": None, "new_mode": "100644", "flags": []}
        for name, blob in files
    ]  # fmt: skip
    record = landings.CaptureRecord(
        "a" * 40, "e" * 40, task.id.replace("-", "")[:32] + "0" * 8, "", listed, b"", False, []
    )
    landings.keep_capture(task, record)


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
    tried = list(Task.select().order_by(Task.number))
    assert [task.runner for task in tried] == ["claude-code", "codex"]
    assert tried[0].group_id == tried[1].group_id is not None
    assert all(task.live_attempt for task in tried)
    refused = visitor.send("/ui/compose", {**goal, "runner": "shell", "key": "other"})
    assert "A shell command is not for agents" in refused.text
    assert 'name="also-codex" value="1" checked' in refused.text
    assert Task.select().count() == 2
