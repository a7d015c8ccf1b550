"""Permission rules of an agent's tools: which rule decides a call, in words a person understands.

A rule says early what can be seen of a call; the sandbox is the boundary. For an agent's shell line each simple
command is decided by itself, because `git status; rm -r /` is two calls in one.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from shared.policy.globs import segments_match
from shared.policy.shell_words import REDIRECTION, assigned_commands, simple_commands, unwrapped

Rule = Mapping[str, Any]
Named = Sequence[tuple[str, Rule]]
ACTIONS = ("allow", "ask", "deny")
#: What a call's parts were decided to be, the gravest last.
GRAVITY = {action: place for place, action in enumerate(ACTIONS)}
#: Questions only a person can answer, whatever the rules say.
FOR_A_PERSON = frozenset({"AskUserQuestion", "ExitPlanMode", "request_user_input"})
#: One word for what both agents do, by the names each gives it.
COMMANDS = frozenset("Bash command command_execution commandExecution exec_command shell local_shell".split())
EDITS = frozenset("Write Edit MultiEdit NotebookEdit file_change fileChange apply_patch".split())
FAMILIES = {"Bash": COMMANDS, "command": COMMANDS, "edit": EDITS}
#: Where a tool's input names the files it touches.
PATH_KEYS = ("file_path", "notebook_path", "path", "grant_root")
#: A redirection into these changes nothing: other streams of the command, or nowhere.
NOWHERE = frozenset({"/dev/null", "-", "1", "2"})


@dataclass(frozen=True)
class Call:
    """A tool an agent wants to use: its shell line if it runs one, and the files it is for, as absolute paths.

    Each file stands there as it was named and as its links resolve; `roots` are the worktree in both forms.
    """

    tool: str
    command: str | None = None
    paths: tuple[str, ...] = ()
    roots: tuple[str, ...] = ("/",)


@dataclass(frozen=True)
class Decision:
    """allow, ask or deny, and the rule that says so; `reason` is the rule's own."""

    action: str
    rule: str
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.rule} — {self.reason}" if self.reason else self.rule


def call_of(tool: str, given: Mapping[str, Any], command: str | None = None, cwd: str | None = None) -> Call:
    """The call behind a tool's input; relative paths start at `cwd`."""
    roots = tuple(dict.fromkeys((os.path.normpath(cwd or "/"), _real(cwd or "/"))))
    named = [_absolute(path, roots[0]) for path in _named(given)]
    resolved = [_real(path) for path in named]
    return Call(tool, command, tuple(dict.fromkeys([*named, *resolved])), roots)


def _named(given: Mapping[str, Any]) -> Iterator[str]:
    """The paths in a tool's input; Codex's file changes are a list, or an object keyed by path, and it wraps arguments."""
    if isinstance(given.get("arguments"), Mapping):
        yield from _named(given["arguments"])
    yield from (given[key] for key in PATH_KEYS if isinstance(given.get(key), str) and given[key])
    changes = given.get("changes")
    if isinstance(changes, Mapping):
        yield from (str(path) for path in changes)
    elif isinstance(changes, Sequence) and not isinstance(changes, str):
        for change in changes:
            if isinstance(change, Mapping):
                yield from (str(change[key]) for key in ("path", "move_path") if change.get(key))


def _absolute(path: str, root: str) -> str:
    return os.path.normpath(os.path.join(root, os.path.expanduser(path)))


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return os.path.normpath(path)


def decide(call: Call, rules: Named, default: Decision, granted: Named = ()) -> Decision:
    """What the rules say of a call; each rule comes with its name, the first that matches wins, else `default`.

    What a person granted (`granted`) stands before the rules, but a rule's deny is never weakened by it.
    """
    found = [_part(part, call, rules, default, granted) for part in _parts(call)]
    return max(found, key=lambda decision: GRAVITY[decision.action])


