"""The agent's own commits land as they are where its policy lets it commit, and never unchecked."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Conflict, LandingRefused
from tests.integration.repository.conftest import Desk, shell
from tests.integration.repository.desk_landing import TASK, land, look, refs
from workers.repository import capture, history
from workers.repository.worktree import Worktree

COMMITS = (
    "echo one > one; git add one; git commit -qm 'Add one' --author 'Agent <agent@example.org>' --date '@1700000000 +0200';"
    "echo two > two; git add two; printf 'Add two\\n\\nSigned-off-by: A <a@example.org>\\n' | git commit -q -F -"
)


def sandboxed(made: Worktree, script: str) -> None:
    """The script as in a sandbox, where the agent's own git directory lies over the user's."""
    os.environ.pop("GIT_DIR", None)
    shell(made.path, f"export GIT_DIR={made.agent_git_directory} GIT_WORK_TREE={made.path}; {script}")


def beside(made: Worktree, script: str) -> None:
    """The script without containment: its commits go to the user's repository."""
    shell(made.path, script)


def worked(desk: Desk, script: str, by: Callable[[Worktree, str], None] = sandboxed) -> dict:
    """What the agent left, as words for `land` and `look`."""
    made = desk.create(TASK)
    by(made, script)
    return {"taken": capture.take(made), "history": history.bring(made, desk.repository())}


@pytest.mark.parametrize("by", [sandboxed, beside])
def test_a_rebase_lands_each_commit_by_its_author_and_the_rest_as_one_more(desk, by) -> None:
    left = worked(desk, f"{COMMITS}; echo loose > loose", by)
    desk.sh("echo u > u; git add u; git commit -qm theirs")
    old = desk.sh("git rev-parse main")
    land(desk, strategy="rebase", message="The rest\n\nOpenRuntime-Task: t", **left)
    assert desk.sh("git log --reverse --format='%s|%an|%cn' main~3..main").split("\n") == [
        "Add one|Agent|Person",
        "Add two|User|Person",
        "The rest|Person|Person",
    ]
    assert desk.sh("git log -1 --format=%ad --date=raw main~2") == "1700000000 +0200"
    assert (
        desk.sh("git log -1 --format=%b main~1")
        == f"Signed-off-by: A <a@example.org>\nOpenRuntime-Task: {TASK}"
    )
    assert desk.sh("git rev-parse main~3") == old
    assert desk.sh("cat one two loose u; git status --porcelain") == "one\ntwo\nloose\nu"


def test_a_merge_keeps_the_commits_themselves(desk) -> None:
    left = worked(desk, COMMITS)
    tip = left["history"]
    desk.sh("echo u > u; git add u; git commit -qm theirs")
    land(desk, strategy="merge", message="Land it\n\nWhy", **left)
    assert desk.sh("git rev-parse main^2") == tip
    assert desk.sh("git log -1 --format=%B main") == "Merge: Land it\n\nWhy"
    assert desk.sh("git status --porcelain; git fsck --strict 2>&1 | grep -v dangling || true") == ""


def test_what_was_left_uncommitted_is_one_more_commit_of_a_merge(desk) -> None:
    left = worked(desk, f"{COMMITS}; rm one; echo loose > loose")
    land(desk, strategy="merge", **left)
    assert desk.sh("git log -1 --format=%s main^2") == "Uncommitted changes at the end of the task"
    assert desk.sh("git rev-parse main^2^") == left["history"]
    assert desk.sh("git ls-tree --name-only main | grep -cx -e one -e loose") == "1"


def test_a_squash_knows_nothing_of_them_and_lands_the_same_files(desk) -> None:
    left = worked(desk, f"{COMMITS}; echo loose > loose")
    done = land(desk, **left)
    assert (
        desk.sh("git rev-list --count main~1..main; git rev-parse main^{tree}")
        == f"1\n{left['taken'].tree_oid}"
    )
    assert done.commit_oid == desk.sh("git rev-parse main")


def test_a_history_with_merges_is_rebased_as_one_commit(desk) -> None:
    left = worked(
        desk,
        f"{COMMITS}; git checkout -qb side HEAD~1; echo s > s; git add s; git commit -qm s;"
        " git checkout -q -; git merge -q --no-edit side",
    )
    assert left["history"] is not None
    land(desk, strategy="rebase", message="All of it", **left)
    assert desk.sh("git log --format=%s -2 main") == "All of it\nsecond"
    assert desk.sh("cat one two s") == "one\ntwo\ns"


def test_a_commit_the_target_has_already_is_left_out_of_a_rebase(desk) -> None:
    left = worked(desk, COMMITS)
    desk.sh("echo one > one; git add one; git commit -qm same")
    land(desk, strategy="rebase", **left)
    assert desk.sh("git log --format=%s -2 main") == "Add two\nsame"


