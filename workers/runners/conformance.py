"""What every runner must do, as checks anyone can run over their own: a dict of names to functions that raise.

A plugin's test is three lines: parametrise over `CHECKS`, call each with the runner and a folder of transcripts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

from shared.policy import Policy
from workers.runners import Capabilities, Context, Runner, Start
from workers.runners.observations import Asked, Observation, Output, TurnEnded

Check = Callable[[Runner, Path], None]
CHECKS: dict[str, Check] = {}
OBSERVATIONS = get_args(Observation)
GOALS = (
    "plain",
    "--help",
    "/help",
    "-rf",
    "'quotes' \"and\" $(more)",
    "two\nlines",
    "x" * 200_000,
    "é 漢 \ud800",
)


def check(function: Check) -> Check:
    """Register a check under its own name, as a sentence."""
    CHECKS[function.__name__] = function
    return function


def context(**changes: object) -> Context:
    """A context to try an adapter with."""
    given = {
        "task_id": "00000000-0000-4000-8000-000000000001",
        "attempt_id": "00000000-0000-4000-8000-000000000002",
        "goal": "say hello",
        "command": "echo hello",
        "cwd": "/workspace",
        "policy": Policy(),
    }
    return Context(**{**given, **changes})  # type: ignore[arg-type]


def lines(transcript: Path) -> Iterator[tuple[str, str]]:
    """(stream, line) of a recording: one-way ones hold the lines as they came, two-way ones `{t, dir, line}`."""
    streams = {"out": "stdout", "in": "stdin", "err": "stderr"}
    for text in transcript.read_text(errors="replace").splitlines():
        item = json.loads(text)
        if set(item) >= {"dir", "line"}:
            if item["dir"] in streams:
                line = item["line"]
                yield streams[item["dir"]], line if isinstance(line, str) else json.dumps(line)
        else:
            yield "stdout", text


def observe(runner: Runner, transcript: Path, **changes: object) -> list[Observation]:
    """Everything the runner's reader sees in a recording."""
    reader = runner.reader(None, context(**changes))
    return [seen for stream, line in lines(transcript) for seen in reader.feed(stream, [line])]


@check
def it_names_itself_and_its_program(runner: Runner, transcripts: Path) -> None:
    assert runner.name and runner.name == runner.name.lower() and " " not in runner.name
    assert runner.label and runner.programs and runner.install
    assert isinstance(runner.capabilities, Capabilities)
    assert runner.capabilities.reply in ("live", "resume", "none")


@check
def it_starts_without_side_effects_and_twice_alike(runner: Runner, transcripts: Path) -> None:
    first, second = runner.start(context()), runner.start(context())
    assert isinstance(first, Start)
    assert [getattr(first, f.name) for f in fields(Start)] == [getattr(second, f.name) for f in fields(Start)]
    assert all(isinstance(word, str) and "\0" not in word for word in first.argv)


@check
def a_goal_is_data_and_never_an_argument(runner: Runner, transcripts: Path) -> None:
    if runner.name == "shell":
        return
    for goal in GOALS:
        start = runner.start(context(goal=goal))
        assert goal not in start.argv, f"the goal {goal[:20]!r} is an argument"
        assert start.first_input, "the goal goes to standard input"
        assert sum(map(len, start.argv)) < 64 * 1024


@check
def a_resumed_attempt_names_its_session(runner: Runner, transcripts: Path) -> None:
    if not runner.capabilities.sessions:
        return
    start = runner.start(context(resume=True, session_id="session-1", message="go on"))
    assert "session-1" in start.argv or b"session-1" in start.first_input


@check
def it_reads_anything_without_raising(runner: Runner, transcripts: Path) -> None:
    reader = runner.reader(None, context())
    for line in (
        "",
        "{",
        "{}",
        "[]",
        "null",
        '{"type": null}',
        '{"type": "result"}',
        "\x00",
        "{" * 5000,
        "ü" * 1000,
    ):
        for stream in ("stdout", "stderr", "stdin"):
            found = reader.feed(stream, [line])
            assert all(isinstance(seen, OBSERVATIONS) for seen in found)


@check
def what_is_not_its_protocol_is_output(runner: Runner, transcripts: Path) -> None:
    found = runner.reader(None, context()).feed("stdout", ["plain words"])
    assert [seen for seen in found if isinstance(seen, Output)]


@check
def its_state_survives_a_reattach_at_every_line(runner: Runner, transcripts: Path) -> None:
    for transcript in sorted(transcripts.glob("*.jsonl")):
        whole = observe(runner, transcript)
        parts: list[Observation] = []
        state = None
        for stream, line in lines(transcript):
            reader = runner.reader(state, context())
            parts += reader.feed(stream, [line])
            kept = reader.state()
            state = json.loads(json.dumps(kept)) if kept is not None else None
        assert parts == whole, f"{transcript.name} reads differently when re-attached"


@check
def questions_have_ids_and_answers(runner: Runner, transcripts: Path) -> None:
    for transcript in sorted(transcripts.glob("*.jsonl")):
        for seen in observe(runner, transcript):
            if isinstance(seen, Asked):
                assert seen.question.request and seen.question.tool and seen.question.title
                for allowed in (True, False):
                    answer = runner.answer(
                        allowed=allowed, note="no", updated_input=None, question=seen.question.input
                    )
                    assert answer is not None
                    json.dumps(answer)


@check
def a_turn_that_ended_says_how(runner: Runner, transcripts: Path) -> None:
    for transcript in sorted(transcripts.glob("*.jsonl")):
        for seen in observe(runner, transcript):
            if isinstance(seen, TurnEnded) and seen.outcome in ("failed", "interrupted"):
                assert seen.error
