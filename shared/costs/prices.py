"""What tokens cost by a provider's list: the dated table `prices.toml`, and how it is read. No model is guessed."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from shared.costs.spending import Use, model_name
from shared.errors import ConfigError

MILLION = 1_000_000
#: The columns of a price, in micro-dollars per million tokens; the last two are the input's where they are missing.
COLUMNS = ("input", "output", "cached", "cache_write")
BIGGEST = 10_000 * MILLION


@dataclass(frozen=True)
class Price:
    """A price from a day on, for the models whose names match."""

    models: tuple[str, ...]
    as_of: dt.date
    input: int
    output: int
    cached: int
    cache_write: int

    def of(self, use: Use) -> int:
        """Micro-dollars, rounded half up."""
        cached, written = int(use.get("cached_tokens", 0)), int(use.get("cache_write_tokens", 0))
        fresh = max(0, int(use.get("input_tokens", 0)) - cached - written)
        whole = fresh * self.input + cached * self.cached + written * self.cache_write
        whole += int(use.get("output_tokens", 0)) * self.output
        return (whole + MILLION // 2) // MILLION


@dataclass(frozen=True)
class Prices:
    """A price list; of two that match, what stands first wins."""

    rows: tuple[Price, ...]

    @property
    def as_of(self) -> dt.date | None:
        """The day of its newest price."""
        return max((row.as_of for row in self.rows), default=None)

    def price(self, model: str, at: dt.datetime) -> Price | None:
        """The price of a model at a time; before its oldest known price, that one."""
        name = model_name(model)
        rows = [row for row in self.rows if any(fnmatchcase(name, pattern) for pattern in row.models)]
        if not rows:
            return None
        rows = [row for row in rows if row.models == rows[0].models]
        begun = [row for row in rows if row.as_of <= at.date()]
        return max(begun, key=lambda row: row.as_of) if begun else min(rows, key=lambda row: row.as_of)

    def cost_micros(self, model: str, use: Use, at: dt.datetime) -> int | None:
        """What this use of a model costs by the list, in micro-dollars; None for a model that is not in it."""
        price = self.price(model, at)
        return None if price is None else price.of(use)

    def over(self, other: Prices) -> Prices:
        """This list, and behind it the other one."""
        return Prices((*self.rows, *other.rows))


def parse(text: str, name: str = "prices.toml") -> Prices:
    """The price list in a TOML text; raises ConfigError with one sentence that names the row."""
    try:
        rows = tomllib.loads(text).get("price", [])
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not TOML: {error}.") from None
    if not isinstance(rows, list):
        raise ConfigError(f"{name} must list prices as [[price]] tables.")
    return Prices(tuple(_row(row, f"Price {number} of {name}") for number, row in enumerate(rows, start=1)))


def _row(row: Any, where: str) -> Price:
    if not isinstance(row, Mapping):
        raise ConfigError(f"{where} must be a [[price]] table.")
    unknown = set(row) - {"models", "as_of", *COLUMNS}
    if unknown:
        raise ConfigError(f"{where} has an unknown key: {min(unknown)}.")
    as_of = row.get("as_of")
    if not isinstance(as_of, dt.date) or isinstance(as_of, dt.datetime):
        raise ConfigError(f"{where} needs the day it holds from, such as as_of = 2026-01-31.")
    given = {column: _micros(row[column], where, column) for column in COLUMNS if column in row}
    if not {"input", "output"} <= set(given):
        raise ConfigError(f"{where} needs input and output in micro-dollars per million tokens.")
    return Price(
        _models(row.get("models"), where),
        as_of,
        **{"cached": given["input"], "cache_write": given["input"], **given},
    )


def _models(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        raise ConfigError(f'{where} needs its models, such as models = ["name-1", "name-2*"].')
    if not all(isinstance(name, str) and name for name in names):
        raise ConfigError(f"{where} has a model that is not a name.")
    return tuple(names)


def _micros(value: Any, where: str, column: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= BIGGEST:
        raise ConfigError(f"{where} needs {column} as a whole number of micro-dollars per million tokens.")
    return value
