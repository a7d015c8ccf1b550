"""Landing never overwrites: what overlaps is refused and stays, what does not is kept byte for byte."""

from __future__ import annotations

import pytest

from shared.errors import LandingRefused, NotReady
from tests.integration.repository.desk_landing import MOVED, MOVED_SIDE, WORK, changed, land, look, refs


def test_a_squash_is_one_commit_on_the_branch_and_the_checkout_has_it(desk) -> None:
    taken = desk.change(WORK)
    old = desk.sh("git rev-parse main")
    done = land(desk, taken, message="Land the work\n\nWith a body.")
    assert desk.sh("git rev-parse main main^ HEAD").split() == [done.commit_oid, old, done.commit_oid]
    assert desk.sh("git status --porcelain") == ""
    assert desk.sh("git rev-parse main^{tree}") == taken.tree_oid
    assert (
        desk.sh("git log -1 --format=%an:%ae:%s:%b") == "Person:person@example.org:Land the work:With a body."
    )
    assert done.previous_oid == old
    assert desk.sh("git fsck --strict 2>&1 | grep -v dangling || true") == ""
    assert "openruntime: landed" in desk.sh("git reflog -1 HEAD")
    assert not list(desk.folder.glob(".git/openruntime-*"))
    assert "refs/openruntime/landing" not in refs(desk)


def test_a_preview_changes_nothing_and_says_what_a_landing_does(desk) -> None:
    taken = desk.change(WORK)
    before = desk.state(), refs(desk)
    shown = look(desk, taken)
    assert shown.clean
    assert shown.target_oid == desk.sh("git rev-parse main")
    assert (shown.target_branch, shown.checked_out_at, shown.head_oid) == (
        "main",
        str(desk.folder),
        taken.head_oid,
    )
    assert set(shown.files) == {"a.txt", "new.txt", "made/m.txt", "gone/g.txt", "d.txt", "moved.txt"}
    assert (desk.state(), refs(desk)) == before


KEPT = {
    "an unstaged edit": "echo mine >> sub/b.txt",
    "a staged edit": "echo mine >> sub/b.txt; git add sub/b.txt",
    "staged and edited again": "echo mine >> sub/b.txt; git add sub/b.txt; echo again >> sub/b.txt",
    "an untracked file": "echo mine > mine.txt; mkdir made2; echo x > made2/x",
    "an ignored file": "echo secret > .env; mkdir build; echo o > build/o",
    "a staged new file and a staged deletion": "echo n > n; git add n; git rm -q sub/deep/c.txt",
    "a deleted file": "rm sub/b.txt",
    "a mode change": "chmod +x sub/b.txt",
    "an untracked file in a folder that goes": "echo mine > gone/mine",
    "an ignored file in a folder that goes": "echo mine > gone/mine.log",
    "stashes, branches, tags and settings": "echo s >> sub/b.txt; git stash -q; git branch b; git tag -a -m t t; git notes add -m n; git config a.b c",
    "a sparse edit": "git update-index --skip-worktree sub/b.txt; echo mine >> sub/b.txt",
    "a hidden edit": "git update-index --assume-unchanged sub/b.txt; echo mine >> sub/b.txt",
    "intent to add": "echo n > n; git add -N n",
    "touched files": "touch -d '2001-01-01' a.txt d.txt gone/g.txt",
}  # fmt: skip

NOTHING_TO_BACK_UP = {
    KEPT[kind]
    for kind in (
        "an ignored file",
        "an ignored file in a folder that goes",
        "a hidden edit",
        "a sparse edit",
        "stashes, branches, tags and settings",
        "touched files",
    )
}


@pytest.mark.parametrize("strategy", ["squash", "apply"])
@pytest.mark.parametrize("user", KEPT.values(), ids=KEPT)
def test_what_does_not_overlap_is_kept_byte_for_byte(desk, user, strategy) -> None:
    taken = desk.change(WORK)
    desk.sh(user)
    staged, worktree = desk.sh("git diff --cached"), desk.sh("git diff")  # may refresh the index: first
    files = desk.state()
    index = (desk.folder / ".git/index").read_bytes()
    assert look(desk, taken, strategy=strategy).clean
    done = land(desk, taken, strategy=strategy)
    written = {"a.txt", "new.txt", "made", "made/m.txt", "gone", "gone/g.txt", "d.txt", "moved.txt"}
    assert changed(files, desk.state()) <= written | (MOVED if strategy != "apply" else set())
    assert (desk.folder / "new.txt").read_text() == "new\n"
    if strategy == "apply":
        assert (desk.folder / ".git/index").read_bytes() == index
        assert done.commit_oid is None
    else:
        assert (desk.sh("git diff --cached"), desk.sh("git diff")) == (staged, worktree)
    if user in NOTHING_TO_BACK_UP:
        assert done.backup_ref is None
    else:
        assert desk.sh(f"git rev-parse {done.backup_ref}^1") == done.previous_oid


