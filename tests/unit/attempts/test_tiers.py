"""Which tier a task gets, and what it reaches where only ports can be told apart."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from shared.config import Config, from_env
from shared.errors import NotReady
from shared.policy import FULL_ACCESS, NetworkMode, Policy
from workers.attempts import reach, sandbox
from workers.attempts.sandbox import Tier
from workers.attempts.starting import _installation

LANDLOCK = Tier("landlock", True, "Landlock.", landlock=7)
MODEL = ["https://api.example.com/v1"]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return from_env({"PORT": "8123"}, data=tmp_path)


def ports(config: Config, policy: Policy, tier: Tier = LANDLOCK, **about: Any) -> tuple[int, ...]:
    return reach.of(policy, tier, config, **about).ports


def test_an_agent_reaches_its_model_s_port_and_says_that_hosts_are_not_told_apart(config: Config) -> None:
    found = reach.of(Policy(), LANDLOCK, config, hosted=True, model_urls=MODEL)
    assert (found.ports, found.shared, found.launch) == ((443,), False, None)
    assert found.line is not None
    assert found.line[0] == "advisory"


def test_listed_hosts_add_their_ports_and_this_machine_s_only_in_their_mode(config: Config) -> None:
    listed = Policy(network_hosts=("db.example.com:5433", "example.com", "localhost:5432", "localhost:8123"))
    assert ports(config, listed) == (80, 443, 5433)
    local = dataclasses.replace(listed, network_mode=NetworkMode.LOCALHOST)
    assert ports(config, local) == (80, 443, 5432, 5433), "never our own"


def test_with_nothing_listed_a_shell_gets_no_network(config: Config) -> None:
    found = reach.of(Policy(), LANDLOCK, config)
    assert (found.ports, found.shared, found.line) == ((), False, None)


def test_where_ports_cannot_be_told_apart_only_an_agent_with_a_model_has_a_network(config: Config) -> None:
    old = dataclasses.replace(LANDLOCK, landlock=3)
    assert reach.of(Policy(), old, config, hosted=True, model_urls=MODEL).shared
    assert not reach.of(Policy(network_hosts=("example.com",)), old, config).shared
    assert reach.of(Policy(), LANDLOCK, config, hosted=True, model_urls=None).shared


def test_a_tier_that_was_asked_for_and_does_not_work_starts_nothing_contained(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    wanted = dataclasses.replace(config, containment="bubblewrap")
    sandbox.tier.cache_clear()
    try:
        with pytest.raises(NotReady, match="OPENRUNTIME_CONTAINMENT asks for bubblewrap"):
            sandbox.chosen(Policy(), wanted)
        assert sandbox.chosen(FULL_ACCESS, wanted).name == "none"
    finally:
        sandbox.tier.cache_clear()
    assert sandbox.chosen(Policy(), dataclasses.replace(config, containment="none")).name == "none"


def test_a_program_that_lies_right_in_home_does_not_open_all_of_home(tmp_path: Path) -> None:
    program = tmp_path / "agent"
    program.touch()
    assert _installation(str(program), tmp_path) == [program]
    (tmp_path / "tools").mkdir()
    assert _installation(str(tmp_path / "tools/agent"), tmp_path) == [tmp_path / "tools"]
    assert _installation("/bin/sh", tmp_path)[0] == Path("/bin")
