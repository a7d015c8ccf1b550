"""The remotes of a user's repository, and what the web pages of the well-known hosts are called."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote, urlencode, urlsplit

from shared.errors import BadRequest, NotReady
from workers.repository.discovery import Repository
from workers.repository.git import git

MOST = 50
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]*")
_KEY = re.compile(r"remote\.(.+)\.(url|pushurl)", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^/@\s]*@")
_SCP = re.compile(r"(?:[\w.+-]+@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]+):(?!//)(?P<path>.+)")
_SEGMENT = re.compile(r"[\w~][\w.~-]*", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?")


class Kind(StrEnum):
    """Hosts whose addresses and programs we know."""

    GITHUB = "github"
    GITLAB = "gitlab"
    BITBUCKET = "bitbucket"
    GITEA = "gitea"


@dataclass(frozen=True)
class Hosted:
    """A repository on a host with web pages: `path` is owner and name, on GitLab also the groups between."""

    kind: Kind
    host: str
    path: str

    def compare(self, base: str, branch: str) -> str:
        """The page on which a person opens a pull request of `branch` into `base`."""
        page = f"https://{self.host}/{self.path}"
        if self.kind is Kind.GITLAB:
            asked = {"merge_request[source_branch]": branch, "merge_request[target_branch]": base}
            return f"{page}/-/merge_requests/new?{urlencode(asked)}"
        if self.kind is Kind.BITBUCKET:
            return f"{page}/pull-requests/new?{urlencode({'source': branch, 'dest': base})}"
        return f"{page}/compare/{quote(base)}...{quote(branch)}" + (
            "?expand=1" if self.kind is Kind.GITHUB else ""
        )


@dataclass(frozen=True)
class Remote:
    """`address` is where git pushes, as the repository's configuration has it: it may hold a password."""

    name: str
    address: str

    @property
    def shown(self) -> str:
        return without_userinfo(self.address)

    @property
    def hosted(self) -> Hosted | None:
        """Where its web pages are; None for a host or an address of a shape we do not know."""
        parts = _host_and_path(self.address)
        if parts is None:
            return None
        host, path = parts[0], parts[1].strip("/").removesuffix(".git")
        kind = _kind(host.partition(":")[0].lower())
        segments = path.split("/")
        usual = len(segments) == 2 or (kind is Kind.GITLAB and len(segments) > 2)
        if kind is None or not usual or not all(_SEGMENT.fullmatch(one) for one in segments):
            return None
        return Hosted(kind, host, path) if _HOST.fullmatch(host) else None


def without_userinfo(text: str) -> str:
    """A text with the names and passwords taken out of the addresses in it."""
    return _USERINFO.sub("", text)


def of(repository: Repository) -> list[Remote]:
    """The remotes with a name and an address that can be used, in the order of the configuration."""
    words = ("config", "-z", "--get-regexp", r"^remote\..*\.(url|pushurl)$")
    found: dict[str, dict[str, str]] = {}
    for entry in git(*words, git_dir=repository.git_dir, check=False).stdout.split(b"\0"):
        key, _, value = os.fsdecode(entry).partition("\n")
        named = _KEY.fullmatch(key)
        if named and _NAME.fullmatch(named[1]) and value.isprintable() and value and value[0] != "-":
            found.setdefault(named[1], {}).setdefault(named[2], value)
    return [Remote(name, said.get("pushurl") or said["url"]) for name, said in found.items()][:MOST]


def choose(known: list[Remote], name: str | None) -> Remote:
    """The remote a person named; `origin`, or the only one, otherwise. Raises NotReady or BadRequest."""
    if not known:
        raise NotReady("This repository has no remote: add one with `git remote add NAME ADDRESS`.")
    by_name = {remote.name: remote for remote in known}
    if name is not None:
        if name not in by_name:
            raise BadRequest(f"This repository has no remote {name!r}.")
        return by_name[name]
    if "origin" in by_name:
        return by_name["origin"]
    if len(known) > 1:
        raise NotReady(f"Choose a remote: {', '.join(by_name)}.")
    return known[0]


def _host_and_path(address: str) -> tuple[str, str] | None:
    if "://" not in address:
        found = _SCP.fullmatch(address)
        return (found["host"], found["path"]) if found else None
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme == "https":
        return (f"{host}:{port}" if port else host), parts.path
    return (host, parts.path) if parts.scheme == "ssh" else None


def _kind(host: str) -> Kind | None:
    labels = host.split(".")
    if host == "bitbucket.org":
        return Kind.BITBUCKET
    if host == "codeberg.org" or "gitea" in labels or "forgejo" in labels:
        return Kind.GITEA
    return next((kind for kind in (Kind.GITHUB, Kind.GITLAB) if kind.value in labels), None)
