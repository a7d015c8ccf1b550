"""Ended tasks with what they cost, over some weeks and in two workspaces, for pictures and for the page of costs."""

from __future__ import annotations

from datetime import timedelta

from shared.clock import now
from shared.costs import ledger
from shared.lifecycle import Status
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from tests.browser import story
from tests.installation import Installation

#: (days ago, workspace, title, runner, model, tokens in, cached, out, the provider's dollars or None)
SPENT = (
    (0, "webshop", "Fix the flaky hub test", "claude-code", "claude-opus-4-8", 412_000, 310_000, 18_400, 2.31),
    (0, "handbook", "Check every link", "codex", "gpt-6.1-sol", 96_000, 64_000, 3_100, None),
    (1, "webshop", "Add a resume cursor to the websocket stream", "claude-code", "claude-opus-4-8", 1_204_000, 930_000,
     41_000, 6.72),
    (3, "webshop", "Pin the build tools", "codex", "gpt-5.5", 88_000, 41_000, 2_600, None),
    (4, "handbook", "Rewrite the chapter on deployments", "claude-code", "claude-sonnet-5-5", 240_000, 180_000, 22_000,
     0.38),
    (6, "webshop", "Try the house model on the linter's findings", "codex", "house-coder-30b", 51_000, 0, 7_400, None),
    (9, "webshop", "Replace the settings page, with every preference a person has today and none of the old ones", "codex",
     "gpt-6.1-sol", 902_000, 770_000, 36_000, None),
    (16, "handbook", "Index the glossary", "claude-code", "claude-haiku-5-5", 61_000, 20_000, 9_100, 0.01),
)  # fmt: skip


def told(here: Installation) -> None:
    """Write them into the installation's store."""
    story.open_here(here)
    try:
        for days, place, title, runner, model, sent, cached, out, dollars in SPENT:
            row, attempt = story.task(
                title, runner, status=Status.COMPLETED, workspace=f"/home/ada/src/{place}", ledger={}
            )
            use = {"input_tokens": sent, "cached_tokens": cached, "output_tokens": out}
            if dollars is not None:
                use["cost_micros"] = round(dollars * 1_000_000)
            began = now() - timedelta(days=days, minutes=1)
            with transaction():
                ledger.record(attempt.id, row.number, ledger.Spending({model: use}, out // 700))
                Attempt.update(
                    started_at=began,
                    finished_at=began + timedelta(minutes=1),
                    runtime_millis=out * 30,
                    status=Status.COMPLETED,
                ).where(Attempt.id == attempt.id).execute()
                Task.update(live_attempt=None, created_at=began).where(Task.number == row.number).execute()
                ledger.sum_up(row.number)
    finally:
        story.close_here()
