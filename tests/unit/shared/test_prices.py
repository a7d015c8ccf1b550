"""The price list: what it knows, what a person's own adds, and what it does not guess."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from shared.costs import ledger
from shared.costs.prices import COLUMNS, parse
from shared.costs.spending import model_name
from shared.errors import ConfigError

AT = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
TOKENS = {"input_tokens": 1000, "output_tokens": 100}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("claude-opus-4-8[1m]", "claude-opus-4-8"),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5"),
        ("gpt-5.5-2026-04-23", "gpt-5.5"),
        ("", "unknown"),
        (None, "unknown"),
        ("[1m]", "unknown"),
    ],
)
def test_a_models_name_has_no_date_and_no_mark(given: str | None, name: str) -> None:
    assert model_name(given) == name


def test_every_listed_price_is_read_and_dated() -> None:
    listed = parse(Path(ledger.__file__).with_name("prices.toml").read_text())
    assert len(listed.rows) > 20
    assert listed.as_of is not None
    assert listed.as_of <= AT.date()


def test_the_list_agrees_with_what_the_program_said_in_our_recordings() -> None:
    use = {"input_tokens": 5300, "cached_tokens": 1500, "cache_write_tokens": 500, "output_tokens": 92}
    assert ledger.prices().cost_micros("claude-opus-4-8[1m]", use, AT) == 22_675
    haiku = {"input_tokens": 64_402, "output_tokens": 22}
    assert ledger.prices().cost_micros("claude-haiku-4-5", haiku, AT) == 64_512


def test_a_price_holds_from_its_day_on() -> None:
    use = {"cached_tokens": 1_000_000, "input_tokens": 1_000_000}
    days = [dt.datetime(2026, *day, tzinfo=dt.UTC) for day in ((9, 1), (10, 6), (10, 7), (11, 20))]
    found = [ledger.prices().cost_micros("claude-sonnet-5-5", use, day) for day in days]
    assert found == [200_000, 200_000, 100_000, 100_000]
    assert ledger.prices().cost_micros("nobody-knows-this", use, AT) is None


OWN = """
[[price]]
models = ["house-*", "gpt-5.5"]
as_of = 2026-01-01
input = 2_000_000
output = 3_000_000
"""


def test_a_persons_own_prices_stand_before_the_list(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(OWN)
    try:
        ledger.use_prices(tmp_path)
        assert ledger.prices().cost_micros("house-7", {**TOKENS, "cached_tokens": 1000}, AT) == 2300
        assert ledger.prices().cost_micros("gpt-5.5", TOKENS, AT) == 2300
        assert ledger.prices().cost_micros("gpt-5.4", TOKENS, AT) == 4000
    finally:
        ledger.use_prices(tmp_path / "none")
    assert ledger.prices().cost_micros("house-7", TOKENS, AT) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[price]", "not TOML"),
        ("price = 1", "[[price]]"),
        ("[[price]]\nas_of = 2026-01-01\ninput = 1\noutput = 1", "Price 1"),
        (OWN.replace("2026-01-01", '"2026-01-01"'), "the day"),
        (OWN.replace("2_000_000", "2.5"), "input as a whole number"),
        (OWN.replace("2_000_000", "-1"), "input as a whole number"),
        (OWN.replace("input", "inputs"), "unknown key: inputs"),
        (OWN.replace("output = 3_000_000", ""), "input and output"),
        (OWN + OWN.replace('"house-*"', "7"), "Price 2"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_an_unusable_price_file_is_refused_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "prices.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as refused:
        ledger.use_prices(tmp_path)
    assert said in str(refused.value)


def test_the_documents_example_is_a_price_list_and_names_every_column() -> None:
    text = (Path(ledger.__file__).parents[2] / "docs/costs.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    (row,) = parse(example).rows
    assert (row.input, row.cached, row.cache_write) == (800_000, 80_000, 1_000_000)
    assert all(f"{column} = " in example for column in COLUMNS)
