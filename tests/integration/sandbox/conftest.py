"""A contained shell per test: a worktree below a hidden data directory, a home with secrets and toolchains."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.attempts.driver import Run
from workers.attempts.sandbox import Bounds, confine


@dataclass
class Place:
    """What one contained test has: `data` is hidden, `worktree` lies below it, `user` is the user's repository."""

    data: Path
    worktree: Path
    home: Path
    user: Path
    private: Path
    bounds: Bounds
    runs: list[Run]
    tier: str = "bubblewrap"

    def start(self, command: str, *, bounds: Bounds | None = None, **fields: Any) -> Run:
        run = Run(self.data / "attempts" / str(len(self.runs)))
        self.runs.append(run)
        bounds = bounds or self.bounds
        bounds = replace(bounds, pty=fields.get("pty", False))
        confined = confine(["/bin/sh", "-c", command], bounds, self.tier)
        fields.setdefault("env", {"PATH": os.environ["PATH"]})
        fields.setdefault("cwd", str(bounds.cwd))
        run.start("sh", confinement=confined, **fields)
        return run

    def sh(self, command: str, **fields: Any) -> tuple[int | None, str, str]:
        """(exit code, stdout, stderr) of a contained shell command."""
        run = self.start(command, **fields)
        ended = run.ended()
        assert ended.sandbox_error is None, ended
        return ended.code, run.text().decode(errors="replace"), run.text(2).decode(errors="replace")


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/id_ed25519").write_text("PRIVATE")
    (home / ".aws").mkdir()
    (home / ".cargo/bin").mkdir(parents=True)
    (home / ".cargo/credentials.toml").write_text("PRIVATE")
    (home / ".cargo/bin/tool").write_text("#!/bin/sh\necho tool ran\n")
    (home / ".cargo/bin/tool").chmod(0o755)
    (home / ".profile").write_text("# mine\n")
    user = home / "code" / "project"
    user.mkdir(parents=True)
    git("init", "-q", cwd=user)
    (user / "file").write_text("committed\n")
    (user / "uncommitted").write_text("PRIVATE")
    git("add", "file", cwd=user)
    git("commit", "-qm", "first", cwd=user)
    data = home / "data"
    worktree = data / "worktrees" / "t1"
    worktree.parent.mkdir(parents=True)
    (data / "token").write_text("PRIVATE")
    (data / "worktrees/other").mkdir()
    (data / "worktrees/other/file").write_text("PRIVATE")
    git("worktree", "add", "-q", "-b", "agent", str(worktree), cwd=user)
    private = data / "repositories" / "t1"
    make_private(private, user, git("rev-parse", "agent", cwd=user))
    agent_home = home / ".claude"
    agent_home.mkdir()
    (agent_home / "settings.json").write_text("{}")
    bounds = Bounds(
        worktree=worktree,
        cwd=worktree,
        home=home,
        git_mount=(private, user / ".git/worktrees/t1"),
        objects_read_only=[user / ".git/objects"],
        agent_home=[(agent_home, agent_home)],
        read_only=[agent_home / "settings.json", home / "not-there"],
        hidden=[data],
        environment={"PATH": os.environ["PATH"], "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.invalid",
                     "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.invalid"},
    )  # fmt: skip
    found = Place(data, worktree, home, user, private, bounds, [])
    yield found
    for run in found.runs:
        run.close()


def make_private(private: Path, user: Path, commit: str) -> None:
    """A git directory of the agent's own that reads the user's objects."""
    private.parent.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "--bare", "--template=", str(private)], check=True)
    git("config", "core.bare", "false", cwd=private)
    for folder in ("hooks", "info", "objects/info"):
        (private / folder).mkdir(exist_ok=True)
    (private / "commondir").write_text(".\n")
    (private / "objects/info/alternates").write_text(f"{user}/.git/objects\n")
    (private / "HEAD").write_text("ref: refs/heads/agent\n")
    environment = {**os.environ, "GIT_DIR": str(private)}
    subprocess.run(["git", "update-ref", "refs/heads/agent", commit], check=True, env=environment)
    subprocess.run(["git", "read-tree", commit], check=True, env=environment)
