"""The tasks told without an agent that pictures are taken of."""

from __future__ import annotations

from shared.lifecycle import Status
from shared.store.models import Task
from tests.browser import spending, story
from tests.browser.captured import big_capture
from tests.installation import Installation


def pages(here: Installation) -> dict[str, str]:
    """Tasks for pictures; their pages by name."""
    spending.told(here)
    story.open_here(here)
    story.worker_and_runners()
    try:
        flooded, attempt = story.task("Run the whole suite until it is green", "shell", command="make test")
        story.flood(flooded, attempt, 2_000)
        changed, _ = story.task("Add a resume cursor to the websocket stream", status=Status.READY_FOR_REVIEW)
        big_capture(changed)
        Task.update(live_attempt=None).where(Task.number == changed.number).execute()
        asked, waiting = story.asks_a_question(), story.hub_test()
        paths = {"task": waiting, "task-question": asked, "task-output": flooded}
        found = {name: f"/ui/tasks/{row.id}" for name, row in paths.items()}
        return {
            **found,
            "changes": f"/ui/tasks/{changed.id}/changes?view=split",
            "changes-unified": f"/ui/tasks/{changed.id}/changes?view=unified",
            "costs": "/ui/costs?by=task",
            "policy": f"/ui/tasks/{waiting.id}/policy",
        }
    finally:
        story.close_here()


def refreshed(here: Installation) -> None:
    """The stand-in for a worker says that it still lives."""
    story.open_here(here)
    story.worker_and_runners()
    story.close_here()
