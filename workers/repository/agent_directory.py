"""The self-contained git directory an agent works with in a sandbox, in place of the user's repository."""

from __future__ import annotations

import os
import shutil

from workers.repository import directory
from workers.repository.discovery import Repository
from workers.repository.git import git
from workers.repository.shadow import COPIED, exclude_rules
from workers.repository.worktree import Worktree

MAX_REFS_BYTES = 64 << 20


def build(repository: Repository, worktree: Worktree) -> None:
    """Write the agent's git directory: own HEAD, config and refs; the user's branches as `refs/remotes/local/*`.

    It is mounted over the user's administrative folder of the worktree, so that the agent's git finds it there.
    """
    own, personal = repository.settings, repository.personal
    chosen = {**{key: own[key] for key in COPIED if key in own}, **worktree.settings}
    chosen["core.logallrefupdates"] = "true"
    chosen["gc.auto"] = "0"
    for key in ("user.name", "user.email"):
        if value := own.get(key) or personal.get(key):
            chosen[key] = value
    path = directory.write(
        worktree.agent_git_directory,
        object_format=worktree.object_format,
        alternates=worktree.objects_directories,
        head=f"ref: refs/heads/{worktree.branch}",
        bare=False,
        settings=chosen,
        attributes=None,
        exclude=exclude_rules(repository, own),
    )
    # Present from the start, so that each can be mounted read-only: one an agent writes redirects git.
    (path / "commondir").write_text(".\n")
    (path / "config.worktree").write_text("")
    (path / "gitdir").write_bytes(os.fsencode(worktree.path / ".git") + b"\n")
    (path / "packed-refs").write_bytes(_snapshot_of_refs(repository))
    branch = path / "refs/heads" / worktree.branch
    branch.parent.mkdir(parents=True, exist_ok=True)
    branch.write_text(f"{worktree.base_commit}\n")
    shallow = repository.common_dir / "shallow"
    if shallow.is_file():
        shutil.copy(shallow, path / "shallow")


def _snapshot_of_refs(repository: Repository) -> bytes:
    listed = git(
        "for-each-ref",
        "--format=%(objectname) %(refname)",
        "refs/heads",
        "refs/tags",
        "refs/remotes",
        git_dir=repository.git_dir,
        max_bytes=MAX_REFS_BYTES,
    ).stdout
    lines = []
    for line in listed.split(b"\n"):
        oid, _, name = line.partition(b" ")
        if not name or name.endswith(b"/HEAD"):
            continue
        if name.startswith(b"refs/heads/"):
            name = b"refs/remotes/local/" + name.removeprefix(b"refs/heads/")
        lines.append(name + b" " + oid)
    body = b"".join(b"%s %s\n" % tuple(reversed(line.split(b" ", 1))) for line in sorted(lines))
    return b"# pack-refs with: sorted \n" + body