OVERLAPS = {
    "an unstaged edit": ("echo mine >> a.txt", "a.txt", "modified"),
    "a staged edit": ("echo mine >> a.txt; git add a.txt", "a.txt", "staged"),
    "a staged edit undone on disk": ("cp a.txt k; echo mine >> a.txt; git add a.txt; mv k a.txt", "a.txt", "staged"),
    "an edit of a file that goes": ("echo mine >> gone/g.txt", "gone/g.txt", "modified"),
    "an edit of a file that is renamed": ("echo mine >> d.txt", "d.txt", "modified"),
    "a deletion of an edited file": ("rm a.txt", "a.txt", "modified"),
    "a staged deletion": ("git rm -q a.txt", "a.txt", "staged"),
    "an untracked file": ("echo mine > new.txt", "new.txt", "untracked"),
    "the same untracked file": ("echo new > new.txt", "new.txt", "untracked"),
    "an ignored file": ("echo new.txt >> .git/info/exclude; echo mine > new.txt", "new.txt", "ignored"),
    "an ignored file by the personal list": ("git config core.excludesFile $PWD/.git/mine; echo new.txt > .git/mine; echo mine > new.txt", "new.txt", "ignored"),
    "a staged new file": ("echo mine > new.txt; git add new.txt", "new.txt", "staged"),
    "a file where a folder comes": ("echo mine > made", "made", "untracked"),
    "an ignored file where a folder comes": ("echo made >> .git/info/exclude; echo mine > made", "made", "ignored"),
    "a link where a folder comes": ("ln -s /tmp made", "made", "untracked"),
    "an ignored folder where a file comes": ("echo new.txt/ >> .git/info/exclude; mkdir new.txt; echo mine > new.txt/x", "new.txt/x", "ignored"),
    "a folder turned link": ("mv gone ../away; ln -s ../away gone", "gone/g.txt", "modified"),
    "a folder where a file comes": ("mkdir new.txt; echo mine > new.txt/x", "new.txt/x", "untracked"),
    "a file inside a folder that comes": ("mkdir made; echo mine > made/m.txt", "made/m.txt", "untracked"),
    "an assume-unchanged edit": ("git update-index --assume-unchanged a.txt; echo mine >> a.txt", "a.txt", "modified"),
    "a skip-worktree edit": ("git update-index --skip-worktree a.txt; echo mine >> a.txt", "a.txt", "modified"),
    "a mode change": ("chmod +x a.txt", "a.txt", "modified"),
    "a file turned link": ("ln -sf sub/b.txt a.txt", "a.txt", "modified"),
    "an index lock": ("touch .git/index.lock", ".git/index.lock", "another git"),
    "an old index lock": ("touch -d '2001-02-03 04:05 UTC' .git/index.lock", ".git/index.lock", "another git command holds the index since 2001-02-03 04:05 UTC"),
    "a merge": ("git checkout -qb o HEAD~1; echo o > o; git add o; git commit -qm o; git checkout -q main; git merge -q --no-commit --no-ff o", ".git/MERGE_HEAD", "a merge"),
    "a conflicted cherry-pick": ("git checkout -qb o; echo o > sub/b.txt; git commit -qam o; git checkout -q main; echo p > sub/b.txt; git commit -qam p; git cherry-pick o || true", ".git/CHERRY_PICK_HEAD", "a cherry-pick"),
    "a conflicted revert": ("echo p > sub/b.txt; git commit -qam p; echo q > sub/b.txt; git commit -qam q; git revert --no-edit HEAD~1 || true", ".git/REVERT_HEAD", "a revert"),
    "a bisect": ("git bisect start; git bisect bad; git checkout -q main", ".git/BISECT_LOG", "a bisect"),
    "patches by mail": ("git format-patch -q -1 --stdout HEAD > ../p; git reset -q --hard HEAD~1; echo x > d.txt; git add d.txt; git commit -qm x; git am -q ../p || true", ".git/rebase-apply", "a rebase"),
    "a stash that conflicted": ("echo s > sub/b.txt; git stash -q; echo t > sub/b.txt; git commit -qam t; git stash pop -q || true", "sub/b.txt", "unmerged"),
}  # fmt: skip


@pytest.mark.parametrize(("user", "path", "why"), OVERLAPS.values(), ids=OVERLAPS)
def test_what_overlaps_is_refused_and_nothing_changes(desk, user, path, why) -> None:
    taken = desk.change(WORK)
    desk.sh(user)
    before, names = desk.state(), refs(desk)
    for strategy in ("squash", "apply"):
        shown = look(desk, taken, strategy=strategy)
        assert not shown.clean
        assert any(item["path"] == path and item["why"].startswith(why) for item in shown.blocking), (
            shown.blocking
        )
        with pytest.raises(LandingRefused) as refused:
            land(desk, taken, strategy=strategy)
        assert refused.value.extra["blocking"] == list(shown.blocking)
        assert (desk.state(), refs(desk)) == (before, names)
    assert (".git/index.lock" in user) == (desk.folder / ".git/index.lock").exists()


