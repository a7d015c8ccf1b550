"""What a task may do: the policy value, its presets, and the rules that read a shell command before it runs.

The words are the reference system's; the boundary is the sandbox, and a rule only says early what it can see.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from shared import mcp_tools, network_hosts, tool_rules
from shared.network_hosts import LOOPBACK_NAME
from shared.network_words import CLIENTS, stays_within
from shared.shell_words import program, simple_commands
from shared.tool_rules import Call, Decision

DEFAULT_BLOCKED = ("rm -rf", "sudo", "git push", "curl", "wget", "ssh", "scp")

#: Where a policy sets no limit of processes.
DEFAULT_PROCESSES = 2048


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
    approval_minutes: int | None = None
    max_memory_mib: int | None = None
    max_disk_mib: int | None = None
    max_processes: int | None = None

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
        return digest_of(self.to_json())


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


def digest_of(value: Mapping[str, Any]) -> str:
    """The same of a policy's JSON with all its fields."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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


def with_workspace_rules(own: Mapping[str, Any], rules: Sequence[tool_rules.Rule]) -> dict[str, Any]:
    """A policy's JSON with its workspace's tool rules behind its own, each marked with where it came from."""
    given = [{**rule, "origin": "workspace"} for rule in rules]
    return {**own, "tool_rules": [*own.get("tool_rules", ()), *given]} if given else dict(own)


class Governed(Protocol):
    """What has a policy: a task's row."""

    policy: Any
    effective_policy: Any


def in_force(task: Governed) -> Policy:
    """The frozen policy once there is one, else the task's own."""
    return from_json(task.effective_policy or task.policy)


def tool_decision(
    policy: Policy, call: Call, *, contained: bool, granted: Sequence[tool_rules.Rule] = ()
) -> Decision:
    """What happens to a tool an agent wants to use (contract 5): allow, ask or deny, and by which rule.

    `granted` is what a person allowed for the rest of the task; it stands before the policy's rules but weakens no
    deny of theirs. Where no rule matches, enforced containment or full access allow, else a person is asked.
    """
    if not mcp_tools.allows(policy.allowed_mcp_tools, call.tool):
        return Decision("deny", "allowed_mcp_tools", f"The policy does not allow {call.tool}.")
    if policy.workspace_access == "full":
        default = Decision("allow", "no rule matches: full access")
    elif contained:
        default = Decision("allow", "no rule matches: the task is contained")
    else:
        default = Decision("ask", "no rule matches: nothing contains the task")
    given = [("granted for this task", rule) for rule in granted]
    return tool_rules.decide(call, tool_rules.named(policy.tool_rules), default, given)


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


OPTION = re.compile(r"-[A-Za-z]+")
LONG_OPTIONS = {"--recursive": "r", "--force": "f"}
SAME_PROGRAM = {"doas": "sudo"}
GIT_VALUED = frozenset("-c -C --git-dir --work-tree --namespace --config-env".split())


@rule("blocked_commands")
def _blocked(policy: Policy, commands: list[list[str]]) -> Finding | None:
    for fragment in policy.blocked_commands:
        wanted = fragment.split()
        if wanted and any(_matches(wanted, words) for words in commands):
            return Finding("blocked_commands", f"The command is blocked by the policy: {fragment}.")
    return None


def _matches(wanted: list[str], words: list[str]) -> bool:
    name = program(words).lower()
    if SAME_PROGRAM.get(name, name) != program(wanted).lower():
        return False
    rest = _subcommand(words) if name == "git" else words[1:]
    options = rest[: rest.index("--")] if "--" in rest else rest
    flags = {letter for word in options for letter in _letters(word)}
    for place, word in enumerate(wanted[1:]):
        if OPTION.fullmatch(word):
            if not set(_letters(word)) <= flags:
                return False
        elif (name == "git" and place == 0 and rest[:1] != [word]) or word not in rest:
            return False
    return True


