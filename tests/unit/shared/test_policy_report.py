"""How strong each field of a policy is said to be, in each tier and for each kind of runner."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from shared.policy import FULL_ACCESS, Policy, report
from shared.policy.report import Ground

FIELDS = [field.name for field in dataclasses.fields(Policy)]
CONTAINED = Ground("bubblewrap")
NOWHERE = Ground("none", "there is no program bwrap on PATH.", ("sudo apt install bubblewrap",))


@pytest.mark.parametrize("tier", report.TIERS)
@pytest.mark.parametrize("hosted", [False, True])
def test_every_field_has_a_strength_and_a_reason(tier: str, hosted: bool) -> None:
    found = report.of(Policy(), Ground(tier, "because.", hosted=hosted))
    assert list(found) == FIELDS
    assert {strength for strength, _ in found.values()} <= {"enforced", "advisory", "off"}
    assert all(reason.endswith((".", ")")) and reason[0].isupper() for _, reason in found.values())


def test_the_default_policy_s_boundaries_hold_for_a_contained_shell() -> None:
    found = report.of(Policy(), CONTAINED)
    boundaries = ("workspace_access", "network_mode", "allow_secrets", "allow_git_write")
    assert {found[name][0] for name in boundaries} == {"enforced"}
    assert found["enforcement"][0] == "off"


def test_a_folder_without_git_has_no_git_to_keep() -> None:
    found = report.of(Policy(), CONTAINED, "copy")
    assert found["allow_git_write"] == ("off", "The folder is in no git repository.")
    assert found["workspace_access"][1].startswith("Only the copy of the folder ")


def test_a_task_in_place_says_that_its_edits_are_immediate_whatever_contains_it() -> None:
    contained, open_to_all = (
        report.of(policy, ground, "in-place")["workspace_access"]
        for policy, ground in ((Policy(), CONTAINED), (Policy(workspace_access="full"), NOWHERE))
    )
    immediate = "It edits the folder itself, at once and before any review."
    assert contained == ("enforced", f"{immediate} Only the folder and the agent's home can be written; other"
                         " tasks and our data are not there.")  # fmt: skip
    assert open_to_all == ("off", f"{immediate} This policy asks for no containment.")


def test_without_containment_boundaries_are_advice_and_the_reason_says_why() -> None:
    found = report.of(Policy(), NOWHERE)
    assert found["workspace_access"] == (
        "advisory",
        "Nothing contains the agent here: there is no program bwrap on PATH.",
    )
    assert found["network_mode"][0] == found["allow_secrets"][0] == "advisory"


def test_full_access_asks_for_no_boundary() -> None:
    found = report.of(FULL_ACCESS, CONTAINED)
    assert {found[name][0] for name in report.BOUNDARIES} == {"off"}


def test_what_the_words_of_a_command_say_is_never_more_than_advice() -> None:
    for ground in (CONTAINED, NOWHERE):
        assert report.of(Policy(), ground)["blocked_commands"][0] == "advisory"


def test_rules_for_tools_hold_where_the_agent_asks() -> None:
    wanted = Policy(tool_rules=({"tool": "*", "action": "ask"},))
    asking = Ground("none", "x.", hosted=True, asks=True)
    assert report.of(wanted, asking)["tool_rules"][0] == "enforced"
    assert report.of(wanted, CONTAINED)["tool_rules"][0] == "advisory"


def test_what_is_required_and_only_advice_is_named_with_its_fix() -> None:
    required = Policy(enforcement="required")
    refusal = report.unkept(required, NOWHERE)
    assert refusal
    assert "workspace_access" in refusal
    assert "no program bwrap" in refusal
    assert "sudo apt install bubblewrap" in refusal
    assert report.unkept(required, CONTAINED) is None
    assert report.unkept(Policy(), NOWHERE) is None
    assert report.unkept(required, None) is None


def test_a_ground_is_read_from_what_a_worker_published() -> None:
    published = {
        "sessions": True,
        "approvals": True,
        "containment": {"name": "none", "works": False, "detail": "no bwrap.", "fix": ["do this"]},
    }
    assert report.on(published) == Ground(
        "none", "no bwrap.", ("do this",), hosted=True, asks=True, landlock=0
    )


def test_landlock_keeps_the_repository_from_the_agent_unless_its_git_may_write() -> None:
    shut = Ground("landlock")
    assert report.of(Policy(), shut)["allow_git_write"][0] == "enforced"
    strength, reason = report.of(Policy(allow_git_write=True), shut)["allow_git_write"]
    assert (strength, "found before a merge" in reason) == ("advisory", True)


def test_what_an_older_landlock_cannot_refuse_is_said_and_makes_it_advice_where_files_can_be_lost() -> None:
    without_scopes = report.of(Policy(), Ground("landlock", landlock=4))["workspace_access"]
    assert (without_scopes[0], "signal" in without_scopes[1]) == ("enforced", True)
    without_truncate = Ground("landlock", landlock=2)
    assert report.of(Policy(), without_truncate)["workspace_access"][0] == "advisory"
    assert report.unkept(Policy(enforcement="required"), without_truncate)


def test_a_better_tier_never_makes_a_field_weaker() -> None:
    order = ["off", "advisory", "enforced"]
    for field, by_tier in report.matrix().items():
        strengths = [order.index(by_tier[name]) for name in reversed(report.TIERS)]
        assert strengths == sorted(strengths), field


def test_the_documentation_has_the_same_table() -> None:
    text = (Path(__file__).parents[3] / "docs/policy.md").read_text()
    table = text.split("| field | bubblewrap | Landlock | none |")[1].split("\n\n")[0]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    found = {field: dict(zip(report.TIERS, strengths, strict=True)) for field, *strengths in rows}
    assert found == report.matrix()
