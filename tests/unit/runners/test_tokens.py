"""What recorded agents used: every total equals what the program or its server counted."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.costs.spending import Spending, summed
from workers.runners import claude, codex
from workers.runners.claude.tokens import Counter
from workers.runners.conformance import context, lines, observe
from workers.runners.observations import Spent

TRANSCRIPTS = Path(__file__).parents[2] / "agents/transcripts"
CLAUDE = sorted((TRANSCRIPTS / "claude-code").glob("*.jsonl"))
CODEX = sorted((TRANSCRIPTS / "codex").glob("*.jsonl"))
ONESHOT = sorted((TRANSCRIPTS / "codex-oneshot").glob("*.jsonl"))


def spendings(runner: Any, path: Path, **changes: object) -> list[Spending]:
    return [seen.cost for seen in observe(runner, path, **changes) if isinstance(seen, Spent)]  # type: ignore[misc]


def objects(path: Path) -> Iterator[dict[str, Any]]:
    for stream, line in lines(path):
        if stream == "stdout" and line.startswith("{"):
            yield json.loads(line)


def results(path: Path) -> list[dict[str, Any]]:
    return [item for item in objects(path) if item.get("type") == "result"]


@pytest.mark.parametrize("path", CLAUDE, ids=lambda path: path.stem)
def test_claudes_totals_are_its_own_by_model_and_cost(path: Path) -> None:
    reported = [spent for spent in spendings(claude, path) if not spent.rest]
    told = results(path)
    assert len(reported) == len(told) > 0
    for spent, result in zip(reported, told, strict=True):
        for model, use in result["modelUsage"].items():
            parts = [
                use[name] for name in ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
            ]
            found = spent.models[model]
            assert (found["input_tokens"], found["cached_tokens"]) == (sum(parts), parts[1])
            assert (found["cache_write_tokens"], found["output_tokens"]) == (parts[2], use["outputTokens"])
        assert set(spent.models) == set(result["modelUsage"])
        assert summed(spent.models.values()).get("cost_micros", 0) == round(result["total_cost_usd"] * 1e6)
        assert not spent.of_thread


def test_a_sub_agents_use_is_in_the_total() -> None:
    path = TRANSCRIPTS / "claude-code/claude-subagent.jsonl"
    (result,) = results(path)
    found = summed(spendings(claude, path)[-1].models.values())
    assert found["output_tokens"] > result["usage"]["output_tokens"]
    assert spendings(claude, path)[-1].tool_calls >= 2


@pytest.mark.parametrize("path", CLAUDE, ids=lambda path: path.stem)
def test_the_running_figure_never_counts_more_input_than_the_result(path: Path) -> None:
    """But for a call that was cut off: its input was sent, and the program leaves it out."""
    if "interrupt" in path.stem or "sigint" in path.stem:
        return
    seen = spendings(claude, path)
    for now, then in itertools.pairwise(seen):
        running, later = (summed([*it.models.values(), *it.rest.values()]) for it in (now, then))
        assert running.get("input_tokens", 0) <= later.get("input_tokens", 0)


def test_a_call_is_counted_once_however_many_lines_it_has_and_across_a_re_attach() -> None:
    use = {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}
    line = {"message": {"id": "m1", "model": "opus", "usage": use}, "parent_tool_use_id": None}
    counter = Counter()
    first = counter.call(line, 0)
    assert first is not None
    assert first.rest["opus"]["input_tokens"] == 15
    again = Counter(json.loads(json.dumps(counter.state())))
    assert again.call(line, 0) is None
    other = again.call({**line, "parent_tool_use_id": "t1", "message": {**line["message"], "id": "m2"}}, 1)
    assert other is not None
    assert (other.rest["opus"]["input_tokens"], other.tool_calls) == (30, 1)


@pytest.mark.parametrize("number", range(3))
def test_many_sub_agents_are_counted_in_bounded_memory(number: int) -> None:
    counter = Counter()
    for caller in range(200):
        line = {"message": {"id": f"m{caller}", "model": "m", "usage": {"input_tokens": 1}},
                "parent_tool_use_id": f"t{caller}"}  # fmt: skip
        assert counter.call(line, 0) is not None
    assert len(json.dumps(counter.state())) < 4000


def test_what_costs_beyond_the_models_own_goes_to_the_dearest() -> None:
    models = {"a": {"inputTokens": 1, "costUSD": 0.01}, "b": {"inputTokens": 1, "costUSD": 0.02}}
    spent = Counter().result({"modelUsage": models, "total_cost_usd": 0.04}, 0)
    assert {name: use["cost_micros"] for name, use in spent.models.items()} == {"a": 10_000, "b": 30_000}


def totals(path: Path) -> tuple[dict[str, int], list[dict[str, int]]]:
    """(what the thread had used before the first turn, the totals after it) by the server's notifications."""
    past: dict[str, int] = {}
    found = []
    begun = False
    for item in objects(path):
        begun = begun or item.get("method") == "turn/started"
        if item.get("method") == "thread/tokenUsage/updated":
            total = item["params"]["tokenUsage"]["total"]
            if begun:
                found.append(total)
            else:
                past = total
    return past, found


