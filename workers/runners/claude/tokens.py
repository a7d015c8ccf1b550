"""Claude Code's token counts: exact totals of its process in each `result`, and what has come in since.

`modelUsage` covers sub-agents and every model, `usage` only the last turn. It starts at 0 again in a resumed process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.costs.spending import Spending, Use, added
from workers.runners import streams

#: The model of messages the program wrote itself, such as an API error.
SYNTHETIC = "<synthetic>"
#: So many sub-agents' last calls are remembered.
CALLERS = 50


class Counter:
    """Counts one process; what it must remember across a re-attach is its `state()`."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        found = kept or {}
        self._reported: dict[str, Use] = dict(found.get("reported", {}))
        self._since: dict[str, Use] = dict(found.get("since", {}))
        self._calls: dict[str, str] = dict(found.get("calls", {}))

    def state(self) -> dict[str, Any]:
        return {"reported": self._reported, "since": self._since, "calls": self._calls}

    def call(self, item: Mapping[str, Any], tools: int) -> Spending | None:
        """A call of the model as it begins to answer: its input is final, its output is not counted yet.

        A message comes as one line per block, each with the same id; None for all but the first.
        """
        message = item.get("message") or {}
        usage, id = message.get("usage"), str(message.get("id"))
        caller = str(item.get("parent_tool_use_id") or "")
        if not isinstance(usage, dict) or message.get("model") == SYNTHETIC or self._calls.get(caller) == id:
            return None
        while len(self._calls) >= CALLERS and caller not in self._calls:
            self._calls.pop(next(iter(self._calls)))
        self._calls[caller] = id
        model = str(message.get("model"))
        self._since[model] = added(self._since.get(model, {}), use_of(usage))
        return Spending(dict(self._reported), tools, rest=dict(self._since))

    def result(self, item: Mapping[str, Any], tools: int) -> Spending:
        """The totals of the process so far, with what they cost by the program's own count."""
        models = item.get("modelUsage")
        known = models if isinstance(models, dict) else {}
        self._reported = {model: _reported(use) for model, use in known.items() if isinstance(use, dict)}
        self._since, self._calls = {}, {}
        total = item.get("total_cost_usd")
        if self._reported and isinstance(total, int | float):
            self._account_for(round(total * 1_000_000))
        return Spending(dict(self._reported), tools)

    def _account_for(self, micros: int) -> None:
        """What the total has beyond the models' own costs goes to the dearest of them."""
        costs = {model: int(use.get("cost_micros", 0)) for model, use in self._reported.items()}
        dearest = max(costs, key=lambda model: costs[model])
        rest = micros - sum(costs.values())
        self._reported[dearest] = {**self._reported[dearest], "cost_micros": costs[dearest] + rest}


def use_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """A message's `usage`: the API's own words, in which input and cached input are apart."""
    cached, written = _count(usage, "cache_read_input_tokens"), _count(usage, "cache_creation_input_tokens")
    return {
        "input_tokens": _count(usage, "input_tokens") + cached + written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": _count(usage, "output_tokens"),
    }


def _reported(use: Mapping[str, Any]) -> dict[str, int]:
    cached, written = _count(use, "cacheReadInputTokens"), _count(use, "cacheCreationInputTokens")
    found = {
        "input_tokens": _count(use, "inputTokens") + cached + written,
        "cached_tokens": cached,
        "cache_write_tokens": written,
        "output_tokens": _count(use, "outputTokens"),
    }
    if isinstance(cost := streams.at(dict(use), "costUSD"), int | float):
        found["cost_micros"] = round(cost * 1_000_000)
    return found


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return int(value) if isinstance(value, int | float) and value > 0 else 0
