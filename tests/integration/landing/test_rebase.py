"""A task whose target moved on is brought onto it; conflicts are refused, or marked for the agent or the person."""

from __future__ import annotations

import pytest

from shared import commands, tasks
from shared.commands import CommandKind
from shared.review import landings
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from tests.integration.repository.conftest import shell
from workers.repository import rebasing

WORK = (
    "echo four >> a.txt; echo new > new.txt; mkdir build; echo cached > build/out; echo build/ > .gitignore"
)
CONFLICT = "sed -i s/two/AGENT/ a.txt; echo fine > fine"
THEIRS = "sed -i s/two/USER/ a.txt; git commit -qam theirs"


def test_the_work_stands_on_the_targets_tip_and_the_diff_is_the_tasks_own(site) -> None:
    task = site.task(WORK)
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs")
    tip = site.sh("git rev-parse main")
    assert site.done(task, CommandKind.PREVIEW)["behind"] == 1
    result = site.done(task, CommandKind.REBASE)
    assert site.done(task, CommandKind.PREVIEW)["behind"] == 0
    tree = site.worktree(task)
    assert (tree.base_commit, tasks.get(task.id).base_commit, result["conflicts"]) == (tip, tip, [])
    assert [file["path"] for file in landings.latest_capture(task).files] == [
        ".gitignore",
        "a.txt",
        "new.txt",
    ]
    assert shell(tree.path, "cat theirs build/out; git status --porcelain; git rev-parse HEAD") == (
        f"t\ncached\n M a.txt\n?? .gitignore\n?? new.txt\n{tip}"
    )
    private = f"GIT_DIR={tree.agent_git_directory} GIT_WORK_TREE={tree.path} git"
    assert shell(tree.path, f"{private} status --porcelain; {private} log --format=%s -1") == (
        "M a.txt\n?? .gitignore\n?? new.txt\ntheirs"
    )
    site.done(task, CommandKind.MERGE)
    assert site.sh("git log --format=%s -2; cat new.txt theirs") == "Fix it\ntheirs\nnew\nt"


def test_a_conflict_is_refused_with_both_sides_and_their_base_and_nothing_changes(site) -> None:
    task = site.task(CONFLICT)
    site.sh(THEIRS)
    before = shell(site.worktree(task).path, "cat a.txt; git rev-parse HEAD")
    refused = site.refused(task, CommandKind.REBASE)
    hunk = refused["conflicts"][0]["hunks"][0]
    assert (refused["status"], refused["conflicts"][0]["path"]) == (409, "a.txt")
    assert all(part in hunk for part in ("AGENT", "USER", "|||||||", "two"))
    assert shell(site.worktree(task).path, "cat a.txt; git rev-parse HEAD") == before


def test_marked_conflicts_stand_in_the_files_and_do_not_land_unresolved(site) -> None:
    task = site.task(CONFLICT)
    site.sh(THEIRS)
    result = site.done(task, CommandKind.REBASE, conflicts="mark")
    path = site.worktree(task).path
    marked = (path / "a.txt").read_text()
    assert "<<<<<<< main\nUSER\n" in marked
    assert marked.split("=======")[1].startswith("\nAGENT\n>>>>>>> this-task")
    assert [found["path"] for found in result["conflicts"]] == ["a.txt"]
    assert result["worktree_path"] == str(path)
    assert [found["kind"] for found in site.refused(task, CommandKind.MERGE)["blocking"]] == [
        "conflict-markers"
    ]
    (path / "a.txt").write_text("one\nBOTH\nthree\n")
    site.done(task, CommandKind.MERGE)
    assert site.sh("cat a.txt fine") == "one\nBOTH\nthree\nfine"


def test_the_work_before_it_stays_under_the_recovery_ref(site) -> None:
    task = site.task(CONFLICT)
    site.sh(THEIRS)
    result = site.done(task, CommandKind.REBASE, conflicts="mark")
    assert site.sh(f"git show {result['recovery_ref']}:a.txt") == "one\nAGENT\nthree"