def _letters(word: str) -> str:
    """An option's letters; `--force` is `-f`, and `-R` is `-r`."""
    return word[1:].lower() if OPTION.fullmatch(word) else LONG_OPTIONS.get(word, "")


@rule("network")
def _network(policy: Policy, commands: list[list[str]]) -> Finding | None:
    if policy.network is NetworkMode.ENABLED:
        return None
    own = (LOOPBACK_NAME,) if policy.network is NetworkMode.LOCALHOST else ()
    open_to = (*own, *(name for name, _ in network_hosts.parsed(policy.network_hosts)))
    for words in commands:
        name = program(words).lower()
        if name not in CLIENTS or stays_within(words, open_to):
            continue
        return Finding(
            "network", f"{name} uses the network, and this policy's network mode is {policy.network}."
        )
    return None


GIT_WRITES = frozenset(
    "am branch checkout cherry-pick clean commit merge pull push rebase reset restore revert stash switch tag".split()
)
#: The forms of these that only show something: by the first word after the subcommand.
GIT_READS = {
    "stash": re.compile(r"list|show"),
    "tag": re.compile(
        r"|-l|--list|-n\d*|-v|--(verify|contains|no-contains|points-at|merged|no-merged|sort|format).*"
    ),
    "branch": re.compile(
        r"|-[arlv]+|--(list|all|remotes|verbose|show-current|contains|no-contains|merged|no-merged)"
        r"|--(points-at|sort|format|color|column).*"
    ),
}


@rule("git_write")
def _git_write(policy: Policy, commands: list[list[str]]) -> Finding | None:
    if policy.allow_git_write:
        return None
    for words in commands:
        rest = _subcommand(words) if program(words).lower() == "git" else []
        if rest and rest[0] in GIT_WRITES and not _only_shows(rest):
            return Finding(
                "git_write", f"git {rest[0]} writes to git, and this policy does not allow git writes."
            )
    return None


def _only_shows(rest: list[str]) -> bool:
    first = rest[1] if len(rest) > 1 else ""
    reads = GIT_READS.get(rest[0])
    return first in ("-h", "--help") or bool(reads and reads.fullmatch(first))


def _subcommand(words: list[str]) -> list[str]:
    """The words from git's subcommand on, past `-c NAME=VALUE`, `-C DIR` and other global options."""
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            return [word, *rest]
        if word in GIT_VALUED:
            next(rest, None)
    return []


SECRET_FILES = re.compile(
    r"\.env(\.(?!example|sample|template|dist)[\w.-]+)?|\.netrc|\.pgpass|\.git-credentials|secrets?(\.\w+)?"
    r"|id_(rsa|dsa|ecdsa|ed25519)"
)
SECRET_WORDS = re.compile(
    r"(?i)(?<![a-z])(keychain|api[ _-]?key|access[ _-]?token|bearer[ _-]?token)(?![a-z])"
)


@rule("secrets")
def _secrets(policy: Policy, commands: list[list[str]]) -> Finding | None:
    if policy.allow_secrets:
        return None
    for words in commands:
        hit = next((word for word in words if SECRET_WORDS.search(word) or _is_secret_file(word)), None)
        if program(words) == "printenv" or words == ["env"]:
            hit = words[0]
        if hit:
            return Finding(
                "secrets", f"{hit} reaches for a secret, and this policy does not allow secret access."
            )
    return None


def _is_secret_file(word: str) -> bool:
    """Whether a path in `word` (`--file=PATH` and `HOST:PATH` too) is one where credentials usually lie."""
    for path in re.split(r"[=:]", word):
        *folders, name = path.split("/")
        hidden = any(folder.startswith(".") and folder.strip(".") for folder in folders)
        if SECRET_FILES.fullmatch(name) or (name == "credentials" and (hidden or not folders)):
            return True
        if name == "environ" and folders[:2] == ["", "proc"]:
            return True
    return False
