"""What a task may say of how its agent is to run."""

from __future__ import annotations

from typing import Any

import pytest

from shared.agents import options as agent_options
from shared.errors import WrongShape

TAKES = {
    "modes": ["live", "oneshot"],
    "efforts": ["low", "high"],
    "arguments": {"--max-turns": 1, "--quiet": 0},
}
GOOD = [
    {},
    {"mode": "oneshot", "effort": "low", "model": "claude-opus-4-8[1m]"},
    {"arguments": ["--quiet", "--max-turns", "3"]},
    {"mcp_servers": {"files": {"command": "serve", "args": ["x"]}, "web": {"url": "http://127.0.0.1:1"}}},
]
BAD = [
    ({"mode": "plan"}, "mode"),
    ({"effort": "max"}, "effort"),
    ({"model": "--dangerously-skip-permissions"}, "model"),
    ({"model": "a b"}, "model"),
    ({"arguments": ["--dangerously-skip-permissions"]}, "arguments"),
    ({"arguments": ["--max-turns"]}, "arguments"),
    ({"arguments": ["--max-turns", "--quiet"]}, "arguments"),
    ({"arguments": ["--max-turns", "3", "4"]}, "arguments"),
    ({"mcp_servers": {"a.b": {"command": "x"}}}, "mcp_servers"),
    ({"mcp_servers": {"a": {}}}, "mcp_servers"),
    ({"mcp_servers": {"a": {"command": "x", "url": "y"}}}, "mcp_servers"),
    ({"mcp_servers": {"a": {"command": "x", "surprise": 1}}}, "mcp_servers"),
]


@pytest.mark.parametrize("options", GOOD)
def test_what_the_runner_takes_passes(options: dict[str, Any]) -> None:
    agent_options.check(options, TAKES, "claude-code")


@pytest.mark.parametrize(("options", "field"), BAD)
def test_what_it_does_not_take_is_refused_with_its_field(options: dict[str, Any], field: str) -> None:
    with pytest.raises(WrongShape) as refused:
        agent_options.check(options, TAKES, "claude-code")
    assert refused.value.extra["field"] == field


def test_a_runner_nobody_has_looked_for_takes_any_mode() -> None:
    agent_options.check({"mode": "plan", "effort": "max"}, {}, "codex")
