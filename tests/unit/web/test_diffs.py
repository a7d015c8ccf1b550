"""What differs between two states of a task, with the test as worker; and the captures and turns they come from."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from shared import attempts, commands, tasks
from shared.commands import CommandKind
from shared.review import comparisons, landings, marking, points, turns
from shared.review.comparisons import ComparisonRecord
from shared.review.landings import CaptureRecord
from shared.store.database import transaction
from shared.store.models import Attempt, Capture, Command, Task
from tests.unit.web.conftest import Api, PlayedWorker
from tests.unit.web.test_review import ONE, TWO, ended, file

NOBODY = "00000000-0000-4000-8000-000000000000"


def captured(tree: str, base: str = "b") -> Capture:
    patch = ONE if tree == "1" else ONE + TWO
    files = [file("a.txt", new_blob=tree * 40), file("b", status="added")][: 1 if tree == "1" else 2]
    record = CaptureRecord(base * 40, "c" * 40, tree * 40, "stat", files, patch, False, [])
    return landings.keep_capture(Task.get(), record, why="end")


def attempt(*trees: str) -> list[Capture]:
    """An attempt of the task with a turn that ends with each of these trees."""
    task = Task.get()
    tasks.request_start(task)
    attempts.claim_next("w1", 8)  # unless the played worker was faster
    claimed = Attempt.get(Attempt.task == task.number, Attempt.finished_at.is_null())
    last, ends = landings.latest_capture(task), []
    for tree in trees:
        turns.begin(claimed, str(uuid4()), last.id if last is not None else None)
        ends.append(last := captured(tree))
    attempts.finish(claimed, attempts.Ending(attempts.Status.READY_FOR_REVIEW, capture=ends[-1].id))
    return ends


def comparing(worker: PlayedWorker) -> list[dict[str, Any]]:
    """The worker makes comparisons whose patch is TWO; what it was asked is in the list."""
    asked: list[dict[str, Any]] = []

    def answer(command: Command) -> tuple[str, dict[str, Any]]:
        asked.append(command.body)
        pair = points.pair(tasks.get(command.task.id), command.body["from"], command.body["to"])
        record = ComparisonRecord("o" * 40, "n" * 40, "one", [file("b", status="added")], TWO, False)
        return "applied", {"comparison": comparisons.keep(pair, record).id}

    worker.claims, worker.answer = False, answer
    return asked


def test_what_differs_between_two_states_is_asked_of_a_worker_once(api: Api, worker: PlayedWorker) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"
    asked = comparing(worker)
    first, second = captured("1"), captured("2")
    found = api.get(f"{path}?from={first.id}").json
    assert (found["patch"], found["stat"], [one["path"] for one in found["files"]]) == (
        TWO.decode(),
        "one",
        ["b"],
    )
    assert (found["from"], found["to"], found["note"]) == (first.id, second.id, None)
    assert (found["base_oid"], found["head_oid"]) == ("c" * 40, "c" * 40)
    assert api.get(f"{path}?from={first.id}&path=b").json["patch"] == TWO.decode()
    assert api.get(f"{path}?from={first.id}&path=a.txt").status_code == 404
    assert asked == [{"from": first.id, "to": second.id}]
    assert api.get(path).json["patch_b64"]  # the whole change is the latest capture, as ever


def test_a_review_that_goes_on_is_another_comparison(api: Api, worker: PlayedWorker) -> None:
    path = f"/tasks/{ended(api)['id']}/diff?from=review"
    asked = comparing(worker)
    row = captured("2")
    assert api.get(path).json["base_oid"] is None
    marking.mark(Task.get(), row, row.files[0], "owner")
    api.get(path)
    api.get(path)
    assert asked == [{"from": "review", "to": row.id}] * 2


def test_turns_and_attempts_name_states(api: Api, worker: PlayedWorker) -> None:
    id = ended(api)["id"]
    asked = comparing(worker)
    (one, two), (three,) = attempt("1", "2"), attempt("3")
    for words, wanted in {
        "from=turn": (two.id, three.id),
        "from=before-attempt-1&to=attempt-1": ("base", two.id),
        "from=attempt-1&to=before-attempt-2": (two.id, two.id),
        "from=attempt-1&to=attempt-2": (two.id, three.id),
    }.items():
        found = api.get(f"/tasks/{id}/diff?{words}").json
        assert (found["from"], found["to"]) == wanted, words
    assert {tuple(body.values()) for body in asked} == {
        (two.id, three.id),
        (two.id, two.id),
        ("base", two.id),
    }
    listed = api.get(f"/tasks/{id}/turns").json
    assert [(turn["number"], turn["attempt"], turn["ended_with"]) for turn in listed] == [
        (1, 1, one.id), (2, 1, two.id), (3, 2, three.id),
    ]  # fmt: skip
    shown = api.get(f"/tasks/{id}/captures").json
    assert [(row["id"], row["attempt"], row["turn"], row["files"]) for row in shown] == [
        (one.id, 1, 1, 1), (two.id, 1, 2, 2), (three.id, 2, 3, 2),
    ]  # fmt: skip
    assert (shown[0]["why"], shown[0]["has_patch"], shown[2]["additions"]) == ("end", True, 2)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("from=yesterday", 400), ("to=attempt-0", 400), ("from=base&to=base", 400), ("from=", 400),
        (f"from={NOBODY}", 404), ("to=attempt-7", 404), ("from=before-attempt-7", 404), ("from=turn", 409),
        (f"from={'x' * 90}", 422),
    ],
)  # fmt: skip
def test_a_word_that_names_no_state_is_refused_in_one_sentence(api: Api, words: str, status: int) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"
    captured("1")
    answer = api.get(f"{path}?{words}")
    assert (answer.status_code, bool(answer.json["detail"])) == (status, True)
    assert Command.select().count() == 0


def test_before_the_first_capture_there_is_nothing_to_compare(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}"
    assert api.get(f"{path}/diff?from=review").status_code == 409
    assert (api.get(f"{path}/captures").json, api.get(f"{path}/turns").json) == ([], [])


def test_what_a_worker_refuses_is_answered_and_what_it_has_not_done_is_pending(
    api: Api, worker: PlayedWorker
) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"
    first, _ = captured("1"), captured("2")
    worker.claims = False
    worker.answer = lambda command: (
        "refused",
        {"status": 409, "detail": "Gone.", "slug": "conflict", "title": "x"},
    )
    answer = api.get(f"{path}?from={first.id}")
    assert (answer.status_code, answer.json["detail"]) == (409, "Gone.")


def test_without_a_worker_the_comparison_is_pending(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"
    first, _ = captured("1"), captured("2")
    answers = [api.get(f"{path}?from={first.id}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert len({answer.json["pending_command"]["id"] for answer in answers}) == 1


def test_a_comparison_under_way_is_waited_for_and_not_made_twice(api: Api) -> None:
    id = ended(api)["id"]
    first, _ = captured("1"), captured("2")
    asked = landings.request_work(Task.get(), CommandKind.COMPARE, {"from": first.id, "to": "latest"})
    assert commands.take(asked.id, "w1") is not None
    again = landings.request_work(tasks.get(id), CommandKind.COMPARE, {"from": first.id, "to": "latest"})
    assert again.id == asked.id


def test_where_the_work_was_rebased_in_between_the_answer_says_so(api: Api, worker: PlayedWorker) -> None:
    path = f"/tasks/{ended(api)['id']}/diff"
    comparing(worker)
    first, _ = captured("1"), captured("2", base="d")
    assert "rebased" in api.get(f"{path}?from={first.id}").json["note"]
    with transaction():
        Task.update(base_commit="d" * 40).execute()
    assert api.get(f"{path}?from=base").json["note"] is None