def test_the_agent_is_asked_in_words_by_a_new_attempt_of_its_session(site) -> None:
    task = site.task(CONFLICT)
    with transaction():
        Task.update(runner="claude-code", runner_session_id="session").where(Task.id == task.id).execute()
    site.sh(THEIRS)
    site.done(task, CommandKind.REBASE, conflicts="mark", ask=True)
    queued = Attempt.get(Attempt.id == tasks.get(task.id).live_attempt)
    assert queued.resume
    assert "- a.txt (contents)" in queued.message
    assert "<<<<<<< main" in queued.message


@pytest.mark.parametrize("body", [{}, {"ask": True, "conflicts": "mark"}])
def test_nothing_to_do_or_nobody_to_ask_is_said(site, body) -> None:
    task = site.task(WORK)
    assert site.refused(task, CommandKind.REBASE, **body)["status"] == 409


def test_an_ignored_file_in_the_way_refuses_and_stays(site) -> None:
    task = site.task(
        "echo build/ >> .git/info/exclude 2>/dev/null || true; printf 'out\\n' > .gitignore; echo mine > out"
    )
    site.sh("echo theirs > out; git add -f out; git commit -qm out")
    before = shell(site.worktree(task).path, "cat out; git rev-parse HEAD")
    assert "as it was" in site.refused(task, CommandKind.REBASE)["detail"]
    assert shell(site.worktree(task).path, "cat out; git rev-parse HEAD") == before


def test_an_interrupted_rebase_is_finished_by_the_next_worker(site, monkeypatch) -> None:
    task = site.task(WORK)
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs")
    tip = site.sh("git rev-parse main")

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(rebasing, "_move_branch", die)
        with pytest.raises(Killed):
            site.ask(task, CommandKind.REBASE)
    assert commands.release("worker-1") == 1
    site.done(task, CommandKind.REBASE)
    assert site.worktree(task).base_commit == tip
    assert [file["path"] for file in landings.latest_capture(task).files] == [
        ".gitignore",
        "a.txt",
        "new.txt",
    ]


def test_a_reply_after_a_landing_goes_on_from_the_landed_commit_with_ignored_files_in_place(site) -> None:
    task = site.task(WORK)
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs")
    landed = site.done(task, CommandKind.MERGE)["commit_oid"]
    again = site.again(task, "echo more > more")
    tree = site.worktree(again)
    assert (tree.base_commit, again.worktree_merged_at) == (landed, None)
    assert (tree.path / "build/out").read_text() == "cached\n"
    assert (tree.path / "theirs").read_text() == "t\n"
    site.done(task, CommandKind.PREVIEW)
    assert [file["path"] for file in landings.latest_capture(task).files] == ["more"]


def test_a_reply_after_landing_and_cleanup_makes_the_worktree_again_at_the_same_path(site) -> None:
    site.sh("git branch side")
    task = site.task("echo n > n", base_ref="side", target_branch="side")
    path = site.worktree(task).path
    landed = site.done(task, CommandKind.MERGE, cleanup=True)["commit_oid"]
    site.sh("git checkout -q -b elsewhere")
    again = site.again(task, "echo more > more")
    assert (site.worktree(again).path, site.worktree(again).base_commit) == (path, landed)
    assert (again.worktree_merged_at, again.worktree_cleaned_at) == (None, None)
    assert (path / "n").exists()


def test_a_reply_after_a_forced_cleanup_goes_on_with_the_work_that_was_kept(site) -> None:
    task = site.task(WORK)
    site.done(task, CommandKind.CLEANUP, force=True)
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs")
    again = site.again(task, "echo more > more")
    assert {"new.txt", "more"} <= {path.name for path in site.worktree(again).path.iterdir()}
    site.done(task, CommandKind.PREVIEW)
    assert [file["path"] for file in landings.latest_capture(task).files] == [
        ".gitignore",
        "a.txt",
        "more",
        "new.txt",
    ]


def test_a_task_that_had_changed_nothing_starts_again_from_the_branch_as_it_is_now(site) -> None:
    task = site.task("true")
    site.done(task, CommandKind.CLEANUP)
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs")
    again = site.again(task, "echo more > more")
    assert site.worktree(again).base_commit == site.sh("git rev-parse main")
