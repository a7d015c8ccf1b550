"""Open requests: answers are built from what the agent wrote, not from what was stored."""

from __future__ import annotations

import json

import pytest

from shared.secrets.redaction import Redactor
from workers.shim.originals import MAX_LINE_BYTES, MAX_OPEN, OpenRequests, Unanswerable

QUESTION = {
    "type": "control_request",
    "request_id": "r1",
    "request": {"subtype": "can_use_tool", "input": {"command": "echo hunter2hunter2", "n": 1.5}},
}


def opened(*messages: object) -> OpenRequests:
    requests = OpenRequests({"type": "control_request"}, "request_id")
    for message in messages:
        requests.feed(json.dumps(message).encode() + b"\n")
    return requests


def test_a_part_of_the_original_stands_in_the_answer() -> None:
    requests = opened({"type": "other"}, QUESTION)
    template = {"ok": [{"$original": "request.input"}], "whole": {"$original": ""}}
    assert json.loads(requests.answer("r1", template)) == {
        "ok": [QUESTION["request"]["input"]],
        "whole": QUESTION,
    }


def test_keys_of_the_original_can_be_replaced() -> None:
    template = {"updatedInput": {"$merge": ["request.input", {"n": {"$original": "kept as text"}}]}}
    answer = json.loads(opened(QUESTION).answer("r1", template))
    assert answer == {"updatedInput": {"command": "echo hunter2hunter2", "n": {"$original": "kept as text"}}}


def test_a_question_is_answered_once() -> None:
    requests = opened(QUESTION)
    requests.answer("r1", {})
    with pytest.raises(Unanswerable, match="no open request"):
        requests.answer("r1", {})


@pytest.mark.parametrize(
    "template", [{"$original": "request.nothing"}, {"$merge": ["request_id", {}]}, {"$merge": 3}]
)
def test_an_answer_that_cannot_be_built_leaves_the_question_open(template: object) -> None:
    requests = opened(QUESTION)
    with pytest.raises(Unanswerable):
        requests.answer("r1", template)
    assert requests.ids == ["r1"]


def test_presence_is_enough_where_no_value_is_asked_for_and_ids_may_be_numbers() -> None:
    requests = OpenRequests({"method": None, "id": None}, "id")
    requests.feed(b'{"method":"a"}\n{"id":1,"result":{}}\n{"method":"approve","id":0}\n')
    assert requests.ids == [0]
    assert requests.answer(0, {"id": {"$original": "id"}}) == b'{"id": 0}\n'


def test_lines_are_found_in_pieces_and_a_too_long_one_is_skipped_alone() -> None:
    line = json.dumps(QUESTION).encode() + b"\n"
    requests = opened()
    for byte in line:
        requests.feed(bytes((byte,)))
    assert requests.ids == ["r1"]
    requests = opened()
    requests.feed(b"x" * (MAX_LINE_BYTES + 1))
    requests.feed(b'"control_request" "type"\n' + line + b"not json \xff\n")
    assert requests.ids == ["r1"]


def test_the_oldest_questions_leave_when_there_are_too_many() -> None:
    requests = opened(*({**QUESTION, "request_id": number} for number in range(MAX_OPEN + 3)))
    assert requests.ids == list(range(3, MAX_OPEN + 3))
    big = {"type": "control_request", "pad": "x" * 900_000}
    requests = opened(*({**big, "request_id": number} for number in range(8)))
    assert requests.ids == [4, 5, 6, 7]


ASKED = {
    "type": "control_request",
    "request_id": "r2",
    "request": {
        "input": {
            "questions": [{"question": "Use hunter2hunter2?", "options": [{"label": "hunter2hunter2"}]}]
        }
    },
}


def masked(*messages: object) -> OpenRequests:
    redactor = Redactor({"S": "hunter2hunter2"})
    requests = OpenRequests(
        {"type": "control_request"}, "request_id", lambda line: redactor.redact(line.decode())
    )
    for message in messages:
        requests.feed(json.dumps(message).encode() + b"\n")
    return requests


def test_a_text_of_the_question_that_was_masked_comes_back_as_the_agent_wrote_it() -> None:
    answers = {"answers": {"Use [redacted]?": "[redacted]", "else": "not [redacted] by me"}}
    answer = json.loads(masked(ASKED).answer("r2", {"updatedInput": {"$merge": ["request.input", answers]}}))
    assert answer["updatedInput"]["answers"] == {
        "Use hunter2hunter2?": "hunter2hunter2",
        "else": "not [redacted] by me",
    }
    assert answer["updatedInput"]["questions"] == ASKED["request"]["input"]["questions"]


def test_two_texts_that_look_alike_once_masked_cannot_be_told_apart() -> None:
    redactor = Redactor({"A": "hunter2hunter2", "B": "swordfish-swordfish"})
    requests = OpenRequests({"type": "q"}, "id", lambda line: redactor.redact(line.decode()))
    message = {"type": "q", "id": 1, "input": {"a": "hunter2hunter2", "b": "swordfish-swordfish"}}
    requests.feed(json.dumps(message).encode() + b"\n")
    with pytest.raises(Unanswerable, match="look like"):
        requests.answer("1", {"$merge": ["input", {"c": "[redacted]"}]})
    assert json.loads(requests.answer("1", {"$merge": ["input", {}]}))["a"] == "hunter2hunter2"
