"""What an agent used, as its program reports it: token counts by model, and of what they are the total."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: `input_tokens` is everything sent: fresh, read from a cache (`cached_tokens`) and written to one
#: (`cache_write_tokens`). `output_tokens` is everything generated, reasoning included.
FIELDS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
#: What a model that was not named is called.
UNKNOWN = "unknown"
#: A context-window mark (`[1m]`) or a release date behind a model's name: the same model at the same price.
SUFFIX = re.compile(r"(\[[^\]]*\]|-20\d{6}|-20\d\d-\d\d-\d\d)$")
NAME_CHARACTERS = 100

#: Counts by the names in FIELDS, and `cost_micros` where the provider said what they cost.
Use = Mapping[str, int]


@dataclass(frozen=True)
class Spending:
    """Totals, never deltas: of one process, or (`of_thread`) of the conversation across every resume.

    `models` maps a model's name to its use. `rest` is use beyond it that no cost was reported for yet.
    """

    models: Mapping[str, Use]
    tool_calls: int = 0
    of_thread: bool = False
    rest: Mapping[str, Use] = field(default_factory=dict)


def of(counts: Spending | Mapping[str, int]) -> Spending:
    """An adapter that knows no more may give plain counts: totals of its process, of one unnamed model."""
    if isinstance(counts, Spending):
        return counts
    use = {name: int(counts[name]) for name in (*FIELDS, "cost_micros") if name in counts}
    return Spending({UNKNOWN: use}, int(counts.get("tool_calls", 0)))


def model_name(model: str | None) -> str:
    """A model's name as prices and pages know it."""
    name = (model or "").strip()[:NAME_CHARACTERS]
    while SUFFIX.search(name):
        name = SUFFIX.sub("", name)
    return name or UNKNOWN


def by_model(uses: Mapping[str, Use]) -> dict[str, dict[str, int]]:
    """The same use under the models' short names."""
    found: dict[str, dict[str, int]] = {}
    for model, use in uses.items():
        name = model_name(model)
        found[name] = added(found.get(name, {}), use)
    return found


def added(one: Use, other: Use) -> dict[str, int]:
    """The sum; a cost is known as far as one of the two knows it."""
    names = [name for name in (*FIELDS, "cost_micros") if name in one or name in other]
    return {name: int(one.get(name, 0)) + int(other.get(name, 0)) for name in names}


def summed(uses: Iterable[Use]) -> dict[str, int]:
    total: dict[str, int] = {}
    for use in uses:
        total = added(total, use)
    return total


def beyond(total: Use, counted: Use) -> dict[str, int]:
    """What `total` has more than `counted`, never less than nothing."""
    return {name: max(0, int(total.get(name, 0)) - int(counted.get(name, 0))) for name in FIELDS}


def without(total: Mapping[str, Use], earlier: Iterable[Use]) -> dict[str, dict[str, int]]:
    """A thread's total less what earlier attempts account for; all of it when it is smaller than that.

    A smaller total says that its program began to count anew.
    """
    left = summed(earlier)
    whole = summed(total.values())
    if any(int(whole.get(name, 0)) < int(left.get(name, 0)) for name in FIELDS):
        return {model: dict(use) for model, use in total.items()}
    found = {}
    for model, use in total.items():
        own = beyond(use, left)
        left = beyond(left, use)
        found[model] = own
    return found


def is_used(use: Use) -> bool:
    return any(int(use.get(name, 0)) for name in FIELDS)
