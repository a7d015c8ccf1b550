"""Words looked for in tasks and timelines: what counts as a word, what is found, and how far one answer reads."""

from __future__ import annotations

import pytest

from shared import deletion, search, tasks, timeline
from shared.errors import BadRequest
from shared.events import Draft, Kind
from shared.search import words_of
from shared.store.database import transaction
from shared.store.models import Task
from tests.unit.shared.played import Board


def say(task: Task, *lines: str) -> None:
    with transaction():
        timeline.append(task.number, [Draft(Kind.STDOUT, line) for line in lines])


def snippets(text: str, **given: int) -> list[str]:
    return [hit.snippet for hit in search.events(words_of(text), given.pop("limit", 50), **given).hits]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one two", ["one", "two"]),
        ('"one two" three', ["one two", "three"]),
        ('say "hi', ["say", "hi"]),
        ('a* OR "b" NEAR(', ["a*", "OR", "b", "NEAR("]),
    ],
)
def test_words_stand_apart_unless_quoted(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", ["", "  ", '""', '"', "x" * 501, " ".join("abcdefghi"), "a\0b"])
def test_what_cannot_be_looked_for_is_said(text: str) -> None:
    with pytest.raises(BadRequest):
        words_of(text)


def test_an_event_has_every_word_in_any_order_and_case(board: Board) -> None:
    task = board.new()
    say(task, "Build failed in module hub", "module built", "the hub FAILED again")
    assert snippets("hub failed") == ["the hub FAILED again", "Build failed in module hub"]
    assert snippets('"hub failed"') == ["the hub FAILED again"]


@pytest.mark.parametrize("word", ["%", "_", "\\", "100%", "a_b", "'; DROP TABLE event; --", "*", "é"])
def test_nothing_of_a_word_is_a_wildcard(board: Board, word: str) -> None:
    say(board.new(), "plain words, 1000 axb", f"before {word} after")
    found = [f"before {word} after"]
    assert snippets(f'"{word}"') == found


def test_tasks_are_found_by_title_goal_command_and_the_beginning_of_their_id(board: Board) -> None:
    first = board.new(title="Mend the hub", command="make hub")
    other = board.agent(prompt="Look at the hub")
    assert search.tasks(["hub"], 10) == [other, first]
    assert search.tasks(["mend", "make"], 10) == [first]
    assert search.tasks([first.id[:8]], 10) == [first]
    assert search.tasks(["hub"], 1) == [other]


def test_a_long_timeline_is_read_in_parts_that_join_without_gap(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = board.new()
    say(task, *(f"line {number}{' needle' if number % 10 == 0 else ''}" for number in range(200)))
    monkeypatch.setattr(search, "STEP", 7)
    found: list[str] = []
    below = None
    while True:
        part = search.events(["needle"], 3, below)
        found += [hit.snippet for hit in part.hits]
        if part.following is None:
            break
        below = part.following
    assert found == [f"line {number} needle" for number in range(190, -1, -10)]


def test_an_answer_ends_when_its_time_is_up_and_says_where_to_go_on(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(board.new(), *(f"line {number}" for number in range(50)))
    monkeypatch.setattr(search, "STEP", 10)
    monkeypatch.setattr(search, "CPU_SECONDS", 0.0)
    assert search.events(["line"], 100).hits == []
    assert search.events(["line"], 100).following == 52


def test_a_deleted_task_s_words_are_not_found(board: Board) -> None:
    task = board.new(title="needle")
    say(task, "needle")
    deletion.hide(tasks.get(task.id))
    assert (search.tasks(["needle"], 9), search.events(["needle"], 9).hits) == ([], [])


def test_a_snippet_is_one_line_around_the_first_word() -> None:
    text = "a" * 500 + "\n\tneedle\n" + "b" * 500
    found = search.snippet(text, ["needle"])
    assert found.startswith("…")
    assert found.endswith("…")
    assert " needle " in found
    assert len(found) <= search.SNIPPET_CHARACTERS + 2
