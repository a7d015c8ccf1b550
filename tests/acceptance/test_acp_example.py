"""The example of a third-party runner: installed by entry point alone, its real program drives a whole task."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from openruntime.runners import CHECKS
from tests.agents import model_server
from tests.agents.site import ASK, Site, site
from tests.waiting import wait_until

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

EXAMPLE = Path(__file__).parents[2] / "examples/acp-runner"
ENTRY_POINT = "[openruntime.runners]\nopencode = openruntime_acp\n"
OFFLINE = dict.fromkeys(("OPENCODE_DISABLE_AUTOUPDATE", "OPENCODE_DISABLE_MODELS_FETCH"), "1")


def installed_into(folder: Path) -> Path:
    """The package as an installer lays it down."""
    about = folder / "openruntime_acp_runner-0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: openruntime-acp-runner\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(ENTRY_POINT)
    shutil.copy(EXAMPLE / "openruntime_acp.py", folder)
    return folder


def settings(address: str) -> str:
    """OpenCode's configuration: the scripted model and nothing else."""
    provider = {"anthropic": {"options": {"baseURL": f"{address}/v1", "apiKey": "dummy-key-0123456789"}}}
    chosen = {"model": "anthropic/claude-sonnet-4-5", "small_model": "anthropic/claude-sonnet-4-5"}
    return json.dumps({**chosen, "autoupdate": False, "share": "disabled", "provider": provider})


@pytest.fixture(scope="module")
def opencode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    packages = installed_into(tmp_path_factory.mktemp("packages"))
    with model_server.running() as model:
        given = {"OPENCODE_CONFIG_CONTENT": settings(model.address), "PYTHONPATH": str(packages), **OFFLINE}
        with site("opencode", **given) as made:
            made.model = model
            yield made


@pytest.mark.parametrize("check", CHECKS)
def test_the_example_conforms(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import openruntime_acp

    CHECKS[check](openruntime_acp, EXAMPLE / "transcripts")
    monkeypatch.delitem(sys.modules, "openruntime_acp")


def test_rules_that_ask_need_containment_because_it_does_not_ask_about_everything(opencode: Site) -> None:
    rules = {**ASK, "workspace_access": "full"}
    task_id = opencode.create("Do it.", policy=rules)
    refused = opencode.installation.post(f"/tasks/{task_id}/start")
    assert refused.status in (200, 202), refused.body
    wait_until(
        lambda: any("need containment" in event["message"] for event in opencode.events(task_id)),
        20,
        what="the refusal",
    )
    assert opencode.processes(task_id) == []


@pytest.mark.timeout(400)  # the program takes three seconds of a core to start, and starts twice
def test_it_works_asks_and_takes_a_reply(opencode: Site) -> None:
    turns = [
        {"call": "bash", "input": {"command": "echo one > made.txt", "description": "make"}},
        {"call": "bash", "input": {"command": "rm made.txt", "description": "remove"}},
        {"say": "Kept."},
    ]
    task_id = opencode.start(*turns, policy=ASK)
    for decision, command in (("allow", "echo one > made.txt"), ("deny", "rm made.txt")):
        question = opencode.asked(task_id)
        assert (question["tool"], question["command"]) == ("Bash", command)
        opencode.decide(task_id, question, decision)
    task = opencode.ended(task_id, "ready-for-review")
    assert task["current_attempt"]["outcome"] == "blocked"
    assert opencode.made(task_id, "made.txt").read_text() == "one\n"
    assert task["cost_ledger"]["tool_calls"] == 2
    opencode.reply(task_id, "And then?")
    opencode.ended(task_id, "ready-for-review", attempts=2)
    assert opencode.said(task_id) == ["Kept."], "the session was loaded, and went on behind the denied call"


@pytest.mark.slow
def test_an_interrupted_agent_goes_on_with_the_next_reply(opencode: Site) -> None:
    command = {"command": "sleep 300", "description": "wait"}
    task_id = opencode.start({"call": "bash", "input": command}, {"say": "Went on."})
    opencode.until(task_id, "running")
    opencode.reach_call(task_id)
    opencode.command(task_id, "interrupt")
    opencode.until(task_id, "needs-input")
    opencode.reply(task_id, "Go on.")
    opencode.ended(task_id, "completed")
    assert opencode.said(task_id)[-1] == "Went on."
    assert opencode.nothing_runs(task_id)
