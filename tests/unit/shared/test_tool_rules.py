"""Permission rules: which one decides a call, what it says of itself, and what "allow for this task" grants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shared import policy
from shared.policy import Policy, tool_rules
from shared.policy.tool_rules import Call, Decision, call_of, told
from shared.policy.tool_suggestions import suggest

ASK = Decision("ask", "default")
TREE = "/nowhere/tree"
ALL = {"tool": "*", "action": "ask"}


def allow(tool: str = "Bash", **more: str) -> dict[str, str]:
    return {"tool": tool, "action": "allow", **more}


def deny(tool: str = "Bash", **more: str) -> dict[str, str]:
    return {"tool": tool, "action": "deny", **more}


def bash(line: str, tool: str = "Bash") -> Call:
    return call_of(tool, {"command": line}, line, TREE)


def edit(*paths: str, tool: str = "Edit", cwd: str = TREE) -> Call:
    given = {"file_path": paths[0]} if len(paths) == 1 else {"changes": [{"path": path} for path in paths]}
    return call_of(tool, given, None, cwd)


def action(call: Call, *rules: Mapping[str, Any], granted: Mapping[str, Any] | None = None) -> str:
    given = [("granted", granted)] if granted else []
    return tool_rules.decide(call, tool_rules.named(rules), ASK, given).action


@pytest.mark.parametrize(
    ("wanted", "tool", "is_meant"),
    [
        ("*", "mcp__github__merge", True),
        ("mcp__github__*", "mcp__github__merge", True),
        ("mcp__github__*", "mcp__gitlab__merge", False),
        ("Write", "Write", True),
        ("Write", "Edit", False),
        *(("edit", tool, True) for tool in ("Write", "Edit", "MultiEdit", "NotebookEdit", "file_change")),
        ("edit", "Read", False),
        ("Bash", "command_execution", True),
        ("command", "Bash", True),
        ("edit", "Bash", False),
    ],
)
def test_a_rule_names_a_tool_a_glob_or_a_family_of_both_agents(
    wanted: str, tool: str, is_meant: bool
) -> None:
    line = "true" if tool in tool_rules.COMMANDS else None
    assert action(Call(tool, line), deny(wanted)) == ("deny" if is_meant else "ask")


GIT_ONLY = (allow(pattern="git *"), {"tool": "*", "action": "ask"})


@pytest.mark.parametrize(
    ("line", "rules", "expected"),
    [
        ("git status", (allow(pattern="git status*"),), "allow"),
        ("git status && rm -r x", (allow(pattern="git status*"),), "ask"),
        ("git status && git log", GIT_ONLY, "allow"),
        ("git status; git push", (deny(pattern="git push*"), allow(pattern="git *")), "deny"),
        ("git status | tee x", (allow(pattern="git *"), allow(pattern="tee *")), "allow"),
        ("echo $(git push)", (allow(pattern="echo *"), deny(pattern="git push*")), "deny"),
        ("bash -lc 'git status'", GIT_ONLY, "allow"),
        ("/usr/bin/bash -lc 'git status && make'", GIT_ONLY, "ask"),
        ("bash -lc 'npm test; rm -r /'", (deny(pattern="rm *"),), "deny"),
        ("bash -lc 'git status' > x", GIT_ONLY, "ask"),
        ('bash -lc "git log $(rm x)"', GIT_ONLY, "ask"),
        ("bash -c \"bash -c 'git status'\"", GIT_ONLY, "ask"),
        ("sudo git status", GIT_ONLY, "ask"),
        ("PAGER=evil git log", GIT_ONLY, "ask"),
        ("npm test 2>&1", (allow(pattern="npm test*"), ALL), "allow"),
        ("npm test >/dev/null 2>&1", (allow(pattern="npm test*"),), "allow"),
        ("npm test > ~/.bashrc", (allow(pattern="npm test*"),), "ask"),
        ("git commit -m 'a; b'", GIT_ONLY, "allow"),
        ("", (allow(pattern="git *"),), "ask"),
        ("cat src/key.pem", (deny("*", path="**/*.pem"), allow("*")), "deny"),
        ("rm -r / > src/x", (allow("*", path="src/**"),), "ask"),
        ("for x in 1; do git status; done", GIT_ONLY, "ask"),
    ],
)
def test_to_allow_a_line_every_command_must_match_and_to_object_one_is_enough(
    line: str, rules: tuple[dict[str, str], ...], expected: str
) -> None:
    assert action(bash(line), *rules) == expected


def test_a_pattern_that_is_the_whole_line_allows_this_line_and_no_other() -> None:
    line = "cd sub && FOO=1 ./run [x] > out"
    rule = suggest(bash(line))
    assert rule is not None
    assert action(bash(line), rule) == "allow"
    assert action(bash(f"{line} && rm x"), rule) == "ask"
    assert action(bash(line.replace("[x]", "x")), rule) == "ask"


@pytest.mark.parametrize(
    ("paths", "rule", "expected"),
    [
        (("src/a.py",), allow("edit", path="src/**"), "allow"),
        ((f"{TREE}/src/deep/a.py",), allow("edit", path="src/**"), "allow"),
        (("src/../.git/config",), allow("edit", path="src/**"), "ask"),
        (("src/a.py", "docs/b.md"), allow("edit", path="src/**"), "ask"),
        (("src/a.py", "docs/b.md"), deny("edit", path="docs/**"), "deny"),
        (("src/deep/a.py",), allow("edit", path="src/*"), "ask"),
        (("src/deep/a.py",), allow("edit", path="src/"), "allow"),
        (("src/deep/a.py",), allow("edit", path="**/*.py"), "allow"),
        (("a.py",), allow("edit", path="**/*.py"), "allow"),
        (("/etc/a.py",), allow("edit", path="**/*.py"), "ask"),
        (("/etc/deep/hosts",), deny("edit", path="/**/hosts"), "deny"),
        (("~/.bashrc",), deny("edit", path="~/.*"), "deny"),
        (("srcx/a.py",), allow("edit", path="src/**"), "ask"),
        ((".env",), deny("*", path="./.env"), "deny"),
    ],
)
def test_a_path_rule_covers_all_files_a_call_touches(
    paths: tuple[str, ...], rule: dict[str, str], expected: str
) -> None:
    assert action(edit(*paths, tool="file_change" if len(paths) > 1 else "Write"), rule) == expected


def test_a_call_without_a_path_is_not_allowed_by_one() -> None:
    assert action(Call("WebFetch"), allow("*", path="**")) == "ask"


def test_a_link_out_of_the_allowed_folder_is_not_allowed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / "src/out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "linked").symlink_to(tree)
    rule = allow("edit", path="src/**")
    assert action(edit("src/a.py", cwd=str(tmp_path / "linked")), rule) == "allow"
    assert action(edit("src/out", cwd=str(tree)), rule) == "ask"
    assert action(edit("src/out", cwd=str(tree)), deny("edit", path=f"{tmp_path}/elsewhere")) == "deny"


def test_a_glob_of_many_stars_is_matched_in_little_time() -> None:
    pattern = "/".join(["**", "*a*a*a*b"] * 12)
    assert action(edit("/".join(["a" * 60] * 60)), allow("edit", path=pattern)) == "ask"


@pytest.mark.parametrize("line", ["rm -r x", "git status; rm -r x", "bash -c 'rm -r x'", "A=1 rm -r x"])
def test_a_deny_is_never_weakened_by_what_was_granted(line: str) -> None:
    refuses = deny(pattern="rm *")
    for granted in (allow("*"), allow(pattern="*"), allow(pattern=line)):
        assert action(bash(line), refuses, granted=granted) == "deny"
    assert action(edit("secret"), deny("edit", path="secret"), granted=allow("*")) == "deny"


def test_what_was_granted_stands_before_an_ask_and_before_an_allow() -> None:
    asks = {"tool": "Bash", "action": "ask"}
    assert action(bash("git status -s"), asks, granted=allow(pattern="git status*")) == "allow"
    assert action(bash("git status -s; make"), asks, granted=allow(pattern="git status*")) == "ask"
    assert action(bash("git status"), allow(), granted=deny(pattern="git *")) == "deny"


def test_a_decision_names_its_rule_in_words() -> None:
    by = policy.from_json(
        policy.with_workspace_rules(
            {"tool_rules": [deny(pattern="rm *", reason="ask me"), allow(pattern="git status*")]},
            [deny("edit", path="docs/**")],
        )
    )

    def said(call: Call, granted: tuple[dict[str, str], ...] = (), by: Policy = by) -> str:
        return str(policy.tool_decision(by, call, contained=False, granted=granted))

    assert said(bash("git status")) == "task rule 2: allow Bash `git status*`"
    assert said(bash("rm x")) == "task rule 1: deny Bash `rm *` — ask me"
    assert said(edit("docs/a")) == "workspace rule 1: deny edit in `docs/**`"
    assert said(bash("make"), (allow("*"),)) == "granted for this task: allow any tool"
    assert said(bash("make")) == "no rule matches: nothing contains the task"
    assert said(bash("make"), by=policy.FULL_ACCESS) == "no rule matches: full access"


def test_rules_of_the_workspace_stand_behind_the_tasks_own() -> None:
    own = {"tool_rules": [allow(pattern="git *")], "allow_network": True}
    joined = policy.with_workspace_rules(own, [deny(pattern="git *")])
    found = policy.tool_decision(policy.from_json(joined), bash("git status"), contained=False)
    assert (found.action, joined["allow_network"]) == ("allow", True)
    assert policy.with_workspace_rules(own, []) == own


@pytest.mark.parametrize(
    ("line", "pattern"),
    [
        ("git status -s", "git status*"),
        ("npm test -- --fast", "npm test*"),
        ("bash -lc 'npm test'", "npm test*"),
        ("cargo build", "cargo build*"),
        ("git push origin main", "git push origin main"),
        ("npm run deploy", "npm run deploy"),
        ("git -c core.pager=x log", "git -c core.pager=x log"),
        ("./git status", "./git status"),
        ("PAGER=x git log", "PAGER=x git log"),
        ("python -c 'x'", "python -c 'x'"),
        ("bash x.sh", "bash x.sh"),
        ("sudo npm test", "sudo npm test"),
        ("rm -r *.o", "rm -r [*].o"),
        ("git status && git log", "git status && git log"),
        ("git log > out", "git log > out"),
    ],
)
def test_allow_for_this_task_grants_program_and_subcommand_or_the_very_line(line: str, pattern: str) -> None:
    assert suggest(bash(line)) == allow(pattern=pattern)
    assert suggest(bash(line, "commandExecution")) == allow("command", pattern=pattern)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (edit("src/web/a.py"), allow("edit", path="src/web/**")),
        (edit("src/a.py", "src/deep/b.py", tool="file_change"), allow("edit", path="src/**")),
        (edit("src/[x]/a.py"), allow("edit", path="src/[[]x]/**")),
        (edit("README.md"), allow("edit", path="README.md")),
        (edit("a", "src/b", tool="file_change"), None),
        (edit(".github/workflows/ci.yml"), allow("edit", path=".github/workflows/ci.yml")),
        (edit("/etc/hosts"), allow("edit", path="/etc/hosts")),
        (edit("/etc/a", "/etc/b", tool="file_change"), None),
        (edit("docs/a", tool="Read"), allow("Read", path="docs/**")),
        (Call("mcp__x__y"), allow("mcp__x__y")),
        (Call("AskUserQuestion"), None),
        (Call("ExitPlanMode"), None),
        (bash(" "), None),
        (bash("x" * 2000), None),
    ],
)
def test_allow_for_this_task_grants_the_folder_the_file_or_the_tool(
    call: Call, rule: dict[str, str] | None
) -> None:
    assert suggest(call) == rule
    if rule is not None:
        assert action(call, rule) == "allow"


def test_a_rule_is_told_with_its_tool_pattern_and_path() -> None:
    assert told(deny("*", path="a")) == "deny any tool in `a`"
