"""What a task may do: the policy value, its presets, and the rules that read a shell command before it runs.

The words are the reference system's; the boundary is the sandbox, and a rule only says early what it can see.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from shared.shell_words import program, simple_commands

DEFAULT_BLOCKED = ("rm -rf", "sudo", "git push", "curl", "wget", "ssh", "scp")


class NetworkMode(StrEnum):
    DISABLED = "disabled"
    LOCALHOST = "localhost"
    ENABLED = "enabled"


@dataclass(frozen=True)
class Policy:
    """The reference system's fields with its defaults, then our own (contract 5)."""

    allow_network: bool = False
    allow_git_write: bool = False
    allow_secrets: bool = False
    require_approval: bool = False
    blocked_commands: tuple[str, ...] = DEFAULT_BLOCKED
    allowed_workspaces: tuple[str, ...] = ()
    allowed_file_globs: tuple[str, ...] = ()
    allowed_mcp_tools: tuple[str, ...] = ()
    network_mode: NetworkMode = NetworkMode.DISABLED
    budget_cents: int | None = None
    max_runtime_minutes: int | None = None
    workspace_access: str = "worktree"
    enforcement: str = "best-effort"
    agent_home: str = "shared"
    network_hosts: tuple[str, ...] = ()
    home_paths: tuple[str, ...] = ()
    tool_rules: tuple[Mapping[str, Any], ...] = ()

    @property
    def network(self) -> NetworkMode:
        """What the agent's tools reach: `allow_network` is the reference system's word for enabled."""
        return NetworkMode.ENABLED if self.allow_network else self.network_mode

    @property
    def contained(self) -> bool:
        """Whether this task asks for containment at all."""
        return self.workspace_access == "worktree"

    def to_json(self) -> dict[str, Any]:
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: what an approval is bound to."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


FULL_ACCESS = Policy(
    allow_network=True,
    allow_git_write=True,
    allow_secrets=True,
    blocked_commands=(),
    network_mode=NetworkMode.ENABLED,
    workspace_access="full",
)
PRESETS: dict[str, Policy] = {
    "default": Policy(),
    "auto-review": Policy(require_approval=True),
    "full-access": FULL_ACCESS,
}


def preset_of(policy: Policy) -> str:
    """The name of the preset this policy equals, else `custom`."""
    return next((name for name, preset in PRESETS.items() if preset == policy), "custom")


def from_json(value: Mapping[str, Any], base: Policy | None = None) -> Policy:
    """A policy from its JSON object; unknown keys are ignored, missing ones come from `base`."""
    known = {field.name: field for field in dataclasses.fields(Policy)}
    changes: dict[str, Any] = {}
    for name, item in value.items():
        if name not in known:
            continue
        if isinstance(item, list):
            item = tuple(item)
        changes[name] = NetworkMode(item) if name == "network_mode" else item
    return dataclasses.replace(base or Policy(), **changes)


def tool_action(policy: Policy, tool: str, *, contained: bool) -> tuple[str, str]:
    """(allow | ask | deny, the rule that says so) for a tool an agent wants to use (contract 5).

    The first matching rule wins; where none does, enforced containment or full access allow, else a person is asked.
    """
    for rule in policy.tool_rules:
        if rule.get("tool") in ("*", tool):
            return str(rule.get("action", "ask")), f"tool_rules: {rule.get('tool')}"
    if policy.workspace_access == "full":
        return "allow", "full access"
    return ("allow", "contained") if contained else ("ask", "no containment")


@dataclass(frozen=True)
class Finding:
    """A rule's objection: which rule, and one sentence."""

    rule: str
    message: str


Rule = Callable[[Policy, list[list[str]]], Finding | None]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule over the simple commands of a shell line."""

    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register


def evaluate(policy: Policy, *, command: str | None, workspace: str) -> list[Finding]:
    """Every objection to running `command` (a shell line, or None for an agent) in `workspace`."""
    found = [_workspace(policy, workspace)]
    if command is not None:
        commands = simple_commands(command)
        found += [check(policy, commands) for check in RULES.values()]
    return [finding for finding in found if finding]


def _workspace(policy: Policy, workspace: str) -> Finding | None:
    if not policy.allowed_workspaces:
        return None
    here = Path(workspace)
    for allowed in policy.allowed_workspaces:
        folder = _real(allowed)
        if folder is not None and here.is_relative_to(folder):
            return None
    return Finding(
        "allowed_workspaces", f"The workspace {workspace} is not in this policy's workspace allowlist."
    )


def _real(text: str) -> Path | None:
    """The folder a policy names; None for one that cannot be: an unknown user's home, a loop, a NUL."""
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        return None


