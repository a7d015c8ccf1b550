"""Archiving and deleting from pages: what is asked, what is said, and what may not go."""

from __future__ import annotations

from typing import Any

from shared import archive, deletion
from shared.commands import CommandKind
from shared.lifecycle import Status
from shared.review import landings
from shared.store.database import transaction
from shared.store.models import Command, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api, PlayedWorker

STAT = " a.txt | 2 +-\n 2 files changed, 3 insertions(+), 1 deletion(-)\n"


def ended(api: Api, **fields: Any) -> str:
    id = str(api.new(title="Tidy <b>up</b>")["id"])
    with transaction():
        Task.update(status=Status.COMPLETED, live_attempt=None, **fields).where(Task.id == id).execute()
    return id


def at_work(worker: PlayedWorker) -> list[tuple[str, dict[str, Any]]]:
    """The played worker cleans up and deletes, as a real one does after the files; what it was asked."""
    asked: list[tuple[str, dict[str, Any]]] = []

    def answer(command: Command) -> tuple[str, dict[str, Any]]:
        asked.append((command.kind, command.body))
        task = Task.get_by_id(command.task_id)
        if command.kind == CommandKind.CLEANUP:
            if not command.body["force"]:
                return "refused", {"status": 409, "detail": "The task's changes are not merged."}
            landings.cleaned(task, "Removed the worktree")
            return "applied", {"recovery_ref": archive.recovery_ref(task.id)}
        (deletion.forget if command.body.get(deletion.FOR_GOOD) else deletion.hide)(task)
        return "applied", {}

    worker.answer = answer
    return asked


