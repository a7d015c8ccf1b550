"""Repositories and paths of unusual kinds: each can be worked in, or says why not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import NotReady
from tests.integration.repository.desk_landing import land
from workers.repository import capture, fingerprint, removal
from workers.repository.inspect import inspect

TASK = "0123abcd-task"


def listing(folder: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    }


ODDITIES = {
    "empty": "git init -q -b main",
    "bare": "git init -q -b main ../src; cd ../src; echo a > a; git add a; git commit -qm a; git clone -q --bare . ../repo/x; mv ../repo/x/* ../repo; rmdir ../repo/x",
    "detached": "git init -q -b main; echo a > a; git add a; git commit -qm a; git checkout -q --detach",
    "sha256": "git init -q -b main --object-format=sha256; echo a > a; git add a; git commit -qm a",
    "shallow": "git init -q -b main ../src; cd ../src; for n in 1 2 3; do echo $n > a; git add a; git commit -qm $n; done; git clone -q --depth 1 file://$PWD ../repo",
    "linked": "git init -q -b main ../src; cd ../src; echo a > a; git add a; git commit -qm a; git worktree add -q -b side ../repo",
    "submodules": "git init -q -b main ../src; (cd ../src; echo a > a; git add a; git commit -qm a); git init -q -b main; git -c protocol.file.allow=always submodule --quiet add ../src sub; git commit -qm s",
    "sparse": "git init -q -b main; mkdir x y; echo a > x/a; echo b > y/b; git add -A; git commit -qm a; git sparse-checkout set x",
    "split-index": "git init -q -b main; echo a > a; git add a; git commit -qm a; git update-index --split-index",
    "alternates": "git init -q -b main ../src; cd ../src; echo a > a; git add a; git commit -qm a; git clone -q --shared . ../repo",
}  # fmt: skip


@pytest.mark.parametrize("kind", ODDITIES)
def test_odd_repositories_start_capture_and_go(make_desk: Callable[..., object], kind) -> None:
    desk = make_desk(ODDITIES[kind])
    before = desk.state()
    found = inspect(desk.folder)
    made = desk.create()
    (made.path / "new.txt").write_text("new\n")
    taken = capture.take(made)
    assert [file.path for file in taken.files] == ["new.txt"]
    removal.remove(made, keep=taken.head_oid)
    assert desk.sh(f"git cat-file blob refs/openruntime/recovery/{TASK}:new.txt") == "new"
    if kind != "bare":
        assert desk.state() == before
    assert (found.head_oid is None) == (kind == "empty")
    assert (found.branch is None) == (kind == "detached")
    assert (found.bare, found.shallow) == (kind == "bare", kind == "shallow")


def test_a_submodule_itself_is_a_repository(make_desk) -> None:
    desk = make_desk(ODDITIES["submodules"])
    desk.folder = desk.folder / "sub"
    made = desk.create()
    (made.path / "new.txt").write_text("new\n")
    assert [file.path for file in capture.take(made).files] == ["new.txt"]


@pytest.mark.parametrize("name", ["with space", "é", "new\nline", '"quoted"', "-dash", "#hash"])
def test_a_repository_at_an_odd_path_works(make_desk, name) -> None:
    desk = make_desk("git init -q -b main; echo a > a; git add a; git commit -qm a", name=name)
    made = desk.create()
    (made.path / "a").write_text("b\n")
    taken = capture.take(made)
    assert [file.path for file in taken.files] == ["a"]
    land(desk, taken)
    assert desk.sh("cat a; git status --porcelain") == "b"
    removal.remove(made, keep=taken.head_oid)


def test_a_partial_clone_without_the_files_says_so(make_desk) -> None:
    desk = make_desk(
        "git init -q -b main ../src; cd ../src; echo a > a; git add a; git commit -qm a; git config uploadpack.allowFilter true;"
        "git clone -q --no-checkout --filter=blob:none file://$PWD ../repo"
    )
    with pytest.raises(NotReady, match="partial clone"):
        desk.create()


def test_a_branch_named_like_our_folder_is_reported(desk) -> None:
    desk.sh("git branch openruntime")
    with pytest.raises(NotReady, match="rename it"):
        desk.create()


def test_the_fingerprint_sees_what_can_run_and_ignores_what_cannot(desk) -> None:
    def now() -> str:
        return fingerprint.fingerprint(desk.repository())

    start = now()
    desk.sh("git config branch.main.remote origin; git config user.name X; git commit -q --allow-empty -m x")
    assert now() == start
    seen = {start}
    for script in (
        "git config core.fsmonitor ./x",
        "git config filter.x.clean ./x",
        "echo '[core]\n pager=x' > .git/inc; git config include.path inc",
        "echo '[core]\n pager=y' > .git/inc",
        "echo '#!/bin/sh' > .git/hooks/post-merge",
        "chmod +x .git/hooks/post-merge",
        "echo '* filter=x' > .git/info/attributes",
        "mkdir hooks; git config core.hooksPath hooks",
        "echo x > hooks/pre-commit",
    ):
        desk.sh(script)
        assert now() not in seen, script
        seen.add(now())
