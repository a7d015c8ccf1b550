"""The narrowest useful rule that would have allowed a call: what "Allow for this task" grants."""

from __future__ import annotations

import glob
import os

from shared.policy import tool_rules
from shared.policy.shell_words import assigned_commands, simple_commands, unwrapped
from shared.policy.tool_rules import COMMANDS, EDITS, FOR_A_PERSON, Call, Decision, Rule

#: Programs whose first word says what they do. Anything else (interpreters, shells, sudo, rm …) is granted line by line.
SUBCOMMANDS = frozenset(
    "apt-cache brew bundle cargo composer dart dotnet flutter gh git go gradle hatch helm hg jj mix mvn nox npm pdm"
    " pip pip3 pixi pnpm poetry rustup svn tox uv yarn bun deno docker kubectl terraform".split()
)
#: Subcommands that run what their arguments say, reach other machines or destroy: only the very line is granted.
RISKY = frozenset(
    "add api apply auth clean config create delete deploy destroy dlx eval exec fetch filter-branch generate get"
    " import init install link login publish pull push reset restore rm remove repl run shell submodule tool uninstall"
    " up update upgrade worktree x".split()
)
LONGEST = 1000


def suggest(call: Call) -> Rule | None:
    """A rule that allows this call and as little else as is of use, or None where there is none to offer."""
    if call.tool in FOR_A_PERSON:
        return None
    rule = (
        _for_command(call)
        if call.command is not None
        else _for_files(call)
        if call.paths
        else _for_tool(call)
    )
    if rule is None or any(len(str(value)) > LONGEST for value in rule.values()):
        return None
    found = tool_rules.decide(call, (), Decision("ask", ""), [("", rule)])
    return rule if found.action == "allow" else None


def _for_command(call: Call) -> Rule | None:
    line = unwrapped(call.command or "").strip()
    tool = "Bash" if call.tool == "Bash" else "command" if call.tool in COMMANDS else call.tool
    return {"tool": tool, "pattern": _pattern(line), "action": "allow"} if line else None


def _pattern(line: str) -> str:
    commands = simple_commands(line)
    program, word = [*(commands[0] if len(commands) == 1 else []), "", ""][:2]
    plain = word.replace("-", "").isalnum() and word[:1].isalpha() and not assigned_commands(line)
    if program in SUBCOMMANDS and plain and word not in RISKY:
        return f"{program} {word}*"
    return glob.escape(line)


def _for_files(call: Call) -> Rule | None:
    root = call.roots[0]
    files = [path for path in call.paths if _is_below(path, root)]
    if not files:
        path = call.paths[0]
    else:
        folder = os.path.commonpath([os.path.dirname(path) for path in files])
        hidden = any(part.startswith(".") for path in files for part in _below(path, root).split("/"))
        path = files[0] if folder == root or hidden else f"{folder}/**"
    escaped = glob.escape(path.removesuffix("/**")) + ("/**" if path.endswith("/**") else "")
    shown = _below(escaped, glob.escape(root)) if files else escaped
    return {
        "tool": "edit" if call.tool in EDITS else glob.escape(call.tool),
        "path": shown,
        "action": "allow",
    }


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")


def _below(path: str, root: str) -> str:
    return path.removeprefix(root.rstrip("/") + "/")


def _for_tool(call: Call) -> Rule:
    return {"tool": glob.escape(call.tool), "action": "allow"}
