"""Costs: what agents used and what that costs, by day, workspace, task, runner, model or attempt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote, urlencode

from flask import Flask, request

from shared.clock import now
from shared.costs import ledger, report
from shared.costs.report import Report, Row
from web.pages import frame, words
from web.reading import snapshot
from web.security import Authority, authority

#: In the order shown; the first is shown unasked.
GROUPS = {
    "day": "Day",
    "workspace": "Workspace",
    "task": "Task",
    "model": "Model",
    "runner": "Runner",
    "attempt": "Attempt",
}
PERIODS = {"7": "Last 7 days", "30": "Last 30 days", "90": "Last 90 days", "all": "All time"}
PERIOD = "30"
SHOWN = 200
THOUSAND, MILLION = 10_000, 1_000_000


@dataclass(frozen=True)
class Line:
    """One row as it is shown; `share` is its part of the largest, in percent."""

    row: Row
    name: str
    link: str | None
    money: str
    share: float


@dataclass(frozen=True)
class Asked:
    """What the page was asked for; anything unknown falls back to the usual."""

    by: str
    period: str
    workspace: str

    def link(self, **changes: str) -> str:
        """The page with something else asked for."""
        wanted = {"by": self.by, "period": self.period, "workspace": self.workspace, **changes}
        usual = {"by": "day", "period": PERIOD, "workspace": ""}
        query = urlencode({key: value for key, value in wanted.items() if value != usual[key]})
        return f"/ui/costs?{query}" if query else "/ui/costs"


def install(app: Flask) -> None:
    app.add_url_rule("/ui/costs", "costs", page)
    app.jinja_env.filters.update(tokens=tokens, cost=cost, spent=spent)


@authority(Authority.PAGE)
def page() -> str:
    given = Asked(
        by=_one_of(request.args.get("by"), GROUPS, "day"),
        period=_one_of(request.args.get("period"), PERIODS, PERIOD),
        workspace=request.args.get("workspace", "")[:4096],
    )
    with snapshot():
        found = report.report(
            given.by,
            since=_since(given.period),
            workspace=given.workspace or None,
            used_only=True,
            limit=SHOWN,
        )
        return frame.page(
            "costs.html",
            asked=given,
            groups=GROUPS,
            periods=PERIODS,
            workspaces=sorted({*report.workspaces(), *filter(None, [given.workspace])}),
            lines=lines_of(found, given),
            total=found.total,
            truncated=found.truncated,
            prices_as_of=ledger.prices().as_of,
        )


def _one_of(given: str | None, known: dict[str, str], usual: str) -> str:
    return given if given in known else usual


def _since(period: str) -> dt.date | None:
    return None if period == "all" else now().date() - dt.timedelta(days=int(period) - 1)


def lines_of(found: Report, asked: Asked) -> list[Line]:
    """Bars are of money where any is known, else of tokens."""
    by_money = bool(found.total.cost_micros)
    sizes = [row.cost_micros or 0 if by_money else _tokens(row) for row in found.rows]
    largest = max(sizes, default=0) or 1
    return [
        Line(row, _name(asked.by, row), _link(row, asked), cost(row), round(100 * size / largest, 1))
        for row, size in zip(found.rows, sizes, strict=True)
    ]


def _name(by: str, row: Row) -> str:
    if by == "workspace":
        return words.short_path(row.key)
    return words.runner_label(row.key) if by == "runner" else row.label or row.key


def _link(row: Row, asked: Asked) -> str | None:
    if row.task_id is not None:
        view = "/attempts" if asked.by == "attempt" else ""
        return f"/ui/tasks/{quote(row.task_id)}{view}"
    return asked.link(by="task", workspace=row.key) if asked.by == "workspace" else None


def _tokens(row: Row) -> int:
    return row.input_tokens + row.output_tokens


def cost(row: Row) -> str:
    """What a sum costs, as `spent` words it; `$0.00` where nothing was used."""
    return spent(asdict(row)) or "$0.00"


def spent(cost: Mapping[str, Any]) -> str:
    """`$0.84`, with `~` an estimate, with `+` more than that; `no price` where none is known; empty for nothing."""
    micros, unpriced = cost.get("cost_micros"), cost.get("unpriced_tokens")
    if micros is None:
        return "no price" if unpriced else ""
    money = words.money(micros, bool(cost.get("estimated"))) or ("$0.00" if unpriced else "")
    return money + ("+" if unpriced else "")


def tokens(count: int) -> str:
    """`950`, `12.3k`, `4.56M`."""
    if count < THOUSAND:
        return f"{count:,}"
    return f"{count / 1000:.1f}k" if count < MILLION else f"{count / MILLION:.2f}M"
