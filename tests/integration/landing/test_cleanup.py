"""The command `cleanup`: what is in no commit of ours goes only when a person says so."""

from __future__ import annotations

import pytest

from shared.commands import CommandKind
from shared.review import landings

LEFT_OUT = {
    "a repository inside": ("git init -q inner; echo work > inner/work", "inner/"),
    "a file too large for a capture": ("truncate -s 60M big", "big"),
    "a name git takes for its own": ("mkdir GIT~1; echo x > GIT~1/x", "GIT~1/x"),
    "an edit of a file grown too large": ("truncate -s 60M a.txt", "a.txt"),
}


@pytest.mark.parametrize(("script", "name"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_no_capture_holds_goes_only_with_force(site, script, name) -> None:
    task = site.task(script)
    refused = site.refused(task, CommandKind.CLEANUP)
    assert (refused["slug"], name in refused["detail"]) == ("unmerged-work", True)
    assert site.worktree_path(task) is not None
    site.done(task, CommandKind.CLEANUP, force=True)
    assert site.worktree_path(task) is None


def test_a_merge_with_cleanup_lands_and_keeps_the_worktree_that_holds_more(site) -> None:
    task = site.task("echo n > n")
    site.done(task, CommandKind.CAPTURE)
    (site.worktree(task).path / "big").write_bytes(b"")
    with (site.worktree(task).path / "big").open("r+b") as opened:
        opened.truncate(60 << 20)
    done = site.done(task, CommandKind.MERGE, cleanup=True)
    assert "big" in done["cleanup_refused"]
    row = landings.latest_capture(task)
    assert row is not None
    assert landings.left_out(row) == ["big"]
    assert (site.folder / "n").read_text() == "n\n"
    assert site.worktree_path(task) is not None
