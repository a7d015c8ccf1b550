"""Undoing a landing puts every byte back where nothing came after it, reverts by a commit where something did, and else refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import Conflict, LandingRefused, NotReady
from tests.integration.repository.desk_landing import MOVED, MOVED_SIDE, TASK, WORK, changed, refs
from workers.repository import completion, landing, undoing
from workers.repository.completion import Intent
from workers.repository.strategies import Recipe

USER = "echo staged > s; git add s; echo mine >> sub/b.txt; echo loose > loose; echo secret > .env"
ROOT = Path(__file__).parents[3]


def landed(desk, script: str = WORK, *, strategy: str = "squash", target: str = "main", **words) -> Intent:
    """A landing that went through, as the store remembers it."""
    taken = desk.change(script, TASK, **words)
    intent = landing.prepare(
        desk.repository(), taken, recipe=Recipe(strategy, "Land the work"), target_branch=target
    )
    completion.complete(intent)
    return intent


def undo(desk, intent: Intent) -> Intent:
    prepared = undoing.prepare(desk.repository(), intent)
    completion.complete(prepared)
    return prepared


@pytest.mark.parametrize("strategy", ["squash", "merge", "rebase", "apply"])
def test_nothing_came_after_so_branch_and_checkout_are_as_they_were(desk, strategy) -> None:
    desk.sh(USER)
    desk.sh("git status")  # refreshes the index, whose bytes are compared
    before, names = desk.state(), refs(desk)
    staged, worktree = desk.sh("git diff --cached"), desk.sh("git diff")
    intent = landed(desk, strategy=strategy)
    assert desk.state() != before
    shown = undoing.look(desk.repository(), intent)
    assert (shown.how, shown.conflicts, shown.blocking) == (
        "unapply" if strategy == "apply" else "undo",
        (),
        (),
    )
    assert set(shown.files) == {"a.txt", "new.txt", "made/m.txt", "gone/g.txt", "d.txt", "moved.txt"}
    undo(desk, intent)
    assert changed(before, desk.state()) <= MOVED - {".git/refs/heads/main"}
    assert (desk.sh("git diff --cached"), desk.sh("git diff")) == (staged, worktree)
    assert desk.sh("git for-each-ref refs/heads/main; git log -1 --format=%s") in names + "\nsecond"
    assert not (desk.folder / ".git/index.lock").exists()
    assert "refs/openruntime/landing" not in refs(desk)


def test_what_came_after_stays_and_the_landing_is_reverted_by_a_commit(desk) -> None:
    intent = landed(desk)
    desk.sh("echo later > later; git add later; git commit -qm later; echo mine >> sub/b.txt")
    assert undoing.look(desk.repository(), intent).how == "revert"
    undo(desk, intent)
    assert desk.sh("git log --format=%s -3") == 'Revert "Land the work"\nlater\nLand the work'
    assert desk.sh("git log -1 --format=%b") == (
        f"This reverts commit {intent.commit_oid}.\n\nOpenRuntime-Task: {TASK}"
    )
    assert desk.sh("git diff --stat HEAD~3 HEAD -- . ':!later'; git status --porcelain") == "M sub/b.txt"


def test_a_landing_that_a_remote_has_is_reverted_not_taken_back(desk) -> None:
    intent = landed(desk)
    desk.sh("git init -q --bare ../far; git remote add far ../far; git push -q far main; git fetch -q far")
    assert undo(desk, intent).strategy == "revert"
    assert desk.sh("git merge-base --is-ancestor far/main main && echo yes") == "yes"


def test_a_merge_with_history_below_is_reverted_whole(desk) -> None:
    intent = landed(desk, strategy="merge")
    desk.sh("git commit -q --allow-empty -m later")
    undo(desk, intent)
    assert desk.sh("git diff --stat HEAD~2^1 HEAD") == ""


@pytest.mark.parametrize("where", ["nowhere", "another worktree"])
def test_a_branch_that_is_not_checked_out_here_goes_back_too(desk, where) -> None:
    desk.sh("git branch side HEAD~1" + ("; git worktree add -q ../other side" if where != "nowhere" else ""))
    old = desk.sh("git rev-parse side")
    intent = landed(desk, "echo s > s", target="side", base_ref="side")
    before = desk.state()
    undo(desk, intent)
    assert desk.sh("git rev-parse side") == old
    assert changed(before, desk.state()) == MOVED_SIDE
    if where != "nowhere":
        assert desk.sh("cd ../other; git status --porcelain; ls s 2>/dev/null || true") == ""


def test_the_first_commit_of_a_repository_goes_away_again(make_desk) -> None:
    desk = make_desk("git init -q -b main; echo u > untracked; echo s > staged; git add staged")
    intent = landed(desk, "echo n > n")
    undo(desk, intent)
    assert desk.sh("git branch --list main; git status --porcelain") == "A  staged\n?? untracked"
    assert not (desk.folder / "n").exists()


CONFLICTS = {
    "an edit of what it brought": ("echo mine >> new.txt", "new.txt", "modified"),
    "a staged edit of what it changed": ("echo mine >> a.txt; git add a.txt", "a.txt", "staged"),
    "an untracked file where one comes back": ("mkdir gone; echo mine > gone/g.txt", "gone/g.txt", "untracked"),
    "an ignored file where one comes back": ("echo d.txt >> .git/info/exclude; echo mine > d.txt", "d.txt", "ignored"),
    "an index lock": ("touch .git/index.lock", ".git/index.lock", "another git"),
}  # fmt: skip


@pytest.mark.parametrize(("user", "path", "why"), CONFLICTS.values(), ids=CONFLICTS)
def test_what_is_the_users_since_refuses_it_and_nothing_changes(desk, user, path, why) -> None:
    intent = landed(desk)
    desk.sh(user)
    before, names = desk.state(), refs(desk)
    shown = undoing.look(desk.repository(), intent)
    assert any(found["path"] == path and found["why"].startswith(why) for found in shown.blocking), (
        shown.blocking
    )
    with pytest.raises(LandingRefused):
        undoing.prepare(desk.repository(), intent)
    assert (desk.state(), refs(desk)) == (before, names)


@pytest.mark.parametrize(
    "user", ["echo mine >> new.txt", "git add new.txt", "rm new.txt", "touch .git/index.lock"]
)
def test_applied_edits_that_were_touched_since_are_not_taken_back(desk, user) -> None:
    intent = landed(desk, strategy="apply")
    desk.sh(user)
    before = desk.state()
    assert undoing.look(desk.repository(), intent).blocking
    with pytest.raises(LandingRefused):
        undoing.prepare(desk.repository(), intent)
    assert desk.state() == before


def test_a_later_change_of_the_same_lines_is_a_conflict_with_its_hunks(desk) -> None:
    intent = landed(desk, "sed -i s/two/AGENT/ a.txt")
    desk.sh("sed -i s/AGENT/USER/ a.txt; git commit -qam later")
    before, names = desk.state(), refs(desk)
    shown = undoing.look(desk.repository(), intent)
    assert [found["path"] for found in shown.conflicts] == ["a.txt"]
    assert "USER" in shown.conflicts[0]["hunks"][0]
    with pytest.raises(LandingRefused, match="came after"):
        undoing.prepare(desk.repository(), intent)
    assert (desk.state(), refs(desk)) == (before, names)


@pytest.mark.parametrize(
    ("user", "error"),
    [
        ("git reset -q --hard HEAD~1", Conflict),
        ("git revert --no-edit HEAD", Conflict),
        ("git checkout -q -b other; git branch -D main -q", NotReady),
    ],
)
def test_what_is_gone_already_is_said_in_a_sentence(desk, user, error) -> None:
    intent = landed(desk)
    desk.sh(user)
    with pytest.raises(error):
        undoing.look(desk.repository(), intent)


def test_applied_edits_that_were_committed_are_not_taken_back(desk) -> None:
    intent = landed(desk, strategy="apply")
    desk.sh("git add -A; git commit -qm mine")
    with pytest.raises(Conflict, match="committed since"):
        undoing.look(desk.repository(), intent)


SQUASH_POINTS = ("_lock", "_write_files", "_move_branch", "_install")
APPLY_POINTS = ("_lock", "_back_up", "put_back")
#: A landing is killed there too, by the same code, in every run of the suite.
RARE = dict.fromkeys(("_lock", "_install", "_back_up"), pytest.mark.slow)
VICTIM = """
import os, signal, sys
from pathlib import Path
from workers.repository import checkout, completion

