"""Secrets on the pages: kept and forgotten among the settings, granted by workspaces and tasks, stopped at a landing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared import workspaces
from shared.lifecycle import Status
from shared.secrets import kept as kept_secrets
from shared.store.database import transaction
from shared.store.models import Command, Secret, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker

VALUE = "hunter2-hunter2"


def test_a_secret_is_kept_listed_and_forgotten_without_ever_showing_its_value(visitor: Visitor) -> None:
    kept = visitor.send("/ui/settings/secrets", {"name": "TOKEN", "value": f" {VALUE} "})
    assert (kept.status_code, kept.headers["Location"]) == (303, "/ui/settings")
    assert kept_secrets.values() == {"TOKEN": f" {VALUE} "}
    page = visitor.get("/ui/settings").text
    assert ("TOKEN" in page, VALUE in page) == (True, False)
    visitor.send("/ui/settings/secrets/TOKEN/forget")
    assert Secret.select().count() == 0


def test_an_unusable_secret_is_refused_on_its_form_without_its_value(visitor: Visitor) -> None:
    for name, value in (("PIN", "12345"), ("bad name", VALUE), ("GIT_DIR", VALUE)):
        answer = visitor.send("/ui/settings/secrets", {"name": name, "value": value, "back": "/ui/settings"})
        assert answer.status_code in (400, 422)
        assert value not in answer.text
        assert 'role="alert">' in answer.text
    assert Secret.select().count() == 0


def test_a_workspace_grants_by_name_and_ends_it(visitor: Visitor, tmp_path: Path) -> None:
    place = workspaces.register(str(tmp_path), tmp_path)
    for name in ("TOKEN", "TOKEN", "OTHER"):
        visitor.send(f"/ui/workspaces/{place.id}/grants", {"name": name})
    assert workspaces.get(place.id).defaults["env"] == ["TOKEN", "OTHER"]
    assert "the grant of OTHER" in visitor.get(f"/ui/workspaces/{place.id}/rules").text
    assert "2 grants" in visitor.get("/ui/workspaces").text
    visitor.send(f"/ui/workspaces/{place.id}/grants/TOKEN/end")
    assert workspaces.get(place.id).defaults["env"] == ["OTHER"]
    gone = visitor.upgraded(f"/ui/workspaces/{place.id}/grants/TOKEN/end")
    assert gone.status_code == 404


def test_the_composer_grants_a_task_by_name(visitor: Visitor, worker: PlayedWorker) -> None:
    fields = {"goal": "true", "runner": "shell", "env": "TOKEN, OTHER", "key": "k1", "preset": "default"}
    visitor.send("/ui/compose", fields)
    assert Task.get().options["env"] == ["TOKEN", "OTHER"]
    page = visitor.get(f"/ui/tasks/{Task.get().id}/policy").text
    assert "Granted by name: <code>TOKEN</code>, <code>OTHER</code>." in page


def test_a_form_with_a_kept_value_in_it_stores_its_place(visitor: Visitor) -> None:
    visitor.send("/ui/settings/secrets", {"name": "TOKEN", "value": VALUE})
    answer = visitor.send("/ui/compose", {"goal": f"echo {VALUE}", "runner": "shell", "key": "k2"})
    assert VALUE not in answer.text
    assert "write $TOKEN" in answer.text
    assert Task.select().count() == 0


def test_a_landing_with_secrets_shows_them_and_takes_a_persons_word(
    visitor: Visitor, api: Api, worker: PlayedWorker
) -> None:
    task = api.new()
    with transaction():
        Task.update(worktree_path="/w", base_commit="b" * 40, status=Status.READY_FOR_REVIEW).execute()
    bodies: list[dict[str, Any]] = []
    objection = {"kind": "secrets", "path": "a.txt", "why": "line 4: what looks like a github token"}
    checkout = {"kind": "checkout", "path": "b.txt", "why": "modified", "overridable": False}

    def look(command: Command) -> tuple[str, dict[str, Any]]:
        bodies.append(command.body)
        found = {"head_oid": "c" * 40, "target_oid": "d" * 40, "target_branch": "main", "files": []}
        blocking = [{**objection, "overridable": True}, *([checkout] if len(bodies) > 1 else [])]
        return "applied", {**found, "clean": False, "conflicts": [], "blocking": blocking}

    worker.answer = look
    page = visitor.get(f"/ui/tasks/{task['id']}/merge").text
    assert "A secret would land." in page
    assert "line 4: what looks like a github token" in page
    assert 'name="override" value="secrets"' in page
    assert "data-merge>" in page
    assert "data-merge disabled>" in visitor.get(f"/ui/tasks/{task['id']}/merge").text
    sent = {"head_oid": "c" * 40, "target_oid": "d" * 40, "override": "secrets"}
    visitor.send(f"/ui/tasks/{task['id']}/merge", sent)
    assert bodies[-1]["override"] == ["secrets"]
