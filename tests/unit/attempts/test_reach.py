"""What an attempt is given of the network, worked out before anything runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from shared.config import Config
from shared.policy import NetworkMode, Policy
from workers.attempts import homes, proxying, reach
from workers.attempts.sandbox import Tier
from workers.runners import Context, claude, codex

BUBBLEWRAP = Tier("bubblewrap", True, "it works.")
LANDLOCK = Tier("landlock", True, "it works.")
LOCALHOST = Policy(network_mode=NetworkMode.LOCALHOST)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(tmp_path, tmp_path / "store", broker="redis://localhost:6380/0", port=8765)


@pytest.fixture(autouse=True)
def a_host_that_lets_us_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxying, "problem", lambda: None)


def hosts(policy: Policy, *names: str) -> Policy:
    return dataclasses.replace(policy, network_hosts=names)


def test_without_hosts_a_shell_has_an_empty_network_and_no_proxy(config: Config) -> None:
    found = reach.of(Policy(), BUBBLEWRAP, config)
    assert (found.network, found.launch, found.environment) == ("own", None, {})


def test_an_open_network_or_no_containment_is_the_host_s(config: Config) -> None:
    for policy, tier in (
        (Policy(allow_network=True), BUBBLEWRAP),
        (Policy(workspace_access="full"), BUBBLEWRAP),
        (Policy(), Tier("none", False, "nothing.")),
    ):
        assert reach.of(policy, tier, config).network == "shared"


def test_a_hosted_agent_reaches_its_model_wherever_that_is(config: Config) -> None:
    urls = [
        "https://llm.corp/v1",
        "http://localhost:11434",
        "http://10.0.0.5:81",
        "nonsense",
        "https://llm.corp/v2",
    ]
    found = reach.of(Policy(), BUBBLEWRAP, config, hosted=True, model_urls=urls)
    assert found.launch is not None
    assert found.launch["model"] == [("llm.corp", 443), ("localhost", 11434), ("10.0.0.5", 81)]
    assert found.launch["forwards"] == [("localhost", 11434)]
    assert found.environment["HTTPS_PROXY"] == found.environment["http_proxy"] == "http://127.0.0.1:3128"
    assert found.line == (
        "enforced",
        "Through our proxy it reaches llm.corp:443, localhost:11434, 10.0.0.5:81 (its model); nothing else.",
    )


def test_ports_of_this_host_need_their_mode_and_ours_never_open(config: Config) -> None:
    listed = ("packages.example", "localhost:5432", "127.0.0.1:8765", "localhost:6380")
    found = reach.of(hosts(LOCALHOST, *listed), BUBBLEWRAP, config)
    assert found.launch is not None
    assert found.launch["listed"] == [("packages.example", None), ("localhost", 5432)]
    assert found.launch["forwards"] == [("localhost", 5432)]
    assert found.launch["ours"] == [6380, 8765]
    assert found.line is not None
    assert "Not reachable: 127.0.0.1:8765, localhost:6380" in found.line[1]
    shut = reach.of(hosts(Policy(), *listed), BUBBLEWRAP, config)
    assert shut.launch is not None
    assert shut.launch["forwards"] == []
    assert shut.launch["listed"] == [("packages.example", None)]


def test_the_proxy_steps_aside_for_a_forwarded_port_and_junk_opens_nothing(config: Config) -> None:
    found = reach.of(hosts(LOCALHOST, "localhost:3128", "https://junk/"), BUBBLEWRAP, config)
    assert found.launch is not None
    assert found.launch["port"] == 3129
    assert found.launch["listed"] == [("localhost", 3128)]


def test_what_cannot_be_had_is_said(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reach.of(Policy(), LANDLOCK, config, hosted=True, model_urls=["https://a"]).network == "shared"
    assert reach.of(Policy(), LANDLOCK, config).network == "own"
    assert reach.of(Policy(), BUBBLEWRAP, config, hosted=True).network == "shared", (
        "it does not say where its model is"
    )
    monkeypatch.setattr(proxying, "problem", lambda: "no way in.")
    agent = reach.of(Policy(), BUBBLEWRAP, config, hosted=True, model_urls=["https://a"])
    assert (agent.network, agent.line and agent.line[0]) == ("shared", "advisory")
    shell = reach.of(hosts(Policy(), "packages.example"), BUBBLEWRAP, config)
    assert (shell.network, shell.launch) == ("own", None)
    assert "no way in." in str(shell.line)


@pytest.mark.parametrize(
    ("environment", "settings", "urls"),
    [
        ({}, {}, ["https://api.anthropic.com", "https://platform.claude.com"]),
        ({"ANTHROPIC_BASE_URL": "http://gate"}, {}, ["http://gate"]),
        ({"ANTHROPIC_BASE_URL": "http://a"}, {"env": {"ANTHROPIC_BASE_URL": "http://b"}}, ["http://b"]),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, {}, ["https://bedrock-runtime.us-east-1.amazonaws.com"]),
        ({"CLAUDE_CODE_USE_VERTEX": "1", "CLOUD_ML_REGION": "europe-west1"}, {"env": []},
         ["https://europe-west1-aiplatform.googleapis.com", "https://oauth2.googleapis.com"]),
    ],
)  # fmt: skip
def test_claude_s_model_is_where_the_person_s_settings_say(
    environment: dict[str, str], settings: dict[str, object], urls: list[str]
) -> None:
    assert claude.model_urls(environment, {"settings.json": settings}) == urls


@pytest.mark.parametrize(
    ("config", "urls"),
    [
        ({}, list(codex.OPENAI)),
        (
            {"model_provider": "own", "model_providers": {"own": {"base_url": "http://own/v1"}, "odd": 3}},
            ["http://own/v1"],
        ),
        ({"model_providers": {"own": {"base_url": "http://own/v1"}}}, ["http://own/v1", *codex.OPENAI]),
        ({"chatgpt_base_url": "https://chat", "model_providers": []}, ["https://chat", *codex.OPENAI]),
        ({"model_provider": "own"}, list(codex.OPENAI)),
    ],
)
def test_codex_s_model_is_where_the_person_s_settings_say(config: dict[str, object], urls: list[str]) -> None:
    assert codex.model_urls({}, {"config.toml": config}) == urls


def test_settings_are_read_from_the_person_s_own_home_and_junk_counts_as_none(tmp_path: Path) -> None:
    context = Context("t", "a", "goal", "", str(tmp_path), Policy())
    start = codex.start(context)
    (tmp_path / "config.toml").write_text('model_provider = "own"\n')
    env = {"HOME": "/nowhere", "CODEX_HOME": str(tmp_path)}
    assert homes.settings(start, env) == {"config.toml": {"model_provider": "own"}}
    (tmp_path / "config.toml").write_text("= junk")
    assert homes.settings(start, env) == {"config.toml": {}}