@dataclass(frozen=True)
class _Part:
    """What one rule is held against: a simple command, or the call as a whole.

    `exact` is the pattern that means this whole line and no other. `only_objects` marks the line as it was
    written: it can be objected to, but what is allowed are the commands in it.
    """

    text: str | None = None
    words: tuple[str, ...] = ()
    exact: str | None = None
    only_objects: bool = False


def _parts(call: Call) -> list[_Part]:
    if call.command is None:
        return [_Part()]
    line = unwrapped(call.command).strip()
    exact = glob.escape(line)
    commands = [words for words in simple_commands(line) if not _is_idle(words)] + assigned_commands(line)
    found = [_Part(" ".join(words), tuple(words), exact) for words in commands] or [_Part(line, (), exact)]
    if line not in {part.text for part in found}:
        found.append(_Part(line, exact=exact, only_objects=True))
    return found


def _is_idle(words: Sequence[str]) -> bool:
    return words[0] == REDIRECTION and words[1:2] != [] and words[1] in NOWHERE


def _part(part: _Part, call: Call, rules: Named, default: Decision, granted: Named) -> Decision:
    ruled = _first(part, call, rules)
    if ruled is None and part.only_objects:
        return Decision("allow", default.rule)
    ruled = ruled or default
    if ruled.action == "deny":
        return ruled
    return _first(part, call, granted) or ruled


def _first(part: _Part, call: Call, rules: Named) -> Decision | None:
    for name, rule in rules:
        if _matches(rule, part, call):
            reason = str(rule["reason"]) if rule.get("reason") else None
            return Decision(str(rule.get("action", "ask")), f"{name}: {told(rule)}", reason)
    return None


def _matches(rule: Rule, part: _Part, call: Call) -> bool:
    if not _is_for(str(rule.get("tool", "")), call.tool):
        return False
    if rule.get("path") and not _concerns(str(rule["path"]), rule.get("action") == "allow", part, call):
        return False
    pattern = rule.get("pattern")
    if not pattern:
        return True
    return part.text is not None and (pattern == part.exact or fnmatchcase(part.text, str(pattern)))


def _is_for(wanted: str, tool: str) -> bool:
    return tool in FAMILIES.get(wanted, ()) or fnmatchcase(tool, wanted)


def _concerns(pattern: str, allows: bool, part: _Part, call: Call) -> bool:
    """Whether a path rule meets the call: to allow, every file must match; to object, one is enough.

    What a command touches cannot be known, so no path allows one; a word of it that names the path is objected to.
    """
    if call.command is not None:
        words = [_absolute(word, call.roots[0]) for word in part.words if not word.startswith("-")]
        return not allows and any(_lies_in(path, pattern, call.roots) for path in words)
    found = [_lies_in(path, pattern, call.roots) for path in call.paths]
    return all(found) and bool(found) if allows else any(found)


def _lies_in(path: str, pattern: str, roots: Sequence[str]) -> bool:
    pattern = os.path.expanduser(pattern + "**" if pattern.endswith("/") else pattern)
    segments = path.split("/")
    return any(
        segments_match(segments, os.path.normpath(os.path.join(glob.escape(root), pattern)).split("/"))
        for root in roots
    )


def named(rules: Sequence[Rule], name: str = "task rule") -> list[tuple[str, Rule]]:
    """Rules with their names, `task rule 1`; those a workspace gave (`origin`) are counted by themselves."""
    found, counts = [], dict.fromkeys((name, "workspace rule"), 0)
    for rule in rules:
        kind = "workspace rule" if rule.get("origin") == "workspace" else name
        counts[kind] += 1
        found.append((f"{kind} {counts[kind]}", rule))
    return found


def told(rule: Rule) -> str:
    """A rule in words: allow Bash `git status*`, deny edit in `docs/**`."""
    tool = "any tool" if rule.get("tool") == "*" else str(rule.get("tool"))
    pattern = f" `{rule['pattern']}`" if rule.get("pattern") else ""
    path = f" in `{rule['path']}`" if rule.get("path") else ""
    return f"{rule.get('action', 'ask')} {tool}{pattern}{path}"