@rule("blocked_commands")
def _blocked(policy: Policy, commands: list[list[str]]) -> Finding | None:
    for fragment in policy.blocked_commands:
        wanted = fragment.split()
        if wanted and any(_matches(wanted, words) for words in commands):
            return Finding("blocked_commands", f"The command is blocked by the policy: {fragment}.")
    return None


def _matches(wanted: list[str], words: list[str]) -> bool:
    if program(words) != wanted[0]:
        return False
    rest = _subcommand(words) if wanted[0] == "git" else words[1:]
    flags = {letter for word in rest if re.fullmatch(r"-[A-Za-z]+", word) for letter in word[1:].lower()}
    for word in wanted[1:]:
        if re.fullmatch(r"-[A-Za-z]+", word):
            if not set(word[1:].lower()) <= flags:
                return False
        elif wanted[0] == "git":
            return rest[:1] == [word]
        elif word not in rest:
            return False
    return True


NETWORK_PROGRAMS = frozenset("curl wget ssh scp sftp nc ncat netcat telnet ftp".split())
LOCAL_HOST = re.compile(
    r"(?:https?://)?(?:[^@/]*@)?(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)(?::\d+)?(?:[/?#].*)?$"
)
REMOTE_HOST = re.compile(r"(?:\w+://|[^@/]+@|[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:/|$)|\$)")


@rule("network")
def _network(policy: Policy, commands: list[list[str]]) -> Finding | None:
    if policy.network is NetworkMode.ENABLED:
        return None
    for words in commands:
        name = program(words)
        if name not in NETWORK_PROGRAMS:
            continue
        if policy.network is NetworkMode.LOCALHOST:
            hosts = [word for word in words[1:] if LOCAL_HOST.match(word) or REMOTE_HOST.match(word)]
            if any(map(LOCAL_HOST.match, hosts)) and all(map(LOCAL_HOST.match, hosts)):
                continue
        return Finding(
            "network", f"{name} uses the network, and this policy's network mode is {policy.network}."
        )
    return None


GIT_WRITES = frozenset("push commit tag merge rebase checkout reset stash".split())
GIT_READS = {"stash": ("list", "show"), "tag": ("-l", "--list")}


@rule("git_write")
def _git_write(policy: Policy, commands: list[list[str]]) -> Finding | None:
    if policy.allow_git_write:
        return None
    for words in commands:
        if program(words) != "git":
            continue
        rest = _subcommand(words)
        if rest and rest[0] in GIT_WRITES and not set(rest[1:2]) & set(GIT_READS.get(rest[0], ())):
            return Finding(
                "git_write", f"git {rest[0]} writes to git, and this policy does not allow git writes."
            )
    return None


def _subcommand(words: list[str]) -> list[str]:
    """The words from git's subcommand on, past `-c NAME=VALUE`, `-C DIR` and other global options."""
    rest: Iterable[str] = iter(words[1:])
    left = list(rest)
    while left and left[0].startswith("-"):
        left = left[2:] if left[0] in ("-c", "-C", "--git-dir", "--work-tree") else left[1:]
    return left


SECRET_FILES = re.compile(
    r"^(\.env(\..*)?|\.netrc|\.pgpass|credentials|id_(rsa|dsa|ecdsa|ed25519)|\.git-credentials)$"
)
SECRET_WORDS = re.compile(r"(?i)\b(keychain|api[ _-]?key|access[ _-]?token|bearer[ _-]?token)\b")


@rule("secrets")
def _secrets(policy: Policy, commands: list[list[str]]) -> Finding | None:
    if policy.allow_secrets:
        return None
    for words in commands:
        names = [part for word in words for part in re.split(r"[/=:]", word)]
        hit = next((name for name in names if SECRET_FILES.match(name)), None)
        hit = hit or next((word for word in words if SECRET_WORDS.search(word)), None)
        if program(words) == "printenv" or words == ["env"]:
            hit = words[0]
        if hit:
            return Finding(
                "secrets", f"{hit} reaches for a secret, and this policy does not allow secret access."
            )
    return None