def test_a_rebase_in_progress_holds_its_branch_though_it_is_on_no_head(desk) -> None:
    taken = desk.change(WORK)
    desk.sh(
        "git checkout -qb o HEAD~1; echo o > sub/b.txt; git commit -qam o; git checkout -q main;"
        " echo p > sub/b.txt; git commit -qam p; git rebase -q o || true"
    )
    assert desk.sh("git branch --show-current") == ""
    with pytest.raises(LandingRefused, match="way"):
        land(desk, taken)


def test_real_conflicts_are_listed_with_their_hunks_and_nothing_changes(desk) -> None:
    taken = desk.change("sed -i s/two/AGENT/ a.txt; rm sub/b.txt; echo fine > fine")
    desk.sh("sed -i s/two/USER/ a.txt; echo more >> sub/b.txt; git commit -qam theirs")
    before, names = desk.state(), refs(desk)
    shown = look(desk, taken)
    assert {item["path"]: item["why"] for item in shown.conflicts} == {
        "a.txt": "contents",
        "sub/b.txt": "modify/delete",
    }
    assert "AGENT" in shown.conflicts[0]["hunks"][0]
    assert "USER" in shown.conflicts[0]["hunks"][0]
    with pytest.raises(LandingRefused) as refused:
        land(desk, taken)
    assert [item["path"] for item in refused.value.extra["conflicts"]] == ["a.txt", "sub/b.txt"]
    assert (desk.state(), refs(desk)) == (before, names)


def test_a_moved_target_is_merged_three_ways(desk) -> None:
    taken = desk.change("sed -i s/one/ONE/ a.txt; echo n > n")
    desk.sh("echo four >> a.txt; echo u > u; git add -A; git commit -qm theirs")
    land(desk, taken)
    assert (desk.folder / "a.txt").read_text() == "ONE\ntwo\nthree\nfour\n"
    assert desk.sh("git show --stat --format= HEAD | cat; git status --porcelain").count("|") == 2


def test_a_branch_nobody_has_checked_out_moves_alone(desk) -> None:
    desk.sh("git branch side HEAD~1")
    taken = desk.change("echo s > s", base_ref="side")
    desk.sh("echo mine >> a.txt; touch .git/index.lock")
    before = desk.state()
    done = land(desk, taken, target_branch="side")
    assert (done.backup_ref, desk.sh("git rev-parse side")) == (None, done.commit_oid)
    assert changed(before, desk.state()) == MOVED_SIDE
    assert desk.sh("git log --format=%s side").split("\n") == ["Land the work", "first"]


def test_a_branch_checked_out_in_another_worktree_is_updated_there(desk) -> None:
    desk.sh(
        "git worktree add -q -b side ../other; echo u > ../other/untracked; git worktree add -q --detach ../third"
    )
    taken = desk.change("echo s > s", base_ref="side")
    before = desk.state()
    assert look(desk, taken, target_branch="side").checked_out_at == str(desk.root / "other")
    land(desk, taken, target_branch="side")
    assert desk.sh("cd ../other; git status --porcelain; cat s") == "?? untracked\ns"
    assert changed(before, desk.state()) == MOVED_SIDE


def test_a_merge_has_two_parents_and_a_rebase_is_one_commit(desk) -> None:
    taken = desk.change(WORK)
    desk.sh("echo u > u; git add u; git commit -qm theirs")
    tip = desk.sh("git rev-parse main")
    land(desk, taken, strategy="merge")
    assert (
        desk.sh("git log -1 --format=%s main; git log -1 --format=%s main^2")
        == "Merge: Land the work\nLand the work"
    )
    assert desk.sh("git rev-parse main^1 main^2^").split() == [tip, taken.base_oid]
    assert desk.sh("git status --porcelain") == ""
    more = desk.change("echo r > r", "task-two")
    land(desk, more, strategy="rebase")
    assert desk.sh("git rev-list --parents -1 main").count(" ") == 1


def test_apply_leaves_uncommitted_edits_and_moves_nothing(desk) -> None:
    taken = desk.change(WORK)
    tip = desk.sh("git rev-parse main")
    done = land(desk, taken, strategy="apply")
    assert (done.commit_oid, desk.sh("git rev-parse main"), desk.sh("git stash list")) == (None, tip, "")
    assert desk.sh("git diff --cached") == ""
    assert desk.sh("git add -A; git write-tree") == taken.tree_oid


def test_apply_works_on_a_detached_head_and_squash_asks_for_a_branch(desk) -> None:
    desk.sh("git checkout -q --detach")
    taken = desk.change(WORK)
    with pytest.raises(NotReady, match="choose the branch"):
        land(desk, taken, target_branch=None)
    land(desk, taken, target_branch=None, strategy="apply")
    assert (desk.folder / "new.txt").exists()
