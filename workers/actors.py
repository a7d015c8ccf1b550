"""The actors: short, idempotent, and safe to deliver twice. Each finds its row, then acts (rule 1)."""

from __future__ import annotations

import dramatiq

from broker import messages
from workers.office import Office


def register(broker: dramatiq.Broker, office: Office) -> None:
    """Declare every actor of `broker.messages` on this worker's broker."""
    options = {"max_retries": 0}

    @dramatiq.actor(broker=broker, queue_name=messages.ATTEMPTS, actor_name="start", **options)
    def start(attempt_id: str) -> None:
        office.start_next()

    @dramatiq.actor(broker=broker, queue_name=messages.CONTROL, actor_name="deliver", priority=-10, **options)
    def deliver(command_id: str) -> None:
        office.deliver(command_id)

    @dramatiq.actor(broker=broker, queue_name=messages.WORK, actor_name="work", priority=10, **options)
    def work(command_id: str) -> None:
        office.work(command_id)
