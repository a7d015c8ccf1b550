"""A real repository of a user, real worktrees, and the means to compare whole checkouts byte for byte."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from workers.repository import capture, worktrees
from workers.repository.capture import Capture
from workers.repository.discovery import Repository
from workers.repository.inspect import inspect
from workers.repository.worktree import Worktree

HOSTILE_PERSONAL_CONFIG = """\
[user]
    name = Person
    email = person@example.org
[diff]
    noprefix = true
    mnemonicPrefix = true
    external = /bin/false
[color]
    ui = always
[commit]
    gpgsign = true
[tag]
    gpgsign = true
[core]
    autocrlf = true
    hooksPath = {home}/hooks
    quotePath = true
    pager = /bin/false
[merge]
    ff = false
    verifySignatures = true
[protocol]
    allow = never
"""
ENVIRON = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "User",
    "GIT_AUTHOR_EMAIL": "user@example.org",
    "GIT_COMMITTER_NAME": "User",
    "GIT_COMMITTER_EMAIL": "user@example.org",
    "LC_ALL": "C.UTF-8",
}


def shell(folder: Path, script: str) -> str:
    """Run a script as the user would, and return what it printed."""
    done = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=ENVIRON, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return os.fsdecode(done.stdout).strip()


#: What is ours in a user's git directory, and what their own git adds to on the way.
OURS = (
    "worktrees",
    *(f"{place}{name}" for place in ("", "logs/") for name in ("refs/openruntime", "refs/heads/openruntime")),
)


def state(folder: Path, *, git_dir: str = ".git") -> dict[str, str]:
    """Every file under a checkout with its kind, mode and content; the files of its git directory too, but for objects and what is ours."""
    left_out = {os.path.join(folder, git_dir, name) for name in ("objects", *OURS)}
    found: dict[str, str] = {}
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if os.path.join(place, name) not in left_out]
        of_git = place == os.path.join(folder, git_dir) or f"/{git_dir}/" in place[len(str(folder)) :]
        for name in (*names, *(() if of_git else folders)):
            path = os.path.join(place, name)
            found[os.path.relpath(path, folder)] = describe(path)
    return found


def describe(path: str) -> str:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return f"link {os.readlink(path)}"
    if stat.S_ISREG(mode):
        content = Path(path).read_bytes()
        return f"file {stat.S_IMODE(mode):o} {hashlib.sha256(content).hexdigest()}"
    return f"other {mode:o}"


@dataclass
class Desk:
    """A user's repository with the folders our worktrees go to."""

    root: Path
    folder: Path
    worktrees: Path
    repositories: Path

    def sh(self, script: str) -> str:
        return shell(self.folder, script)

    def repository(self, inside: str = "") -> Repository:
        found = inspect(self.folder / inside, dirty=False)
        assert found is not None
        return found

    def create(self, task_id: str = "0123abcd-task", *, inside: str = "", **words: str | None) -> Worktree:
        return worktrees.create(
            self.repository(inside),
            task_id=task_id,
            title=str(words.pop("title", "Fix it")),
            base_ref=words.pop("base_ref", None),
            worktrees=self.worktrees,
            repositories=self.repositories,
            content=words.pop("content", None),
        )

    def change(self, script: str, task_id: str = "0123abcd-task", **words: str | None) -> Capture:
        """A captured worktree in which `script` ran."""
        worktree = self.create(task_id, **words)
        shell(worktree.path, script)
        return capture.take(worktree)

    def state(self) -> dict[str, str]:
        return state(self.folder)


@pytest.fixture(autouse=True)
def personal_config(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account's own git configuration is as unhelpful as can be, in every test here."""
    home = tmp_path_factory.mktemp("home")
    (home / "hooks").mkdir()
    for name in ("pre-commit", "post-checkout", "post-merge", "reference-transaction"):
        hook = home / "hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    (home / ".gitconfig").write_text(HOSTILE_PERSONAL_CONFIG.format(home=home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    # What a worker may have inherited and git must never see.
    monkeypatch.setenv("GIT_DIR", str(home / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(home / "nowhere-index"))


@pytest.fixture
def make_desk(tmp_path: Path) -> Callable[..., Desk]:
    """Build a desk whose repository a script sets up."""

    def make(script: str, *, name: str = "repo", clone: bool = False) -> Desk:
        folder = tmp_path / name
        folder.mkdir()
        shell(folder, script)
        return Desk(tmp_path, folder, tmp_path / "data" / "worktrees", tmp_path / "data" / "repositories")

    return make


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository on `main` with two commits, nested folders and an ignore file."""
    folder = tmp_path_factory.mktemp("template")
    shell(
        folder,
        "git init -q -b main; mkdir -p sub/deep gone; printf 'one\\ntwo\\nthree\\n' > a.txt; echo b > sub/b.txt;"
        "echo c > sub/deep/c.txt; echo g > gone/g.txt; printf '.env\\n*.log\\nbuild/\\n' > .gitignore; rm .git/hooks/*;"
        "git add -A; git commit -qm first; echo four > d.txt; git add -A; git commit -qm second",
    )
    return folder


@pytest.fixture
def desk(template: Path, tmp_path: Path) -> Desk:
    """A copy of the template repository, and empty folders for our worktrees."""
    folder = tmp_path / "repo"
    shutil.copytree(template, folder, symlinks=True)
    shell(folder, "git update-index -q --refresh")
    return Desk(tmp_path, folder, tmp_path / "data" / "worktrees", tmp_path / "data" / "repositories")