def served(path: Path) -> list[Spending]:
    """What the reader of a recording's thread sees; the recording's own requests have other ids than ours."""
    thread = next(
        item["params"]["threadId"] for item in objects(path) if item.get("method") == "turn/started"
    )
    reader = codex.reader({"thread": thread, "model": "gpt-5.5"}, context())
    seen = [seen for stream, line in lines(path) for seen in reader.feed(stream, [line])]
    return [item.cost for item in seen if isinstance(item, Spent)]  # type: ignore[misc]


@pytest.mark.parametrize("path", CODEX, ids=lambda path: path.stem)
def test_codexs_totals_are_its_servers_less_what_it_told_before_the_first_turn(path: Path) -> None:
    past, told = totals(path)
    seen = served(path)
    assert len(seen) == len(told)
    for spent, total in zip(seen, told, strict=True):
        (use,) = spent.models.values()
        for ours, theirs in (("input_tokens", "inputTokens"), ("cached_tokens", "cachedInputTokens"),
                             ("output_tokens", "outputTokens")):  # fmt: skip
            assert use[ours] == total[theirs] - past.get(theirs, 0)
        assert spent.of_thread is not bool(past)


def test_a_resumed_threads_past_is_not_this_attempts() -> None:
    path = TRANSCRIPTS / "codex/app-server-resume.jsonl"
    past, _ = totals(path)
    assert past["inputTokens"] > 200_000
    (use,) = served(path)[-1].models.values()
    assert (use["input_tokens"], use["output_tokens"]) == (1200, 8)


@pytest.mark.parametrize("path", ONESHOT, ids=lambda path: path.stem)
def test_codex_one_shot_tells_its_thread_total_and_the_model_that_was_asked_for(path: Path) -> None:
    told = [item["usage"] for item in objects(path) if item.get("type") == "turn.completed"]
    seen = spendings(codex, path, options={"mode": "oneshot", "model": "gpt-5.5"})
    assert len(seen) == len(told)
    for spent, usage in zip(seen, told, strict=True):
        assert spent.models["gpt-5.5"]["input_tokens"] == usage["input_tokens"]
        assert spent.models["gpt-5.5"]["cached_tokens"] == usage["cached_input_tokens"]
        assert spent.of_thread


def test_a_sub_agents_thread_is_added_to_the_total_of_its_task() -> None:
    reader = codex.reader({"thread": "t-1", "model": "gpt-5.5"}, context())
    turn = {"method": "turn/started", "params": {"threadId": "t-1", "turn": {"id": "u-1"}}}
    update = {"method": "thread/tokenUsage/updated"}
    said = [turn]
    for thread, count in (("t-1", 100), ("child", 40), ("child", 70), ("t-1", 150)):
        usage = {"total": {"inputTokens": count, "outputTokens": 1}}
        said.append({**update, "params": {"threadId": thread, "tokenUsage": usage}})
    seen = [
        s.cost for s in reader.feed("stdout", [json.dumps(item) for item in said]) if isinstance(s, Spent)
    ]
    last = seen[-1]
    assert isinstance(last, Spending)
    assert last.models["gpt-5.5"]["input_tokens"] == 150
    assert last.rest["gpt-5.5"]["input_tokens"] == 70
