"""Comments on the changes page: edited, resolved, told message by message, and counted where a person decides."""

from __future__ import annotations

import re
from typing import Any

import pytest

from shared.clock import now
from shared.review import comments
from shared.store.models import Comment, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.changed import capture, ended, file
from tests.unit.web.conftest import Api, PlayedWorker

PATCH = b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,5 @@\n one\n-two\n+2\n+2.5\n+2.7\n three\n"


class Story:
    """A task whose agent takes comments, and the page of its changes."""

    def __init__(self, api: Api, visitor: Visitor) -> None:
        self.api, self.visitor = api, visitor
        self.id = ended(api)["id"]
        self.path = f"/ui/tasks/{self.id}"
        Task.update(runner="codex", runner_session_id="s1").execute()
        capture([file("a.txt")], PATCH)

    def say(self, line: int, body: str) -> str:
        made = self.api.post(f"/tasks/{self.id}/comments", {"path": "a.txt", "line": line, "body": body}).json
        return str(made["id"])

    def send(self) -> None:
        comments.send(Task.get())
        Task.update(status="ready-for-review", live_attempt=None).execute()

    def page(self, query: str = "") -> str:
        return self.visitor.get(f"{self.path}/changes{query}").text

    def post(self, path: str, **fields: Any) -> Any:
        return self.visitor.send(f"{self.path}/{path}", {"back": f"{self.path}/changes", **fields})


@pytest.fixture
def story(api: Api, visitor: Visitor) -> Story:
    return Story(api, visitor)


def test_a_draft_is_edited_in_place_and_a_refusal_keeps_what_was_written(story: Story) -> None:
    one = story.say(2, "Why <2>?")
    assert "<textarea" in story.page()
    moved = story.post(f"comments/{one}/edit", body="Why\r\nnot two?")
    assert (moved.status_code, moved.headers["Location"]) == (303, f"{story.path}/changes#c-{one}")
    assert Comment.get().body == "Why\nnot two?"
    story.send()
    refused = story.post(f"comments/{one}/edit", body="Too late")
    assert refused.status_code == 409
    assert "it can no longer be edited" in refused.text
    assert Comment.get().body == "Why\nnot two?"


def test_what_was_said_is_counted_and_told_message_by_message(story: Story) -> None:
    story.say(2, "First")
    story.say(3, "Second")
    story.send()
    story.say(4, "Third")
    capture([file("a.txt", new_blob="9" * 40)], PATCH.replace(b"+2\n", b"+<b>two</b>\n"), "t2")
    text = story.page()
    assert text.count("1 draft, 1 open, 1 addressed") == 2
    heads = re.findall(r"<h2>((?:Not sent|Sent).*?)</h2>", text)
    assert [re.sub(r"<.*?>", "", head).strip() for head in heads] == [
        "Not sent yet 1 draft", "Sent just now 1 open, 1 addressed",
    ]  # fmt: skip
    assert "&lt;b&gt;two&lt;/b&gt;" in text
    assert len(re.findall(r'<details class="comment settled"', text)) == 1
    assert len(re.findall(r'<article class="comment', text)) == 2
    only_open = story.page("?said=open")
    assert '<details class="comment settled"' not in only_open
    assert only_open.count("1 draft, 1 open, 1 addressed") == 2


def test_a_person_resolves_a_comment_and_opens_it_again(story: Story) -> None:
    one = story.say(2, "First")
    assert story.post(f"comments/{one}/resolve", resolved="1").status_code == 409
    story.send()
    assert story.post(f"comments/{one}/resolve", resolved="1").status_code == 303
    assert "says You, in a browser" in story.page()
    assert "1 addressed" in story.page()
    story.post(f"comments/{one}/resolve", resolved="0")
    assert "1 open" in story.page()
    assert story.post("comments/nope/resolve", resolved="1").status_code == 404


def test_the_merge_says_which_comments_are_open(story: Story, worker: PlayedWorker) -> None:
    story.say(2, "First")
    Comment.update(sent_at=now()).execute()
    story.say(3, "Second")
    shown = {"clean": True, "conflicts": [], "blocking": [], "files": [], "head_oid": "c", "target_oid": "d"}
    worker.answer = lambda command: ("applied", shown)
    text = story.visitor.get(f"{story.path}/merge").text
    assert "1 comment to the agent is still open. 1 draft was not sent." in text
