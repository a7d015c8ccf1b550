"""The command `undo`: the last landing, and the cleanup with it, are as if they had not been."""

from __future__ import annotations

from shared import tasks
from shared.commands import CommandKind
from shared.lifecycle import Status
from shared.review import landings
from shared.store.models import Landing
from tests.integration.repository.desk_landing import MOVED, changed
from tests.unit.shared.played import said
from workers.repository import undoing
from workers.repository.completion import Intent

WORK = "echo four >> a.txt; echo new > new.txt"


def test_a_landing_with_its_cleanup_is_undone_and_the_task_waits_for_its_review_again(site) -> None:
    before, tip = site.state(), site.sh("git rev-parse main")
    task = site.task(WORK)
    site.done(task, CommandKind.MERGE, cleanup=True)
    assert site.worktree_path(task) is None
    shown = site.done(task, CommandKind.UNDO_PREVIEW)
    assert (shown["how"], shown["clean"], shown["restores_worktree"], sorted(shown["files"])) == (
        "undo", True, True, ["a.txt", "new.txt"],
    )  # fmt: skip
    result = site.done(task, CommandKind.UNDO)
    assert result["message"].startswith(
        "Undid the landing on branch main. Brought the worktree back on branch openruntime/"
    )
    assert site.sh("git rev-parse main") == tip
    assert changed(before, site.state()) <= MOVED
    found = tasks.get(task.id)
    assert (found.status, found.worktree_merged_at, found.worktree_cleaned_at) == (
        Status.READY_FOR_REVIEW,
        None,
        None,
    )
    assert (site.worktree(task).path / "new.txt").read_text() == "new\n"
    assert said(task)[-2:] == [("lifecycle", part) for part in result["message"].split(". ")]
    assert site.done(task, CommandKind.MERGE)["commit_oid"] == site.sh("git rev-parse main")


def test_an_undone_landing_is_not_undone_twice(site) -> None:
    task = site.task(WORK)
    site.done(task, CommandKind.MERGE)
    site.done(task, CommandKind.UNDO)
    for kind in (CommandKind.UNDO, CommandKind.UNDO_PREVIEW):
        assert "nothing to undo" in site.refused(task, kind)["detail"]
    assert landings.last_landing(task) is None


def test_what_came_after_the_landing_stays(site) -> None:
    task = site.task(WORK)
    site.done(task, CommandKind.MERGE)
    site.sh("echo later > later; git add later; git commit -qm later")
    assert site.done(task, CommandKind.UNDO_PREVIEW)["how"] == "revert"
    result = site.done(task, CommandKind.UNDO)
    assert result["commit_oid"] == site.sh("git rev-parse main")
    assert site.sh("git log --format=%s -2") == 'Revert "Fix it"\nlater'
    assert Landing.get().undo_oid == result["commit_oid"]


def test_only_what_was_shown_is_undone(site) -> None:
    task = site.task(WORK)
    site.done(task, CommandKind.MERGE)
    shown = site.done(task, CommandKind.UNDO_PREVIEW)["target_oid"]
    site.sh("echo later > later; git add later; git commit -qm later")
    assert "moved since" in site.refused(task, CommandKind.UNDO, target_oid=shown)["detail"]
    site.done(task, CommandKind.UNDO, target_oid=site.sh("git rev-parse main"))


def test_a_conflict_refuses_the_undo_and_the_landing_stands(site) -> None:
    task = site.task("sed -i s/two/AGENT/ a.txt")
    site.done(task, CommandKind.MERGE)
    site.sh("sed -i s/AGENT/USER/ a.txt; git commit -qam later")
    assert [found["path"] for found in site.done(task, CommandKind.UNDO_PREVIEW)["conflicts"]] == ["a.txt"]
    assert [found["path"] for found in site.refused(task, CommandKind.UNDO)["conflicts"]] == ["a.txt"]
    assert tasks.get(task.id).worktree_merged_at is not None
    assert Landing.get().state == "landed"


def test_a_forced_cleanup_is_undone_with_the_work_as_it_was(site) -> None:
    task = site.task(WORK)
    site.done(task, CommandKind.CLEANUP, force=True)
    assert site.done(task, CommandKind.UNDO_PREVIEW)["how"] == "restore"
    site.done(task, CommandKind.UNDO)
    worktree = site.worktree(task)
    assert (worktree.path / "new.txt").read_text() == "new\n"
    site.done(task, CommandKind.MERGE)
    assert (site.folder / "new.txt").read_text() == "new\n"


def test_a_task_that_is_live_or_has_nothing_behind_it_is_not_undone(site) -> None:
    task = site.task(WORK)
    assert "nothing to undo" in site.refused(task, CommandKind.UNDO)["detail"]


def test_an_undo_that_was_interrupted_goes_on_with_what_it_had_begun(site) -> None:
    task = site.task(WORK)
    tip = site.sh("git rev-parse main")
    site.done(task, CommandKind.MERGE)
    landed = Landing.get()
    intent = undoing.prepare(site.repository(), Intent.from_json(landed.intent))
    landings.begin_undo(landed, intent.to_json())
    site.done(task, CommandKind.UNDO)
    assert site.sh("git rev-parse main") == tip


def test_what_is_landed_after_a_later_cleanup_of_more_work_comes_back_first(site) -> None:
    """The last thing done is undone first: here the forced cleanup of a second attempt's work."""
    task = site.task(WORK)
    site.done(task, CommandKind.MERGE)
    site.again(task, "echo more > more")
    site.done(task, CommandKind.CLEANUP, force=True)
    assert site.done(task, CommandKind.UNDO_PREVIEW)["how"] == "restore"
    site.done(task, CommandKind.UNDO)
    assert (site.worktree(task).path / "more").exists()
    assert site.done(task, CommandKind.UNDO_PREVIEW)["how"] == "undo"


def test_without_a_recovery_ref_a_worktree_does_not_come_back(site) -> None:
    task = site.task(WORK)
    site.done(task, CommandKind.CLEANUP, force=True)
    site.sh(f"git update-ref -d refs/openruntime/recovery/{task.id}")
    assert "recovery ref" in site.refused(task, CommandKind.UNDO)["detail"]
