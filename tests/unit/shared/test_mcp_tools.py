"""Which tools of MCP servers a policy allows, however they are written."""

from __future__ import annotations

import pytest

from shared.policy import Policy, mcp_tools, tool_decision
from shared.policy.tool_rules import Call

ALLOWED = ("mcp__github__get_issue", "jira/*", "files", "mcp__notes", "db/read_*")
TOOLS = {
    "mcp__github__get_issue": True,
    "mcp__github__get_issues": False,
    "mcp__github__delete": False,
    "mcp__jira__anything": True,
    "mcp__files__read": True,
    "mcp__notes__write": True,
    "mcp__db__read_row": True,
    "mcp__db__drop": False,
    "mcp__other__read": False,
    "mcp__filesystem__read": False,
    "Bash": True,
    "Write": True,
}


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_is_allowed_or_not(tool: str) -> None:
    assert mcp_tools.allows(ALLOWED, tool) is TOOLS[tool]
    assert mcp_tools.allows((), tool)


def test_what_is_allowed_of_one_server() -> None:
    assert mcp_tools.of_server((), "any") is None
    found = {server: mcp_tools.of_server(ALLOWED, server) for server in ("github", "jira", "db", "other")}
    assert found == {"github": ["get_issue"], "jira": None, "db": ["read_*"], "other": []}


def test_no_rule_and_no_grant_allows_what_the_list_does_not() -> None:
    rule = {"tool": "*", "action": "allow"}
    policy = Policy(allowed_mcp_tools=("github/get_issue",), tool_rules=(rule,))
    refused = tool_decision(policy, Call("mcp__github__delete"), contained=True, granted=[rule])
    assert (refused.action, refused.rule) == ("deny", "allowed_mcp_tools")
    assert tool_decision(policy, Call("mcp__github__get_issue"), contained=True).action == "allow"
    assert tool_decision(policy, Call("Bash", "ls"), contained=True).action == "allow"


def test_the_list_grants_nothing_that_rules_forbid_or_ask_for() -> None:
    rules = ({"tool": "mcp__github__*", "action": "ask"},)
    policy = Policy(allowed_mcp_tools=("github",), tool_rules=rules)
    assert tool_decision(policy, Call("mcp__github__get_issue"), contained=True).action == "ask"
