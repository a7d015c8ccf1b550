"""The command `merge`: which commits land, with which message, and that it lands once."""

from __future__ import annotations

import pytest

from shared import workspaces
from shared.commands import CommandKind
from tests.integration.repository.test_own_commits import COMMITS


@pytest.mark.parametrize(("may_commit", "landed"), [(True, ["Add two", "Add one"]), (False, ["Fix it"])])
def test_own_commits_land_only_where_the_policy_lets_the_agent_write_to_git(site, may_commit, landed) -> None:
    task = site.task(COMMITS, policy={"allow_git_write": may_commit})
    assert site.done(task, CommandKind.PREVIEW, strategy="rebase")["clean"]
    site.done(task, CommandKind.MERGE, strategy="rebase")
    assert site.sh("git log --format=%s main").split("\n") == [*landed, "first"]


def test_the_proposed_message_names_title_goal_and_task_and_the_agent_only_where_asked(site) -> None:
    task = site.task("echo n > n", prompt="Do it well")
    site.done(task, CommandKind.MERGE)
    assert site.sh("git log -1 --format=%B main") == f"Fix it\n\nDo it well\n\nOpenRuntime-Task: {task.id}"
    row = workspaces.register(str(site.folder), site.folder)
    workspaces.change(row.id, {"co_authored_by": True})
    second = site.task("echo m > m")
    site.done(second, CommandKind.MERGE)
    assert (
        site.sh("git log -1 --format='%(trailers:key=Co-Authored-By,valueonly)' main")
        == "shell <shell@openruntime.invalid>"
    )


def test_a_merge_may_name_another_branch_and_a_preview_looks_there(site) -> None:
    site.sh("git branch side; echo main > m; git add m; git commit -qm on-main")
    task = site.task("echo n > n")
    site.sh("git checkout -q -b elsewhere")
    assert site.done(task, CommandKind.PREVIEW, target_branch="side")["checked_out_at"] is None
    result = site.done(task, CommandKind.MERGE, target_branch="side")
    assert result["target_branch"] == "side"
    assert site.sh("git log -1 --format=%s side") == "Fix it"
