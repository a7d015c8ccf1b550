"""What the commands send, print and exit with, against a server that gives the contract's answers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api, problem


def test_without_a_server_the_sentence_names_up(cli: Cli, tmp_path: Path) -> None:
    done = cli("ps")
    assert (done.code, done.out) == (1, "")
    assert (
        done.err
        == f"No openRuntime server answers for {tmp_path / 'data'}; start one with `openruntime up`.\n"
    )


def test_a_server_that_went_away_is_the_same_sentence(api: Api, cli: Cli) -> None:
    api.stop()
    done = cli("ps")
    api.start()
    assert done.code == 1
    assert "`openruntime up`" in done.err


def test_the_token_is_not_sent_to_an_address_nobody_configured(cli: Cli, api: Api) -> None:
    (api.data / "instance.json").unlink()
    assert cli("ps").code == 1
    assert api.asked == []


def test_a_refusal_is_its_one_sentence(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    api.answers["POST", f"/tasks/{task['id']}/interrupt"] = problem(
        409, "A one-shot agent cannot be interrupted."
    )
    done = cli("interrupt", "aaaa")
    assert (done.code, done.out, done.err) == (1, "", "A one-shot agent cannot be interrupted.\n")


def test_a_wrong_token_is_a_sentence(api: Api, cli: Cli) -> None:
    (api.data / "token").write_text("other")
    assert cli("ps").err == "Sign in first.\n"


# -- ids -------------------------------------------------------------------------------------------------------


def test_a_unique_prefix_is_enough_across_pages(api: Api, cli: Cli) -> None:
    api.page = 2
    for identity in ("aaaa1111", "bbbb1111", "bbbb2222", "cccc1111", "dddd1111"):
        api.task(identity)
    assert cli("stop", "DDDD").code == 0
    assert api.asked[-1][1].startswith("/tasks/dddd1111-")


def test_an_ambiguous_prefix_lists_the_candidates_and_changes_nothing(api: Api, cli: Cli) -> None:
    api.task("bbbb1111", title="One")
    api.task("bbbb2222", title="Two")
    done = cli("stop", "bb")
    assert done.code == 1
    assert done.err == "'bb' begins the ids of 2 tasks: bbbb1111 (One), bbbb2222 (Two).\n"
    assert all(method == "GET" for method, _, _ in api.asked)


def test_an_unknown_prefix_is_a_sentence(api: Api, cli: Cli) -> None:
    assert cli("stop", "zz\x1b[2J").err == "No task has an id that begins with 'zz'.\n"


def test_a_whole_id_needs_no_list(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    assert cli("stop", task["id"]).code == 0
    assert [target for _, target, _ in api.asked] == [f"/tasks/{task['id']}/stop"]


# -- lists -----------------------------------------------------------------------------------------------------


def test_ps_shows_a_line_per_task_with_titles_made_safe(api: Api, cli: Cli) -> None:
    api.task("aaaa1111", title="Fix \x1b]0;evil\x07it\nnow", status="needs-input")
    head, line = cli("ps").out.splitlines()
    assert head.split() == ["ID", "STATUS", "RUNNER", "UPDATED", "TITLE"]
    assert line.startswith("aaaa1111  needs-input  shell ")
    assert line.endswith("Fix it now")


@pytest.mark.parametrize("words", [("--json", "ps"), ("ps", "--json")])
def test_ps_json_is_the_array_of_tasks(api: Api, cli: Cli, words: tuple[str, ...]) -> None:
    task = api.task("aaaa1111")
    assert json.loads(cli(*words).out) == [task]


def test_ps_says_when_there_are_more(api: Api, cli: Cli) -> None:
    for number in range(3):
        api.task(f"aaaa000{number}")
    api.page = 2
    done = cli("ps", "-n", "2")
    assert len(done.out.splitlines()) == 3


def test_show_tells_attempts_and_what_the_policy_enforces(api: Api, cli: Cli) -> None:
    attempt = {"attempt_number": 1, "status": "failed", "exit_status": "exit status: 2"}
    api.task(
        "aaaa1111",
        attempts=[attempt],
        policy_report={"network_mode": {"state": "enforced", "reason": "bubblewrap"}},
        diff_stat="a.txt | 1 +",
    )
    shown = cli("show", "aaaa").out
    assert "exit status: 2" in shown
    assert "network_mode  enforced  bubblewrap" in shown
    assert "a.txt | 1 +" in shown


def test_runners_say_how_to_get_a_missing_one(api: Api, cli: Cli) -> None:
    assert "npm install -g codex" in cli("runners").out
    assert json.loads(cli("--json", "runners").out) == api.runners


def test_sessions_of_all_pages_are_one_table(api: Api, cli: Cli) -> None:
    api.sessions = [
        {
            "runner": "codex",
            "session_id": f"S{number}",
            "title": None if number else "A\x1b[2Jtitle",
            "workspace": "/w",
            "updated_at": "2026-05-14T10:11:12.000000Z",
            "message_count": number,
            "last_message": "said",
            "openruntime_task_id": None if number else "12345678-0000-4000-8000-000000000000",
        }
        for number in range(5)
    ]
    head, *rows = cli("sessions").out.splitlines()
    assert head.split() == ["UPDATED", "RUNNER", "SESSION", "TASK", "MESSAGES", "WORKSPACE", "TITLE"]
    assert [row.split()[3] for row in rows] == ["S0", "S1", "S2", "S3", "S4"]
    assert "2026-05-14 10:11" in rows[0]
    assert "12345678" in rows[0]
    assert "\x1b" not in rows[0]
    assert rows[1].endswith("said")
    found = json.loads(cli("--json", "sessions", "-n", "3").out)
    assert (len(found["sessions"]), found["codex_home"], found["next_cursor"]) == (3, "/c", "3")


def test_what_a_repository_configures_is_listed_and_its_newest_content_trusted(
    api: Api, cli: Cli, tmp_path: Path
) -> None:
    place = f"/workspaces/{uuid5(NAMESPACE_URL, os.path.realpath(tmp_path))}/trust"
    known = {"runner": "claude-code", "path": ".mcp.json", "problem": None, "trusted_at": None}
    rows = [{**known, "digest": "2" * 64}, {**known, "digest": "1" * 64}]
    api.answers["GET", place] = 200, rows
    api.answers["POST", place] = 200, [{**row, "trusted_at": "2026-01-01T00:00:00Z"} for row in rows]
    assert ".mcp.json" in cli("workspaces", "trust", str(tmp_path)).out
    assert "trusted" in cli("workspaces", "trust", str(tmp_path), "--yes").out
    files = [{"path": ".mcp.json", "digest": "2" * 64}]
    assert api.asked[-1][:3] == ("POST", place, {"files": files})


def test_workspaces_are_listed_added_and_forgotten(api: Api, cli: Cli, tmp_path: Path) -> None:
    api.workspaces = [{"id": "w1", "name": "one", "path": "/one"}, {"name": "here", "path": "/here"}]
    api.answers["POST", "/workspaces/register"] = 200, {"name": "new", "path": str(tmp_path)}
    api.answers["DELETE", "/workspaces/w1"] = 204, None
    assert cli("workspaces").out == cli("workspaces", "ls").out
    assert cli("workspaces", "add", str(tmp_path)).out == f"new  {tmp_path}\n"
    assert api.asked[-1][2] == {"path": str(tmp_path)}
    assert cli("workspaces", "rm", "one").code == 0
    assert api.asked[-1][:2] == ("DELETE", "/workspaces/w1")
    assert "is not registered" in cli("workspaces", "rm", "here").err
    assert cli("workspaces", "rm", "nothing").code == 1


def test_login_prints_the_link_alone(api: Api, cli: Cli) -> None:
    assert cli("login").out == f"http://127.0.0.1:{api.port}/login#token=x\n"
    assert json.loads(cli("--json", "login").out) == {"url": f"http://127.0.0.1:{api.port}/login#token=x"}


def test_where_works_with_and_without_a_server(api: Api, cli: Cli) -> None:
    found = json.loads(cli("where", "--json").out)
    assert (found["running"], found["url"]) == (True, f"http://127.0.0.1:{api.port}")
    api.stop()
    done = cli("where", "--json")
    api.start()
    assert done.code == 0
    assert json.loads(done.out)["running"] is False


# -- steering --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["start", "aaaa"], "start", {}),
        (["start", "aaaa", "--resume"], "start", {"resume": True}),
        (["reply", "aaaa", "yes", "please"], "reply", {"message": "yes please"}),
        (["stop", "aaaa"], "stop", {}),
        (["interrupt", "aaaa"], "interrupt", {}),
    ],
)
def test_steering_posts_the_verb_and_says_the_state(
    api: Api, cli: Cli, words: list[str], path: str, body: dict[str, Any]
) -> None:
    task = api.task("aaaa1111", status="running")
    done = cli(*words)
    assert api.asked[-1] == ("POST", f"/tasks/{task['id']}/{path}", body)
    assert (done.code, done.out) == (0, f"aaaa1111  {task['status']}\n")


def test_an_accepted_command_is_not_called_done(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="running")
    pending = {"id": "c", "kind": "stop", "accepted_at": "now"}
    api.answers["POST", f"/tasks/{task['id']}/stop"] = 202, {**task, "pending_command": pending}
    done = cli("stop", "aaaa")
    assert (done.code, done.out) == (0, "aaaa1111  stop accepted, not yet done (task is running)\n")


def test_a_queued_reply_is_said_to_be_queued(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", status="running")
    api.answers["POST", f"/tasks/{task['id']}/reply"] = 200, {**task, "delivery": "queued"}
    assert "queued until the agent can read it" in cli("reply", "aaaa", "go").out


def test_an_empty_reply_is_refused_here(api: Api, cli: Cli) -> None:
    api.task("aaaa1111")
    assert cli("reply", "aaaa", " ").code == 1
    assert api.asked == []


# -- review ----------------------------------------------------------------------------------------------------


PATCH = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-one\n+\x1b[2Jtwo\t\r\n"


def test_a_piped_diff_is_the_patch_byte_for_byte(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    api.answers["GET", f"/tasks/{task['id']}/diff"] = (
        200,
        {"patch": PATCH, "stat": "a | 2 +-\n", "truncated": False},
    )
    assert cli("diff", "aaaa").out == PATCH
    assert cli("diff", "aaaa", "--stat").out == "a | 2 +-\n"
    assert json.loads(cli("--json", "diff", "aaaa").out)["patch"] == PATCH
    assert "patch" not in json.loads(cli("--json", "diff", "--stat", "aaaa").out)


def test_merge_and_cleanup_say_what_happened(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    api.answers["POST", f"/tasks/{task['id']}/worktree/merge"] = (
        200,
        {"task": task, "message": "Landed as 1 commit."},
    )
    api.answers["POST", f"/tasks/{task['id']}/worktree/cleanup"] = 202, {"task": task, "message": ""}
    assert (
        cli("merge", "aaaa", "--strategy", "rebase", "--message", "m").out
        == "aaaa1111  Landed as 1 commit.\n"
    )
    assert api.asked[-1][2] == {"strategy": "rebase", "message": "m"}
    cli("merge", "aaaa", "--onto", "side", "--override", "verify")
    assert api.asked[-1][2] == {"target_branch": "side", "override": ["verify"]}
    assert cli("cleanup", "aaaa", "--force").out == "aaaa1111  cleanup accepted, not yet done\n"
    assert api.asked[-1][2] == {"force": True}


def test_a_merge_and_checks_that_take_long_are_waited_for(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111", pending_command={"kind": "merge"}, worktree_merged_at=None, checks=[])
    api.answers["GET", "/health"] = 200, {"workers": 1}
    path = f"/tasks/{task['id']}"

    def over() -> tuple[int, Any]:
        told = dict(task)
        task["pending_command"] = None
        return 200, told

    api.answers["GET", path] = over
    api.answers["POST", f"{path}/worktree/merge"] = 202, {"task": task, "message": ""}
    done = cli("merge", "aaaa")
    assert (done.code, "refused" in done.err) == (1, True)
    task |= {"pending_command": {"kind": "merge"}, "worktree_merged_at": "2026-01-01T00:00:00Z"}
    assert cli("merge", "aaaa").out == "aaaa1111  Merged\n"
    task |= {
        "pending_command": {"kind": "verify"},
        "checks": [{"name": "verify", "mode": "required", "state": "failed"}],
    }
    api.answers["POST", f"{path}/verify"] = 202, {"task_id": task["id"]}
    done = cli("verify", "aaaa")
    assert (done.code, done.err) == (1, "Not passed: verify.\n")
    assert "failed" in done.out
    api.answers["GET", "/health"] = 200, {"workers": 0}
    assert cli("merge", "aaaa").out == "aaaa1111  merge accepted, not yet done\n"
    assert "No worker is running" in cli("verify", "aaaa").err


def test_undo_says_what_it_did_or_would_do(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    api.answers["POST", f"/tasks/{task['id']}/undo"] = 200, {"task": task, "message": "Undid the landing."}
    api.answers["POST", f"/tasks/{task['id']}/undo/preview"] = (
        200,
        {
            "says": "A revert.",
            "conflicts": [{"path": "a", "why": "contents"}],
            "blocking": [],
            "files": ["b"],
        },
    )
    assert cli("undo", "aaaa").out == "aaaa1111  Undid the landing.\n"
    assert cli("undo", "--dry-run", "aaaa").out == "A revert.\nin the way: a (contents)\n  b\n"


def test_a_refused_merge_names_the_files(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    refusal = problem(409, "Your changes overlap.", blocking=[{"path": "a.txt"}])
    refusal[1]["slug"] = "landing-refused"
    api.answers["POST", f"/tasks/{task['id']}/worktree/merge"] = refusal
    assert cli("merge", "aaaa").err == "Your changes overlap: a.txt.\n"


def test_attach_prints_one_line_to_paste(api: Api, cli: Cli) -> None:
    task = api.task("aaaa1111")
    path = ("POST", f"/tasks/{task['id']}/runner/attach")
    found = {
        "supported": True,
        "command": "claude --resume S",
        "cwd": "/a b",
        "env": {"CLAUDE_CONFIG_DIR": "/c d"},
    }
    api.answers[path] = 200, found
    assert cli("attach", "aaaa").out == "cd '/a b' && CLAUDE_CONFIG_DIR='/c d' claude --resume S\n"
    api.answers[path] = 200, {"supported": False, "command": None, "message": "A shell task has no session."}
    done = cli("attach", "aaaa")
    assert (done.code, done.err) == (1, "A shell task has no session.\n")
