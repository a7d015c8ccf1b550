"""`push`: what is asked of the server, and what a person reads of the answer."""

from __future__ import annotations

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api


def test_push_says_where_the_work_went_or_would_go(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    path = f"/tasks/{task['id']}/push"
    done = {"task": task, "message": "Pushed 12 to branch x of origin", "compare_url": "https://h/c"}
    api.answers["POST", path] = 200, {**done, "pull_request_refused": "gh is not installed."}
    said = cli("push", "aaaa", "--branch", "x", "--override", "verify", "--title", "T", "--draft")
    assert said.out == "aaaa1111  Pushed 12 to branch x of origin\nhttps://h/c\n"
    assert said.err == "gh is not installed.\n"
    asked = {"branch": "x", "override": ["verify"], "pull_request": {"title": "T", "draft": True}}
    assert api.asked[-1] == ("POST", path, asked)
    cli("push", "aaaa", "--pr")
    assert api.asked[-1][2] == {"pull_request": {}}
    api.answers["POST", path] = 202, {"task": task, "message": ""}
    assert cli("push", "aaaa").out == "aaaa1111  push accepted, not yet done\n"
    blocking = [{"path": "", "why": "The check verify failed on the merged tree."}]
    seen = {"commands": ["git push"], "pull_request": {"command": "gh pr create"}, "conflicts": []}
    api.answers["POST", f"{path}/preview"] = 200, {**seen, "blocking": blocking}
    told = cli("push", "--dry-run", "aaaa").out
    assert told == "git push\ngh pr create\nin the way: The check verify failed on the merged tree.\n"
