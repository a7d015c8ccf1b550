"""Codex's token counts, in either spelling: totals of a thread that go on across its resume; sub-agents have their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.costs.spending import Spending, beyond, summed

#: Our name, the app-server's, and the one of `exec --json` and of rollouts. `input_tokens` includes the cached ones.
NAMES = (
    ("input_tokens", "inputTokens", "input_tokens"),
    ("cached_tokens", "cachedInputTokens", "cached_input_tokens"),
    ("cache_write_tokens", "cacheWriteInputTokens", "cache_write_input_tokens"),
    ("output_tokens", "outputTokens", "output_tokens"),
    ("reasoning_tokens", "reasoningOutputTokens", "reasoning_output_tokens"),
)
#: Further sub-agents' threads are not told apart.
THREADS = 100


def use_of(counts: Mapping[str, Any]) -> dict[str, int]:
    """Counts as the program gives them, under our names."""
    found = {}
    for ours, *theirs in NAMES:
        value = next((counts[name] for name in theirs if name in counts), 0)
        found[ours] = int(value) if isinstance(value, int | float) and value > 0 else 0
    return found


def spending(total: Mapping[str, Any], model: str | None, tools: int) -> Spending:
    """A thread's total as its program reports it."""
    return Spending({model or "": use_of(total)}, tools, of_thread=True)


class Threads:
    """The totals of the thread and of its sub-agents' threads, which it leaves out.

    A resumed thread's server tells its total before our first turn: that is the past, whoever it belongs to.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        found = kept or {}
        self._totals: dict[str, dict[str, int]] = dict(found.get("totals", {}))
        self._past: dict[str, int] | None = found.get("past")
        self._begun = bool(found.get("begun"))

    def state(self) -> dict[str, Any]:
        return {"totals": dict(self._totals), "past": self._past, "begun": self._begun}

    def begin(self) -> None:
        """The first turn of ours runs."""
        self._begun = True

    def spent(
        self, thread: str, ours: str | None, counts: Mapping[str, Any], model: str | None, tools: int
    ) -> Spending | None:
        """The spending once a thread has told its new total; None for what was there before us."""
        if not self._begun:
            self._past = use_of(counts) if thread == ours else self._past
            return None
        if thread in self._totals or len(self._totals) < THREADS:
            self._totals[thread] = use_of(counts)
        own = self._totals.get(ours or "", {})
        others = summed(use for name, use in self._totals.items() if name != ours)
        name, rest = model or "", {model or "": others} if others else {}
        if self._past is None:
            return Spending({name: own}, tools, of_thread=True, rest=rest)
        return Spending({name: beyond(own, self._past)}, tools, rest=rest)
