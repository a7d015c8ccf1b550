"""Health, runners, workspaces, timelines, logs, attaching, and the OpenAPI document."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import peewee
import pytest
from openapi_spec_validator import validate

from shared import fleet, tasks, timeline
from shared.config import Config
from shared.events import Draft, Kind
from shared.store.database import close, database, transaction
from shared.store.models import Task
from tests.unit.web.conftest import HOST, Api
from web.app import Application
from web.reading import allow_writes, snapshot


def test_health_is_degraded_until_a_worker_lives(api: Api) -> None:
    answer = api.client.get("/health", headers={"Host": HOST})
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["storage"], answer.json["broker"]) == (
        "degraded",
        "sqlite",
        "sqlite",
    )  # type: ignore[index]
    fleet.register_worker("w", "0")
    found = api.get("/health").json
    assert (found["status"], len(found["workers"])) == ("ok", 1)
    assert found["version"]


def test_runners_stand_in_the_reference_systems_order(api: Api) -> None:
    found = api.get("/runners").json
    assert [runner["runner"] for runner in found] == ["codex", "claude-code", "shell"]
    assert [runner["available"] for runner in found] == [False, False, True]
    assert {"runner", "available", "command", "version", "detail", "capabilities"} == set(found[0])


def test_workspaces_are_registered_changed_and_forgotten(api: Api, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    made = api.post("/workspaces/register", {"path": str(tmp_path / "w")})
    assert made.status_code == 200
    assert (made.json["name"], made.json["path"]) == ("w", str((tmp_path / "w").resolve()))
    api.post("/workspaces/register", {"path": "w"})
    listed = api.get("/workspaces").json
    assert [item["path"] for item in listed] == [str(tmp_path.resolve()), str((tmp_path / "w").resolve())]
    path = f"/workspaces/{made.json['id']}"
    changed = api("PATCH", path, {"preset": "full-access", "verify": "make test"})
    assert changed.json["defaults"] == {"preset": "full-access", "verify": "make test"}
    assert api("PATCH", path, {"verify": None}).json["defaults"] == {"preset": "full-access"}
    assert api("PATCH", path, {"preset": "x"}).status_code == 422
    assert api.new(workspace="w")["preset"] == "full-access"
    assert api("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"), [({"path": "/nope"}, 400), ({"path": "/"}, 400), ({"path": " "}, 400), ({}, 422)]
)
def test_a_folder_that_cannot_be_a_workspace_is_refused(api: Api, body: dict[str, str], status: int) -> None:
    assert api.post("/workspaces/register", body).status_code == status


def test_choosing_a_folder_is_by_browsing(api: Api, tmp_path: Path) -> None:
    picked = api.post("/workspaces/pick")
    assert picked.status_code == 501
    assert "/workspaces/browse?path=" in picked.json["detail"]
    for name in ("b", ".hidden", "a"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = api.get(f"/workspaces/browse?path={tmp_path}").json
    assert [item["name"] for item in found["directories"]] == ["a", "b", "link", ".hidden"]
    assert found["parent"] == str(tmp_path.parent)
    for path in (tmp_path / "file", tmp_path / "nope", "/a%00b"):
        assert api.get(f"/workspaces/browse?path={path}").status_code == 400
    assert api.get("/workspaces/browse").status_code == 200


def add(task_id: str, *drafts: Draft) -> None:
    with transaction():
        timeline.append(tasks.get(task_id).number, list(drafts))


def test_a_timeline_is_paged_both_ways_and_filtered(api: Api) -> None:
    task = api.new()
    add(task["id"], *(Draft(Kind.STDOUT, f"line {n}", {"category": "runner-output"}) for n in range(9)))
    add(task["id"], Draft(Kind.STDERR, "Oh No"))
    path = f"/tasks/{task['id']}/events"

    def seqs(query: str) -> list[int]:
        return [event["seq"] for event in api.get(f"{path}?{query}").json]

    assert seqs("") == list(range(1, 12))
    assert seqs("after=3&limit=2") == [4, 5]
    assert seqs("before=5&limit=2") == [3, 4]
    assert seqs("before=1") == []
    assert seqs("kind=stderr") == [11]
    assert seqs("category=runner-output&limit=2&after=4") == [5, 6]
    assert seqs("q=oh%20no") == [11]
    assert seqs("after=11") == []
    following, seen = f"{path}?limit=4", []
    while following:
        answer = api.get(following)
        seen += [event["seq"] for event in answer.json]
        following = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert seen == list(range(1, 12))
    for wrong in ("after=-1", "after=x", "limit=0", "kind=x", "wait=21", f"after={2**64}"):
        assert api.get(f"{path}?{wrong}").status_code == 422, wrong


def test_a_long_poll_answers_as_soon_as_there_is_an_event(api: Api) -> None:
    task = api.new()
    path = f"/tasks/{task['id']}/events?after=1&wait=15"
    found: list[list[dict[str, object]]] = []
    poll = threading.Thread(target=lambda: found.append(api.get(path).json))
    poll.start()
    began = time.monotonic()
    add(task["id"], Draft(Kind.STDOUT, "now"))
    poll.join()
    assert time.monotonic() - began < 5
    assert [event["message"] for event in found[0]] == ["now"]


def test_a_long_poll_without_events_ends_empty_in_time(api: Api) -> None:
    task = api.new()
    began = time.monotonic()
    assert api.get(f"/tasks/{task['id']}/events?after=1&wait=0.3").json == []
    assert 0.25 < time.monotonic() - began < 3


def test_logs_hold_output_and_what_was_said_about_runner_and_session(api: Api) -> None:
    task = api.new()
    add(
        task["id"],
        Draft(Kind.LIFECYCLE, "Starting shell: true"),
        Draft(Kind.STDOUT, "out"),
        Draft(Kind.STDERR, "err"),
        Draft(Kind.INPUT, "in"),
        Draft(Kind.LIFECYCLE, "The Runner said"),
        Draft(Kind.ERROR, "runner error"),
        Draft(Kind.LIFECYCLE, "other"),
    )
    found = api.get(f"/tasks/{task['id']}/runner/logs").json
    assert set(found) == {"task_id", "runner", "session_id", "events", "message"}
    assert [event["message"] for event in found["events"]] == [
        "Starting shell: true",
        "out",
        "err",
        "The Runner said",
    ]


@pytest.mark.parametrize(
    ("runner", "session", "command"),
    [
        ("shell", None, None),
        ("claude-code", None, None),
        ("claude-code", "S-1", "claude --resume S-1"),
        ("codex", "S-1", "codex resume --include-non-interactive S-1"),
        ("codex", "a b", "codex resume --include-non-interactive 'a b'"),
    ],
)
def test_attach_gives_the_command_that_opens_the_session(
    api: Api, runner: str, session: str | None, command: str | None
) -> None:
    task = api.new(runner=runner)
    with transaction():
        Task.update(runner_session_id=session, execution_workspace="/e").execute()
    found = api.post(f"/tasks/{task['id']}/runner/attach").json
    assert (found["supported"], found["command"]) == (command is not None, command)
    assert set(found) == {"task_id", "runner", "session_id", "supported", "command", "message", "cwd", "env"}
    assert found["cwd"] == "/e"


def test_the_document_describes_every_route_of_the_api(api: Api, app: Application) -> None:
    document = api.get("/openapi.json").json
    listed = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    pages = {"/", "/login", "/logout", "/ws", "/static/<path:filename>", "/openapi.json"}
    routed = {
        f"{method} {rule.rule.replace('<', '{').replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule not in pages and not rule.rule.startswith("/ui/")
    }
    assert routed == listed


def test_the_openapi_document_is_valid(api: Api) -> None:
    document = api.get("/openapi.json").json
    validate(document)
    create = document["paths"]["/tasks"]["post"]
    stop = document["paths"]["/tasks/{id}/stop"]["post"]
    assert (create["requestBody"]["required"], stop["requestBody"]["required"]) == (True, False)
    assert "application/problem+json" in create["responses"]["default"]["content"]


def test_unknown_addresses_and_methods_are_problems(api: Api) -> None:
    assert api.get("/nowhere").json["status"] == 404
    wrong = api("DELETE", "/tasks")
    assert wrong.json["status"] == 405
    assert "POST" in wrong.headers["Allow"]


def test_a_locked_store_asks_to_come_back(api: Api, config: Config) -> None:
    import sqlite3

    other = sqlite3.connect(config.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept, database.timeout = database.timeout, 0.05
    try:
        answer = api.post("/tasks", {"title": "t", "prompt": "p", "runner": "shell", "command": "true"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert api.get("/tasks").status_code == 200
    finally:
        database.timeout = kept
        other.execute("ROLLBACK")
        other.close()


def test_an_unexpected_error_keeps_its_insides(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("a secret inside")

    monkeypatch.setattr(fleet, "runners", fail)
    answer = api.get("/runners")
    assert (answer.status_code, answer.json["slug"]) == (500, "internal-error")
    assert "secret" not in answer.text
    logged = [record for record in caplog.records if record.exc_info]
    assert len(logged) == 1
    assert answer.json["reference"] in logged[0].message


def test_a_snapshot_sees_one_moment(api: Api) -> None:
    task = api.new()
    with snapshot():
        before = Task.get().last_seq
        writer = threading.Thread(target=lambda: (add(task["id"], Draft(Kind.STDOUT, "x")), close()))
        writer.start()
        writer.join()
        assert Task.get().last_seq == before
    assert Task.get().last_seq == before + 1


def test_a_reading_connection_cannot_write(api: Api) -> None:
    allow_writes(False)
    try:
        with pytest.raises(peewee.OperationalError), transaction():
            Task.update(title="x").execute()
    finally:
        allow_writes(True)
