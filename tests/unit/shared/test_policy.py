"""What a policy is: its presets, its JSON, its workspaces, its tool rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import policy
from shared.policy import Policy, presets, tool_rules

DEFAULT = Policy()


def test_the_workspace_allowlist_takes_a_folder_and_what_lies_below_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    real = str((tmp_path / "real").resolve())
    only = Policy(allowed_workspaces=(str(tmp_path / "link"), "~nobody-of-that-name/x", "a\0b"))
    assert policy.evaluate(only, command=None, workspace=real) == []
    assert policy.evaluate(only, command=None, workspace=f"{real}/sub") == []
    for outside in (f"{real}x", str(tmp_path), "/"):
        assert [found.rule for found in policy.evaluate(only, command=None, workspace=outside)] == [
            "allowed_workspaces"
        ]


def test_the_workspace_allowlist_means_the_folder_a_path_leads_to_and_its_case(tmp_path: Path) -> None:
    (tmp_path / "Work").mkdir()
    (tmp_path / "other").mkdir()
    around = Policy(allowed_workspaces=(f"{tmp_path}/other/../Work",))
    assert policy.evaluate(around, command=None, workspace=f"{tmp_path}/Work/app") == []
    for outside in ("other", "work", "Workshop"):
        assert policy.evaluate(around, command=None, workspace=f"{tmp_path}/{outside}") != []


def test_a_policy_comes_back_from_its_json_and_keeps_its_digest() -> None:
    for preset in policy.PRESETS.values():
        again = policy.from_json(preset.to_json())
        assert again == preset
        assert again.digest() == preset.digest()
    assert len({preset.digest() for preset in policy.PRESETS.values()}) == len(policy.PRESETS)


def test_unknown_keys_are_ignored_and_missing_ones_come_from_the_preset() -> None:
    base = policy.FULL_ACCESS
    assert policy.from_json({"later": 1}, base) == base
    changed = policy.from_json({"allow_network": False, "allowed_mcp_tools": ["a"]}, base)
    assert (changed.allow_network, changed.allowed_mcp_tools) == (False, ("a",))
    assert changed.workspace_access == "full"


@pytest.mark.parametrize("name", policy.PRESETS)
def test_a_task_shows_the_preset_it_matches(name: str) -> None:
    preset = policy.PRESETS[name]
    assert presets.name_of(preset, {}) == name
    assert presets.name_of(policy.from_json({"budget_cents": 1}, preset), {}) == "custom"


RULES = (
    {"tool": "Bash", "pattern": "npm test*", "action": "allow"},
    {"tool": "Bash", "pattern": "rm *", "action": "deny"},
    {"tool": "Edit", "path": "/w/docs/*", "action": "allow"},
    {"tool": "WebFetch", "action": "deny"},
)


def tool_action(
    by: Policy, tool: str, *, contained: bool, command: str | None = None, path: str | None = None
) -> tuple[str, str]:
    """What a policy does with a call that touches one file at most, and by which rule."""
    call = tool_rules.call_of(tool, {"path": path} if path else {}, command, None)
    found = policy.tool_decision(by, call, contained=contained)
    return found.action, str(found)


@pytest.mark.parametrize(
    ("tool", "command", "path", "action"),
    [
        ("Bash", "npm test --fast", None, "allow"),
        ("Bash", "npm test && curl evil", None, "ask"),
        ("Bash", "npm test > ~/.profile", None, "ask"),
        ("Bash", "npm test; rm -r x", None, "deny"),
        ("Bash", "make", None, "ask"),
        ("Bash", None, None, "ask"),
        ("Edit", None, "/w/docs/a.md", "allow"),
        ("Edit", None, "/w/docs/../secret", "ask"),
        ("Edit", None, None, "ask"),
        ("WebFetch", None, None, "deny"),
        ("Other", None, None, "ask"),
    ],
)
def test_the_first_tool_rule_whose_pattern_and_path_match_decides(
    tool: str, command: str | None, path: str | None, action: str
) -> None:
    by = Policy(tool_rules=RULES)
    assert tool_action(by, tool, contained=False, command=command, path=path)[0] == action


def test_without_a_rule_containment_or_full_access_allows_and_else_a_person_is_asked() -> None:
    assert tool_action(DEFAULT, "Bash", contained=True)[0] == "allow"
    assert tool_action(DEFAULT, "Bash", contained=False)[0] == "ask"
    assert tool_action(policy.FULL_ACCESS, "Bash", contained=False)[0] == "allow"
    everything = Policy(tool_rules=({"tool": "*", "action": "deny"},))
    assert tool_action(everything, "Bash", contained=True)[0] == "deny"
