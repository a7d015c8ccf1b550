"""What a policy and a person's trust become as flags of the programs: tools, servers, and the repository's settings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.errors import NotReady
from shared.policy import Policy
from workers.runners import claude, codex
from workers.runners.conformance import context

SERVERS = {"notes": {"command": "n"}, "other": {"command": "o"}}
ONE = Policy(allowed_mcp_tools=("notes/one",))


def of_claude(**changes: Any) -> list[str]:
    return list(claude.start(context(**changes)).argv)


def of_codex(**changes: Any) -> list[str]:
    return list(codex.start(context(**changes)).argv)


def after(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1]


def test_claude_starts_only_servers_of_which_something_is_allowed_and_asks_for_every_call() -> None:
    words = of_claude(policy=ONE, options={"mcp_servers": SERVERS}, contained=True)
    assert list(json.loads(after(words, "--mcp-config"))["mcpServers"]) == ["notes"]
    assert json.loads(after(words, "--settings")) == {"permissions": {"ask": ["mcp__*"]}}


def test_claude_in_one_turn_is_granted_the_allowed_tools_by_name() -> None:
    words = of_claude(policy=ONE, options={"mode": "oneshot"}, contained=True)
    assert after(words, "--allowedTools") == "Bash,mcp__notes__one"
    assert "--settings" not in words


@pytest.mark.parametrize(
    ("rules", "never"),
    [
        ([{"tool": "WebFetch", "action": "deny"}], "WebFetch"),
        ([{"tool": "WebFetch", "action": "deny"}, {"tool": "Bash", "action": "deny"}], "WebFetch,Bash"),
        ([{"tool": "mcp__notes__two", "action": "deny"}], "mcp__notes__two"),
        ([{"tool": "WebFetch", "action": "deny", "reason": "read the docs"}], None),
        ([{"tool": "Bash", "pattern": "rm*", "action": "deny"}], None),
        ([{"tool": "Bash", "pattern": "ls*", "action": "allow"}, {"tool": "Bash", "action": "deny"}], None),
        ([{"tool": "*", "action": "allow"}, {"tool": "Bash", "action": "deny"}], None),
        ([{"tool": "edit", "action": "deny"}], None),
        ([{"tool": "Bash --x", "action": "deny"}], None),
    ],
)
def test_a_tool_that_can_only_be_denied_is_not_offered(rules: list[Any], never: str | None) -> None:
    """A reason must reach the model, and the first rule that matches wins: then it is asked for, and denied."""
    words = of_claude(policy=Policy(tool_rules=tuple(rules)))
    assert (after(words, "--disallowedTools") if "--disallowedTools" in words else None) == never


def test_codex_knows_the_allowed_tools_of_a_tasks_servers_and_asks_for_those_of_its_own() -> None:
    words = of_codex(policy=ONE, options={"mcp_servers": SERVERS}, contained=True)
    assert 'mcp_servers.notes.enabled_tools=["one"]' in words
    assert not any(word.startswith("mcp_servers.other") for word in words)
    assert b'"approvalPolicy":"untrusted"' in codex.start(context(policy=ONE, contained=True)).first_input


def test_a_glob_of_tools_is_left_to_the_answer() -> None:
    policy = Policy(allowed_mcp_tools=("notes/o*",))
    words = of_codex(policy=policy, options={"mcp_servers": SERVERS})
    assert not any("enabled_tools" in word for word in words)


def test_codex_in_one_turn_cannot_ask_and_so_does_not_start() -> None:
    with pytest.raises(NotReady, match="cannot ask"):
        of_codex(policy=ONE, options={"mode": "oneshot"}, contained=True)


@pytest.mark.parametrize("options", [{}, {"mode": "oneshot"}])
def test_codex_is_told_at_every_start_whether_the_repository_is_trusted(options: dict[str, str]) -> None:
    for is_trusted, level in ((True, "trusted"), (False, "untrusted")):
        words = of_codex(options=options, contained=True, is_trusted=is_trusted)
        assert f'projects={{"/workspace" = {{"trust_level" = "{level}"}}}}' in words


@pytest.mark.parametrize("options", [{}, {"mode": "oneshot"}])
def test_claude_leaves_an_untrusted_repositorys_settings_out(options: dict[str, str]) -> None:
    assert "--setting-sources" not in of_claude(options=options, contained=True)
    assert after(of_claude(options=options, contained=True, is_trusted=False), "--setting-sources") == "user"