def test_an_archived_task_is_found_among_the_archived_and_put_back(visitor: Visitor, api: Api) -> None:
    id = ended(api)
    assert f"/ui/tasks/{id}/archive" in visitor.get("/").text
    answer = visitor.send(f"/ui/tasks/{id}/archive", {"back": "/"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/?notice=archived&task={id}")
    board = visitor.get(answer.headers["Location"]).text
    assert f'id="card-{id}"' not in board
    assert "Archived “Tidy &lt;b&gt;up&lt;/b&gt;”." in board
    assert f'action="/ui/tasks/{id}/unarchive"' in board
    assert f'id="card-{id}"' in visitor.get("/?archived=1").text
    answer = visitor.send(f"/ui/tasks/{id}/unarchive", {"back": "/?archived=1"})
    assert answer.headers["Location"] == f"/?notice=restored&task={id}"
    assert f'id="card-{id}"' in visitor.get("/").text
    assert f'id="card-{id}"' not in visitor.get("/?archived=1").text


def test_the_archive_shows_tasks_of_any_age(visitor: Visitor, api: Api) -> None:
    id = ended(api)
    archive.set_archived(Task.get(Task.id == id), True)
    Task.update(updated_at=1).where(Task.id == id).execute()
    assert f'id="card-{id}"' in visitor.get("/?archived=1").text


def test_putting_a_task_back_on_its_page_stays_there(visitor: Visitor, api: Api) -> None:
    id = ended(api)
    archive.set_archived(Task.get(Task.id == id), True)
    assert ">Archived</span>" in visitor.get(f"/ui/tasks/{id}").text
    answer = visitor.send(f"/ui/tasks/{id}/unarchive", {"back": f"/ui/tasks/{id}"})
    assert answer.headers["Location"] == f"/ui/tasks/{id}"


def test_an_upgraded_form_gets_the_notice_with_its_undo(visitor: Visitor, api: Api) -> None:
    id = ended(api)
    answer = visitor.upgraded(f"/ui/tasks/{id}/archive")
    assert answer.text.lstrip().startswith('<div id="notice"')
    assert f"/ui/tasks/{id}/unarchive" in answer.text
    assert id in answer.headers["HX-Trigger"]


def test_a_live_task_is_neither_archived_nor_deleted(visitor: Visitor, running: dict[str, Any]) -> None:
    id = running["id"]
    refused = visitor.send(f"/ui/tasks/{id}/archive", {"back": f"/ui/tasks/{id}"})
    assert (refused.status_code, "stop it before it is archived" in refused.text) == (409, True)
    assert "Stop it, then delete it." in visitor.get(f"/ui/tasks/{id}/delete").text
    refused = visitor.send(f"/ui/tasks/{id}/delete", {"back": f"/ui/tasks/{id}/delete", "force": "1"})
    assert (refused.status_code, "stop it before it is deleted" in refused.text) == (409, True)
    assert Command.select().count() == 0


def test_deletion_names_what_goes_and_what_stays(visitor: Visitor, api: Api) -> None:
    id = ended(api, worktree_path="/data/worktrees/x", branch="openruntime/x", diff_stat=STAT)
    page = visitor.get(f"/ui/tasks/{id}/delete").text
    for said in ("/data/worktrees/x", "openruntime/x", "2 changed files that are not merged", "for 30 days",
                 f"refs/openruntime/recovery/{id}", "1 event"):  # fmt: skip
        assert said in page
    assert visitor.get(f"/ui/tasks/{id}").status_code == 200, "asking deletes nothing"


def test_a_task_without_a_worktree_is_deleted_and_said_so(
    visitor: Visitor, api: Api, worker: PlayedWorker
) -> None:
    asked = at_work(worker)
    id = ended(api)
    answer = visitor.send(f"/ui/tasks/{id}/delete", {"back": f"/ui/tasks/{id}/delete"})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/?notice=deleted&task={id}")
    board = visitor.get(answer.headers["Location"]).text
    assert "Deleted “Tidy &lt;b&gt;up&lt;/b&gt;”." in board
    assert [kind for kind, _ in asked] == ["delete"]
    assert visitor.get(f"/ui/tasks/{id}").status_code == 404
    assert f'action="/ui/deleted/{id}/restore"' in board
    back = visitor.send(f"/ui/deleted/{id}/restore", {"back": "/"})
    assert (back.status_code, back.headers["Location"]) == (303, f"/ui/tasks/{id}")
    assert visitor.get(f"/ui/tasks/{id}").status_code == 200
    assert "Deleted" not in visitor.get(answer.headers["Location"]).text, "the notice is over"


def test_a_deleted_task_is_deleted_for_good_from_the_archive(
    visitor: Visitor, api: Api, worker: PlayedWorker
) -> None:
    at_work(worker)
    id = ended(api)
    deletion.hide(Task.get(Task.id == id))
    shown = visitor.get("/?archived=1").text
    assert "Deleted tasks" in shown
    assert f"/ui/deleted/{id}/forget" in shown
    answer = visitor.send(f"/ui/deleted/{id}/forget", {"back": "/?archived=1"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?archived=1")
    assert id not in visitor.get("/?archived=1").text
    refused = visitor.send(f"/ui/deleted/{id}/restore", {"back": "/?archived=1"})
    assert (refused.status_code, "No such task is deleted." in refused.text) == (404, True)


def test_unmerged_work_goes_only_when_that_was_said(visitor: Visitor, api: Api, worker: PlayedWorker) -> None:
    asked = at_work(worker)
    id = ended(api, worktree_path="/data/worktrees/x", diff_stat=STAT)
    back = {"back": f"/ui/tasks/{id}/delete"}
    refused = visitor.send(f"/ui/tasks/{id}/delete", back)
    assert (refused.status_code, "are not merged." in refused.text) == (409, True)
    assert Task.select().where(Task.id == id).exists()
    answer = visitor.send(f"/ui/tasks/{id}/delete", {**back, "force": "1"})
    assert answer.headers["Location"] == f"/?notice=deleted&task={id}"
    assert asked == [("cleanup", {"force": False}), ("cleanup", {"force": True}), ("delete", {})]


def test_without_a_worker_a_worktree_stays_and_a_plain_task_waits(visitor: Visitor, api: Api) -> None:
    kept = ended(api, worktree_path="/data/worktrees/x")
    refused = visitor.send(f"/ui/tasks/{kept}/delete", {"back": f"/ui/tasks/{kept}/delete", "force": "1"})
    assert (refused.status_code, "No worker is running" in refused.text) == (412, True)
    assert Command.select().count() == 0
    answer = visitor.send(f"/ui/tasks/{ended(api)}/delete")
    assert answer.headers["Location"] == "/?notice=deleting"


def test_a_notice_says_nothing_that_came_with_the_address(visitor: Visitor, api: Api) -> None:
    for query in ("notice=deleted&task=evil%20words", "notice=archived&task=x", "notice=evil&task=words"):
        page = visitor.get(f"/?{query}").text
        assert "evil" not in page
        assert '<div id="notice" role="status"></div>' in page