intent = completion.Intent.from_json(Path(sys.argv[1]).read_text())
real = getattr(checkout, sys.argv[2])
setattr(checkout, sys.argv[2], lambda *words: (real(*words), os.kill(os.getpid(), signal.SIGKILL)))
completion.complete(intent)
"""


@pytest.mark.parametrize(
    ("point", "strategy"),
    [
        *(pytest.param(point, "squash", marks=RARE.get(point, ())) for point in SQUASH_POINTS),
        *(pytest.param(point, "apply", marks=RARE.get(point, ())) for point in APPLY_POINTS),
    ],
)
def test_a_killed_undo_is_complete_after_the_next_call(desk, point, strategy) -> None:
    desk.sh(USER)
    before = desk.state()
    tip = desk.sh("git rev-parse main")
    prepared = undoing.prepare(desk.repository(), landed(desk, strategy=strategy))
    place = desk.root / "intent.json"
    place.write_text(prepared.to_json())
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(desk.root)}
    argv = [sys.executable, "-P", "-c", VICTIM, str(place), point]
    assert subprocess.run(argv, env=env, check=False).returncode == -signal.SIGKILL
    completion.complete(prepared)
    assert changed(before, desk.state()) <= MOVED - {".git/refs/heads/main"}
    assert desk.sh("git rev-parse main; git status --porcelain") == f"{tip}\nA  s\n M sub/b.txt\n?? loose"
    assert not (desk.folder / ".git/index.lock").exists()
