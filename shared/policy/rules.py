"""The rules that read a command before it runs, and what they object to. A rule says early what it can see.

A new rule is one function here; the boundary is the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shared.network import hosts as network_hosts
from shared.network.hosts import LOOPBACK_NAME
from shared.policy.network_words import CLIENTS, stays_within
from shared.policy.shell_words import program, simple_commands
from shared.policy.value import NetworkMode, Policy


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
