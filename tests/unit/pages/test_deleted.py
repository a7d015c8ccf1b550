"""A deleted task is in no answer of any route, until it is put back."""

from __future__ import annotations

import pytest

from shared import deletion, tasks
from shared.clock import now
from shared.lifecycle import Status
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api
from web.app import Application

TITLE = "Unmistakable heron"
#: The record of what was done, and the list of what can be put back.
TELLS = ("/audit", "/audit/export", "/ui/audit", "/deleted-tasks")


@pytest.fixture
def deleted(api: Api) -> str:
    """A task with whatever lists read: a session, costs, events."""
    id = str(api.new(title=TITLE, workspace=None)["id"])
    api.post(f"/tasks/{id}/start")
    with transaction():
        Task.update(
            status=Status.COMPLETED, live_attempt=None, runner_session_id="s-1", ledger={"input_tokens": 7}
        ).where(Task.id == id).execute()
        Attempt.update(cost={"input_tokens": 7}, started_at=now(), runner_session_id="s-1").execute()
    deletion.hide(tasks.get(id))
    return id


def gets(app: Application) -> list[str]:
    return sorted(rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set()))


def test_no_list_page_or_count_knows_a_deleted_task(
    app: Application, visitor: Visitor, api: Api, deleted: str
) -> None:
    paths = [path for path in gets(app) if "<" not in path and path not in TELLS]

    def telling() -> set[str]:
        found = set()
        for path in paths:
            get = visitor.get if path.startswith("/ui") or path == "/" else api.get
            text = get(path).text + get(f"{path}?q=heron&by=task").text
            if TITLE in text or deleted in text:
                found.add(path)
        return found

    assert telling() == set()
    deletion.put_back(deletion.find(deleted))
    assert telling() >= {"/", "/tasks", "/search", "/costs", "/ui/search", "/ui/costs"}


def test_nothing_of_a_deleted_task_is_found_by_its_id(
    app: Application, visitor: Visitor, api: Api, deleted: str
) -> None:
    ways = [
        path for path in gets(app) if path.startswith(("/tasks/<id>", "/ui/tasks/<id>", "/ui/board/card"))
    ]
    assert len(ways) > 20
    for path in ways:
        address = path.replace("<id>", deleted)
        address = address.replace("<blob>", "0" * 40).replace("<comment_id>", deleted)
        get = visitor.get if path.startswith("/ui") else api.get
        assert get(address).status_code in (400, 404, 422), path
