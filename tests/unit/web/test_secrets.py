"""Kept secrets over the API: values come in and never go out; a person's words do not carry them into the store."""

from __future__ import annotations

import json

import pytest

from shared.store.models import Command, Secret, Task
from tests.unit.web.conftest import Api

VALUE = "hunter2-hunter2"


def keep(api: Api, name: str = "TOKEN", value: str = VALUE) -> None:
    answer = api.post("/secrets", {"name": name, "value": value})
    assert answer.status_code == 200, answer.text
    assert value not in answer.text


def test_a_secret_is_kept_listed_by_name_and_forgotten(api: Api) -> None:
    keep(api)
    (row,) = api.get("/secrets").json
    assert (row["name"], row["readable"], set(row)) == (
        "TOKEN",
        True,
        {"name", "created_at", "updated_at", "readable"},
    )
    assert api("DELETE", "/secrets/TOKEN").status_code == 204
    assert api("DELETE", "/secrets/TOKEN").status_code == 404
    assert api.get("/secrets").json == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "PIN", "value": "12345"}, 400),
        ({"name": "PIN", "value": "123456\0"}, 400),
        ({"name": "PIN", "value": "x" * 70_000}, 400),
        ({"name": "bad name", "value": VALUE}, 422),
        ({"name": "LD_PRELOAD", "value": VALUE}, 422),
        ({"name": "OPENRUNTIME_X", "value": VALUE}, 422),
        ({"name": "PIN", "value": 123456}, 422),
        ({"name": "PIN"}, 422),
    ],
)
def test_an_unusable_secret_is_refused_without_its_value(
    api: Api, body: dict[str, object], status: int
) -> None:
    answer = api.post("/secrets", body)
    assert answer.status_code == status
    assert str(body.get("value", "\0"))[:6] not in answer.text
    assert Secret.select().count() == 0


def test_the_same_value_can_be_kept_under_a_second_name(api: Api) -> None:
    keep(api, "ONE")
    keep(api, "TWO")
    assert [row["name"] for row in api.get("/secrets").json] == ["ONE", "TWO"]


def test_a_kept_value_in_a_persons_words_is_stored_and_shown_as_its_place(api: Api) -> None:
    keep(api)
    task = api.new(title=f"Use {VALUE}", prompt=f"log in with {VALUE}", labels=[VALUE])
    place = "[secret TOKEN]"
    assert (task["title"], task["prompt"]) == (f"Use {place}", f"log in with {place}")
    assert VALUE not in json.dumps(Task.select().dicts().get(), default=str)


def test_a_command_that_holds_a_kept_value_leaves_no_task(api: Api) -> None:
    keep(api)
    answer = api.post(
        "/tasks", {"title": "t", "prompt": "", "runner": "shell", "command": f"curl -u {VALUE} localhost"}
    )
    assert answer.status_code == 400
    assert "write $TOKEN" in answer.json["detail"]
    assert VALUE not in answer.text
    assert (
        api.post("/tasks", {"title": "t", "prompt": "p", "runner": "codex", "verify": VALUE}).status_code
        == 400
    )
    assert Task.select().count() == 0


def test_a_reply_with_a_kept_value_is_stored_as_its_place(
    api: Api, running: dict[str, str], worker: object
) -> None:
    keep(api)
    worker.answer = lambda command: ("left", {})  # type: ignore[attr-defined]
    api.post(f"/tasks/{running['id']}/reply", {"message": f"it is {VALUE}", "mode": "queue"})
    bodies = [command.body for command in Command.select().where(Command.kind == "reply")]
    assert [body["message"] for body in bodies] == ["it is [secret TOKEN]"]


def test_a_start_without_its_grant_is_412_and_names_it(api: Api, worker: object) -> None:
    task = api.new(env=["NOT_THERE"])
    answer = api.post(f"/tasks/{task['id']}/start")
    assert (answer.status_code, "NOT_THERE" in answer.json["detail"]) == (412, True)
    keep(api, "NOT_THERE")
    assert api.post(f"/tasks/{task['id']}/start").status_code == 200
