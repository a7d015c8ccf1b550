"""An allow-list of MCP tools holds in the real programs: a server with two tools, one of them allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.site import ASK, Site, site
from tests.installation import OPEN

pytestmark = [pytest.mark.agents]

#: Notes which of its tools were called, in the folder it is started in.
SERVER = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    answer = {}
    if asked["method"] == "initialize":
        version = asked["params"]["protocolVersion"]
        answer = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "n", "version": "1"}}
    if asked["method"] == "tools/list":
        schema = {"type": "object", "properties": {}}
        answer = {"tools": [{"name": name, "description": name, "inputSchema": schema} for name in ("one", "two")]}
    if asked["method"] == "tools/call":
        open("called", "a").write(asked["params"]["name"] + "\\n")
        answer = {"content": [{"type": "text", "text": "done"}]}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answer}), flush=True)
"""
ONE = {**OPEN, "allowed_mcp_tools": ["notes/one"]}
NOTES = {"command": "python3", "args": ["-c", SERVER]}
DONE = {"say": "Done."}


@pytest.fixture(scope="module")
def claude() -> Iterator[Site]:
    with site("claude-code") as made:
        yield made


@pytest.fixture(scope="module")
def codex() -> Iterator[Site]:
    with site("codex") as made:
        yield made


def called(site: Site, task_id: str) -> list[str]:
    path: Path = site.made(task_id, "called")
    return path.read_text().split() if path.exists() else []


def of_claude(tool: str) -> dict[str, Any]:
    return {"call": f"mcp__notes__{tool}", "input": {}}


def of_codex(tool: str) -> dict[str, Any]:
    return {"call": tool, "server": "notes", "input": {}}


def test_claude_uses_the_one_and_is_told_why_not_the_other(claude: Site) -> None:
    servers = {"notes": NOTES, "other": {"command": "touch", "args": ["started"]}}
    turns = (of_claude("one"), of_claude("two"), DONE)
    task_id = claude.start(*turns, policy=ONE, mcp_servers=servers)
    claude.ended(task_id)
    assert called(claude, task_id) == ["one"]
    assert "The policy does not allow mcp__notes__two" in claude.results(task_id)
    assert not claude.made(task_id, "started").exists(), "a server of which nothing is allowed is not started"
    assert claude.task(task_id)["policy_report"]["allowed_mcp_tools"][0] == "enforced"


def test_a_persons_own_settings_do_not_widen_the_list(claude: Site) -> None:
    """What Claude's own settings allow is asked for all the same."""
    home = claude.installation.home / ".claude"
    home.mkdir(exist_ok=True)
    settings = home / "settings.json"
    before = settings.read_text() if settings.exists() else "{}"
    settings.write_text('{"permissions": {"allow": ["mcp__notes"]}}')
    try:
        turns = (of_claude("one"), of_claude("two"), DONE)
        task_id = claude.start(*turns, policy=ONE, mcp_servers={"notes": NOTES})
        claude.ended(task_id)
        assert called(claude, task_id) == ["one"]
    finally:
        settings.write_text(before)


def test_a_tool_that_a_rule_denies_outright_is_not_even_offered(claude: Site) -> None:
    rules = [{"tool": "mcp__notes__two", "action": "deny"}]
    task_id = claude.start(
        of_claude("two"), DONE, policy={**OPEN, "tool_rules": rules}, mcp_servers={"notes": NOTES}
    )
    claude.ended(task_id)
    assert called(claude, task_id) == []
    assert claude.approvals(task_id) == [], "nothing was asked for"


def test_codex_uses_the_one_and_not_the_other_of_its_own_server(codex: Site) -> None:
    """The server stands in the person's own settings, which no option of ours narrows: each call is asked for."""
    settings = Path(codex.installation.settings["CODEX_HOME"], "config.toml")
    before = settings.read_text()
    settings.write_text(
        f"{before}\n[mcp_servers.notes]\ncommand = 'python3'\nargs = ['-c', '''{SERVER}''']\n"
    )
    try:
        task_id = codex.start(of_codex("one"), of_codex("two"), {"run": "true"}, DONE, policy=ONE)
        codex.ended(task_id)
        assert called(codex, task_id) == ["one"]
        rows = [(row["tool"], row["status"], row["rule"]) for row in codex.approvals(task_id)]
        assert rows[1] == (
            "mcp__notes__two",
            "denied",
            "allowed_mcp_tools — The policy does not allow mcp__notes__two.",
        )
    finally:
        settings.write_text(before)


def test_codex_knows_only_the_allowed_tools_of_a_tasks_server(codex: Site) -> None:
    task_id = codex.start(of_codex("two"), of_codex("one"), DONE, policy=ONE, mcp_servers={"notes": NOTES})
    codex.ended(task_id)
    assert called(codex, task_id) == ["one"]


def test_a_person_answers_codex_for_a_tool_of_a_server(codex: Site) -> None:
    task_id = codex.start(of_codex("one"), of_codex("two"), DONE, policy=ASK, mcp_servers={"notes": NOTES})
    first = codex.asked(task_id, "mcp__notes__one")
    assert first["title"] == "Codex wants to use one of notes"
    codex.decide(task_id, first, "allow")
    codex.decide(task_id, codex.asked(task_id, "mcp__notes__two"), "deny", note="not that one")
    codex.ended(task_id)
    assert called(codex, task_id) == ["one"]
