"""Figures for Prometheus, presets, and lists in pages."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from shared import fleet
from shared.policy import PRESETS
from tests.unit.web.conftest import HOST, Api


def samples(api: Api) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    answer = api.get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_store(api: Api) -> None:
    task = api.new()
    api.new()
    api.post(f"/tasks/{task['id']}/start")
    fleet.register_worker("w", "0")
    found = samples(api)
    assert found["openruntime_tasks", (("status", "queued"),)] == 2
    assert found["openruntime_tasks", (("status", "failed"),)] == 0
    assert found["openruntime_attempts", (("status", "queued"),)] == 1
    assert found["openruntime_queue_depth", ()] == 1
    assert found["openruntime_workers", ()] == 1
    assert found["openruntime_events_total", ()] >= 3


def test_requests_are_counted_by_kind_of_address_not_by_id(api: Api) -> None:
    for _ in range(3):
        api.get(f"/tasks/{api.new()['id']}")
    api.get("/nowhere/at/all")
    api("BREW", "/tasks")
    api.client.get("/tasks", headers={"Host": HOST})
    found = samples(api)
    name = "openruntime_http_requests_total"
    assert found[name, (("method", "GET"), ("route", "api"), ("status", "200"))] == 3
    assert found[name, (("method", "POST"), ("route", "api"), ("status", "200"))] == 3
    assert found[name, (("method", "GET"), ("route", "unknown"), ("status", "404"))] == 1
    assert found[name, (("method", "GET"), ("route", "api"), ("status", "401"))] == 1
    assert [labels for kind, labels in found if kind == name and ("method", "other") in labels]
    assert found["openruntime_http_request_seconds_count", (("route", "api"),)] == 7


def test_presets_are_whole_policies(api: Api) -> None:
    found = api.get("/presets").json
    assert list(found) == list(PRESETS)
    for name, policy in found.items():
        assert api.new(policy=policy)["preset"] == name
    assert found["auto-review"]["require_approval"] is True


def test_short_lists_are_paged_too(api: Api, tmp_path: object) -> None:
    first = api.get("/runners?limit=2")
    assert [runner["runner"] for runner in first.json] == ["codex", "claude-code"]
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    last = api.get(following)
    assert [runner["runner"] for runner in last.json] == ["shell"]
    assert "Link" not in last.headers
    task = api.new()
    assert api.get(f"/tasks/{task['id']}/approvals?limit=1").json == []
    assert len(api.get("/workspaces?limit=1").json) == 1
    assert api.get("/workspaces?cursor=x").status_code == 422
