"""Pushing one commit to a branch of a remote, with the account's own credentials and none of the repository's settings."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Conflict, GitFailed
from workers.repository import remotes
from workers.repository.discovery import Repository
from workers.repository.git import git
from workers.repository.remotes import Remote
from workers.repository.shadow import shadow

PUSH_SECONDS = 300
MAX_BYTES = 64 << 10
#: What the account's own configuration and agents say about credentials counts; git asks nobody, there is no terminal.
#: The variable, unlike a setting, cannot be widened by any configuration: no `ext::` and no other helper.
OWN_CONFIGURATION: dict[str, str | None] = {
    "GIT_CONFIG_NOSYSTEM": None,
    "GIT_CONFIG_GLOBAL": None,
    "GIT_SSH_COMMAND": None,
    "GIT_GRAFT_FILE": None,  # the directory has none; git would remark on any
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
}
OWN_SETTINGS = {"credential.helper": None, "core.sshCommand": None}
#: How the account reaches its keys, its helpers and the network (those of `gh` and `glab` among them).
CREDENTIALS = (
    *("SSH_AUTH_SOCK", "GNUPGHOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"),
    *("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GH_CONFIG_DIR", "GITLAB_TOKEN", "GLAB_CONFIG_DIR"),
    *("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "all_proxy"),
    *("no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"),
)
_REJECTED = re.compile(r"^!\t[^\t]*\t(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Push:
    """`commit` goes to `branch`. With `expected` the branch may be replaced, but only while it stands there ("": while
    there is none); with None it may only go forward."""

    remote: Remote
    commit: str
    branch: str
    expected: str | None

    def words(self) -> list[str]:
        """What git is told. Nothing in it can be taken for an option: the rest stands after `--`."""
        ref = f"refs/heads/{self.branch}"
        lease = [f"--force-with-lease={ref}:{self.expected}"] if self.expected is not None else []
        plain = ("--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no")
        return ["push", *plain, *lease, "--", self.remote.address, f"{self.commit}:{ref}"]

    def shown(self) -> str:
        """The command as a person may read it, without a password."""
        return remotes.without_userinfo(shlex.join(["git", *self.words()]))


def credentials() -> dict[str, str]:
    """The variables by which the worker's account reaches its credentials."""
    return {name: os.environ[name] for name in CREDENTIALS if name in os.environ}


def push(repository: Repository, wanted: Push, *, ours: Path) -> str:
    """Push, and return what git and the remote said. The commit must be in the repository; done twice it is done once.

    It runs from a git directory of our own: hooks, helpers and aliases of the repository never start. `ours` is our
    data directory, where no remote may be: an agent writes below it, and the hooks of a remote on this disk do run.
    Raises Conflict with the remote's reason in one sentence and all that was said in `output`.
    """
    _refuse_inside(repository, wanted.remote, ours)
    with shadow(repository) as own:
        try:
            done = git(
                *wanted.words(),
                git_dir=own,
                cwd=repository.toplevel or repository.common_dir,  # what a relative address is relative to
                env={**OWN_CONFIGURATION, **credentials()},
                config=OWN_SETTINGS,
                timeout_seconds=PUSH_SECONDS,
                max_bytes=MAX_BYTES,
                check=False,
            )
        except GitFailed as failure:
            raise Conflict(f"The push failed: {remotes.without_userinfo(failure.stderr)}.") from failure
    said = f"{done.stderr}\n{os.fsdecode(done.stdout)}".encode("utf-8", "replace").decode()
    output = remotes.without_userinfo(said).strip()
    if done.code or done.truncated:
        raise Conflict(_reason(output, wanted), output=output)
    return output


def _refuse_inside(repository: Repository, remote: Remote, ours: Path) -> None:
    address = remote.address.removeprefix("file://")
    if "://" in address:
        return
    place = os.path.realpath(os.path.join(repository.toplevel or repository.common_dir, address))
    if place.startswith(f"{os.path.realpath(ours)}{os.sep}"):
        raise Conflict(
            f"The remote {remote.name} is in the data directory of openRuntime; push to another one."
        )


def _reason(output: str, wanted: Push) -> str:
    if rejected := _REJECTED.search(output):
        if "stale info" in rejected[1]:
            stands = "is there already" if wanted.expected == "" else "has moved since this task pushed it"
            return f"The branch {wanted.branch} of {wanted.remote.name} {stands}: push to another branch."
        return f"{wanted.remote.name} refused the push: {rejected[1]}."
    lines = [line for line in output.splitlines() if line.startswith(("fatal: ", "error: ", "ERROR: "))]
    return f"The push failed: {(lines or ['git gave no reason'])[0].removeprefix('fatal: ')}"