def test_a_conflict_in_any_commit_refuses_the_rebase_and_changes_nothing(desk) -> None:
    left = worked(
        desk, f"{COMMITS}; sed -i s/two/AGENT/ a.txt; git commit -qam change; git revert --no-edit HEAD"
    )
    desk.sh("sed -i s/two/USER/ a.txt; git commit -qam theirs")
    before, names = desk.state(), refs(desk)
    assert [found["path"] for found in look(desk, strategy="rebase", **left).conflicts] == ["a.txt"]
    with pytest.raises(LandingRefused):
        land(desk, strategy="rebase", **left)
    assert (desk.state(), refs(desk)) == (before, names)
    assert look(desk, strategy="squash", **left).clean


def test_an_agent_that_committed_nothing_has_no_history(desk) -> None:
    assert worked(desk, "echo n > n")["history"] is None


def test_a_history_that_left_the_base_counts_as_none(desk) -> None:
    left = worked(desk, "git checkout -q --orphan other; echo n > n; git add -A; git commit -qm other")
    assert left["history"] is None
    land(desk, strategy="rebase", message="One", **left)
    assert desk.sh("git log --format=%s -2 main") == "One\nsecond"


def test_packed_refs_and_a_detached_head_are_found(desk) -> None:
    made = desk.create(TASK)
    sandboxed(made, f"{COMMITS}; git pack-refs --all; git gc -q")
    assert history.bring(made, desk.repository()) == shell(
        made.path, f"git --git-dir={made.agent_git_directory} rev-parse HEAD"
    )
    sandboxed(made, "git checkout -q --detach HEAD~1")
    assert history.bring(made, desk.repository()) == shell(
        made.path, f"git --git-dir={made.agent_git_directory} rev-parse HEAD"
    )


def forged(made: Worktree) -> None:
    """A blob whose name is not its content's."""
    sandboxed(made, "echo good > f; git add f; git commit -qm f; git rev-parse HEAD:f > ../oid")
    oid = (made.path.parent / "oid").read_text().strip()
    place = made.agent_git_directory / "objects" / oid[:2] / oid[2:]
    place.chmod(0o644)
    place.write_bytes(zlib.compress(b"blob 5\0evil\n"))


def dot_git(made: Worktree) -> None:
    """A tree with `.git` in it."""
    sandboxed(
        made,
        "blob=$(echo x | git hash-object -w --stdin);"
        " inner=$(printf '100644 blob %s\\tconfig\\n' $blob | git mktree);"
        " tree=$({ git ls-tree HEAD; printf '040000 tree %s\\t.GIT\\n' $inner; } | git mktree --missing);"
        " git reset -q --soft $(git commit-tree $tree -p HEAD -m poison)",
    )


def borrowed(made: Worktree) -> None:
    sandboxed(made, COMMITS)
    with (made.agent_git_directory / "objects/info/alternates").open("a") as opened:
        opened.write("/somewhere/else/objects\n")


def linked(made: Worktree) -> None:
    sandboxed(made, COMMITS)
    (made.agent_git_directory / "objects/pack/pack-x.pack").symlink_to("/etc/hostname")


def missing(made: Worktree) -> None:
    sandboxed(made, COMMITS + "; git rev-parse HEAD:one > ../oid")
    oid = (made.path.parent / "oid").read_text().strip()
    (made.agent_git_directory / "objects" / oid[:2] / oid[2:]).unlink()


@pytest.mark.parametrize("poison", [forged, dot_git, borrowed, linked, missing])
def test_poisoned_commits_are_refused_and_the_work_still_lands_as_one(desk, poison) -> None:
    made = desk.create(TASK)
    poison(made)
    with pytest.raises(LandingRefused, match="cannot be taken over"):
        history.bring(made, desk.repository())
    shell(made.path, "echo more > more")
    land(desk, capture.take(made))
    assert desk.sh("cat more; git fsck --strict 2>&1 | grep -v dangling || true") == "more"


@pytest.mark.parametrize(
    "said", ["ref: ../../../../etc/passwd", "ref: refs/heads/../../x", "x" * 4096, "", "ref: refs/heads/link"]
)
def test_a_head_that_names_something_else_stands_for_no_commit(desk, said) -> None:
    made = desk.create(TASK)
    (made.agent_git_directory / "HEAD").write_text(said + "\n")
    (made.agent_git_directory / "refs/heads/link").symlink_to("/etc/hostname")
    assert history.bring(made, desk.repository()) is None


def test_too_many_commits_are_not_replayed(desk, monkeypatch) -> None:
    monkeypatch.setattr("workers.repository.strategies.MAX_COMMITS", 1)
    with pytest.raises(Conflict, match="squash or merge"):
        land(desk, strategy="rebase", **worked(desk, COMMITS))


def test_a_first_commit_is_rebased_from_commits_too(make_desk) -> None:
    desk = make_desk("git init -q -b main")
    left = worked(desk, COMMITS)
    land(desk, strategy="rebase", **left)
    assert desk.sh("git log --format=%s main") == "Add two\nAdd one"
    assert Path(desk.folder / "two").exists()
