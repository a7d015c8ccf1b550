"""The policy report before the first start: what would hold here now, and what must not start at all."""

from __future__ import annotations

import dataclasses

from shared import fleet
from shared.policy import Policy
from shared.policy import report as policy_report
from tests.unit.web.conftest import Api

NOWHERE = {
    "name": "none",
    "works": False,
    "detail": "there is no bwrap.",
    "fix": ["sudo apt install bubblewrap"],
}
CONTAINED = {"name": "bubblewrap", "works": True, "detail": "bubblewrap.", "fix": []}


def found(containment: dict[str, object]) -> None:
    known = fleet.RunnerState("shell", True, "/bin/sh", capabilities={"containment": containment})
    fleet.publish_runners([known])


def test_a_new_task_says_what_would_hold_on_the_workers_known_now(api: Api) -> None:
    assert api.new()["policy_report"] == {}, "no worker has looked yet"
    found(CONTAINED)
    report = api.new()["policy_report"]
    assert list(report) == [field.name for field in dataclasses.fields(Policy)]
    assert report["workspace_access"][0] == "enforced"
    task = api.new()
    found(NOWHERE)
    assert api.get(f"/tasks/{task['id']}").json["policy_report"]["workspace_access"] == [
        "advisory",
        "Nothing contains the agent here: there is no bwrap.",
    ]
    (listed, *_) = api.get("/tasks").json
    assert listed["policy_report"]["network_mode"][0] == "advisory"


def test_what_is_required_and_cannot_be_kept_does_not_start_and_says_how_it_could(api: Api) -> None:
    found(NOWHERE)
    task = api.new(policy={"enforcement": "required"})
    refused = api.post(f"/tasks/{task['id']}/start")
    assert refused.status_code == 412
    assert "workspace_access" in refused.json["detail"]
    assert "sudo apt install bubblewrap" in refused.json["detail"]
    assert api.get(f"/tasks/{task['id']}").json["status"] == "queued"
    found(CONTAINED)
    assert api.post(f"/tasks/{task['id']}/start").status_code in (200, 202)


def test_limits_are_checked_for_their_size(api: Api) -> None:
    limits = {"max_memory_mib": 512, "max_disk_mib": 100, "max_processes": 64}
    assert limits.items() <= api.new(policy=limits)["policy"].items()
    for wrong in ({"max_memory_mib": 0}, {"max_disk_mib": -1}, {"max_processes": 1}):
        body = {"title": "t", "prompt": "", "runner": "shell", "command": "true", "policy": wrong}
        assert api.post("/tasks", body).status_code == 422


def test_the_tiers_of_the_table_are_those_a_worker_may_find() -> None:
    assert set(policy_report.TIERS) == {"bubblewrap", "landlock", "none"}
