"""What benchmarks share: medians and percentiles of samples, rows of the table, and quick looks at a condition."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Row = dict[str, Any]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], quantile: float) -> float:
    """The smallest of `values` that `quantile` (0..1) of them do not exceed."""
    found = sorted(values)
    return found[max(0, math.ceil(quantile * len(found)) - 1)]


def row(
    name: str, value: float | None, unit: str, *, bar: str, ok: bool, yardstick: float | None = None
) -> Row:
    """One line of the table; the ratio is the value's to its yardstick, None without one."""
    ratio = value / yardstick if value is not None and yardstick else None
    return {
        "name": name,
        "value": _rounded(value),
        "unit": unit,
        "yardstick": _rounded(yardstick),
        "ratio": _rounded(ratio),
        "bar": bar,
        "ok": ok,
    }


def until(condition: Callable[[], T], seconds: float, *, every: float, what: str) -> T:
    """The first true value of `condition`, looked for every `every` seconds. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(every)
    return found


def _rounded(value: float | None) -> float | None:
    """Three digits are more than a busy machine can promise."""
    if value is None:
        return None
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")
