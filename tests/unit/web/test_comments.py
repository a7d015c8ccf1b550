"""Comments on lines over the API: drafts, one message of them, and what became of each."""

from __future__ import annotations

from shared.store.models import Attempt, Task
from tests.unit.web.changed import capture, ended, file
from tests.unit.web.conftest import Api

PATCH = (
    b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n+2.5\n three\n"
)
MOVED = (
    b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,4 @@\n+zero\n one\n-two\n+2\n three\n"
)


def test_comments_quote_the_lines_they_are_about_and_are_outdated_when_these_change(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/comments"
    capture([file("a.txt")], PATCH)
    said = {"path": "a.txt", "line": 2, "body": " Why? "}
    made = api.post(path, said).json
    assert (made["quote"], made["body"], made["state"], made["outdated"]) == ("2", "Why?", "draft", False)
    assert api.post(path, {**said, "last_line": 3}).json["quote"] == "2\n2.5"
    assert api.post(path, {**said, "side": "old"}).json["quote"] == "two"
    capture([file("a.txt", new_blob="9" * 40)], MOVED, "t2")
    assert [one["outdated"] for one in api.get(path).json] == [False, True, False]
    assert [one["line"] for one in api.get(path).json] == [3, 2, 2]
    capture([], b"", "t3")
    assert [one["outdated"] for one in api.get(path).json] == [True, True, True]
    assert len(api("DELETE", f"{path}/{made['id']}").json) == 2
    assert api("DELETE", f"{path}/{made['id']}").status_code == 404


def test_a_comment_that_can_be_about_nothing_is_refused_and_leaves_nothing(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/comments"
    said = {"path": "a.txt", "line": 2, "body": "x"}
    assert api.post(path, said).status_code == 404
    capture([file("a.txt")], PATCH)
    refused = [
        ({"line": 9}, 400), ({"last_line": 1}, 400), ({"last_line": 900}, 400), ({"path": "b"}, 404),
        ({"line": 0}, 422), ({"body": " "}, 422), ({"body": "x" * 4001}, 422), ({"side": "left"}, 422),
    ]  # fmt: skip
    for wrong, status in refused:
        assert api.post(path, {**said, **wrong}).status_code == status, wrong
    assert api.get(path).json == []


def test_drafts_are_sent_once_as_one_message(api: Api) -> None:
    task = ended(api)
    path = f"/tasks/{task['id']}/comments"
    capture([file("a.txt")], PATCH)
    api.post(path, {"path": "a.txt", "line": 2, "last_line": 3, "body": "Round it."})
    api.post(path, {"path": "a.txt", "line": 2, "side": "old", "body": "Was better."})
    shell = api.post(f"{path}/send")
    assert (shell.status_code, "no agent" in shell.json["detail"]) == (409, True)
    Task.update(runner="codex").execute()
    assert api.post(f"{path}/send").status_code == 409  # there is no session to resume
    assert {one["state"] for one in api.get(path).json} == {"draft"}
    Task.update(runner_session_id="s1").execute()
    sent = api.post(f"{path}/send")
    assert (sent.status_code, sent.json["delivery"]) == (202, "session-resume")
    told = Attempt.get(Attempt.id == Task.get().live_attempt).message
    assert told == (
        "There are 2 review comments on your changes.\n\n1. a.txt, lines 2 to 3:\n> 2\n> 2.5\nRound it.\n\n"
        "2. a.txt, line 2 of the version before your changes:\n> two\nWas better."
    )
    assert {one["state"] for one in api.get(path).json} == {"sent"}
    assert "no draft" in api.post(f"{path}/send").json["detail"]


def test_a_draft_is_edited_and_a_sent_comment_is_not(api: Api) -> None:
    path = f"{sendable(api)}/comments"
    capture([file("a.txt")], PATCH)
    made = api.post(path, {"path": "a.txt", "line": 2, "body": "Why?"}).json
    one = f"{path}/{made['id']}"
    edited = api("PATCH", one, {"body": " Why 2? "}).json
    assert (edited["body"], bool(edited["edited_at"]), edited["quote"]) == ("Why 2?", True, "2")
    assert api("PATCH", one, {"body": " "}).status_code == 422
    assert api("PATCH", f"{path}/nope", {"body": "x"}).status_code == 404
    assert api.post(f"{one}/resolve", {"resolved": True}).status_code == 409
    api.post(f"{path}/send")
    assert api("PATCH", one, {"body": "x"}).status_code == 409
    assert api.get(path).json[0]["body"] == "Why 2?"


def states(api: Api, path: str) -> list[tuple[str, bool, str | None]]:
    return [(one["state"], one["outdated"], one["now"]) for one in api.get(path).json]


def test_a_sent_comment_is_addressed_when_its_lines_changed_and_outdated_when_they_left(api: Api) -> None:
    path = f"{sendable(api)}/comments"
    capture([file("a.txt")], PATCH)
    for line in ({"line": 2}, {"line": 4}, {"line": 2, "side": "old"}):
        api.post(path, {"path": "a.txt", "body": "Why?", **line})
    api.post(f"{path}/send")
    assert states(api, path) == [("sent", False, None)] * 3
    changed = PATCH.replace(b"+2\n+2.5", b"+two and a half\n+2.5")
    capture([file("a.txt", new_blob="9" * 40)], changed, "t2")
    assert states(api, path) == [("addressed", True, "two and a half"), *[("sent", False, None)] * 2]
    back = (
        b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,4 @@\n one\n two\n three\n+four\n"
    )
    capture([file("a.txt", new_blob="8" * 40)], back, "t3")
    assert states(api, path) == [
        ("addressed", True, "two"),
        ("sent", False, None),
        ("addressed", True, "two"),
    ]
    capture([], b"", "t4")
    assert states(api, path) == [("outdated", True, None)] * 3


def test_lines_that_had_changed_before_a_comment_was_sent_are_not_its_work(api: Api) -> None:
    path = f"{sendable(api)}/comments"
    capture([file("a.txt")], PATCH)
    api.post(path, {"path": "a.txt", "line": 3, "body": "Why?"})
    capture([file("a.txt", new_blob="9" * 40)], PATCH.replace(b"+2.5", b"+2.6"), "t2")
    assert states(api, path) == [("draft", True, "2.6")]
    api.post(f"{path}/send")
    assert states(api, path) == [("outdated", True, "2.6")]


def test_a_person_says_that_a_comment_is_addressed_and_takes_it_back(api: Api) -> None:
    path = f"{sendable(api)}/comments"
    capture([file("a.txt")], PATCH)
    made = api.post(path, {"path": "a.txt", "line": 2, "body": "Why?"}).json
    api.post(f"{path}/send")
    act = f"{path}/{made['id']}/resolve"
    done = api.post(act, {"resolved": True}).json
    assert (done["state"], done["outdated"], done["resolved_by"]) == ("addressed", False, "owner:token")
    assert done["resolved_at"]
    opened = api.post(act, {"resolved": False}).json
    assert (opened["state"], opened["resolved_by"], opened["resolved_at"]) == ("sent", None, None)
    assert api.post(f"{path}/nope/resolve", {"resolved": True}).status_code == 404
    assert api.post(act, {}).status_code == 422


def sendable(api: Api) -> str:
    """The path of an ended task whose agent takes comments."""
    task = ended(api)
    Task.update(runner="codex", runner_session_id="s1").execute()
    return f"/tasks/{task['id']}"
