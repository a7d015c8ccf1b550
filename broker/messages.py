"""The only messages there are: ids, sent after the commit of the rows they name (rule 1)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import dramatiq

from broker.wakeup import Wakeup
from shared import doorbell
from shared.config import Config
from shared.doorbell import Bell, Ring

log = logging.getLogger(__name__)

ATTEMPTS = "attempts"
CONTROL = "control"
WORK = "work"
QUEUES = (ATTEMPTS, CONTROL, WORK)


def control_queue(worker: str) -> str:
    """The queue only this worker consumes."""
    return f"{CONTROL}.{worker}"


def start(attempt_id: str) -> dramatiq.Message[None]:
    """A queued attempt may be claimed; any worker with a free slot takes the next by priority."""
    return _message(ATTEMPTS, "start", attempt_id)


def deliver(command_id: str, worker: str | None = None) -> dramatiq.Message[None]:
    """A steering command waits, for its attempt's owner where it has one."""
    return _message(control_queue(worker) if worker else CONTROL, "deliver", command_id)


def work(command_id: str) -> dramatiq.Message[None]:
    """A command that touches a repository waits, for any worker."""
    return _message(WORK, "work", command_id)


def _message(queue: str, actor: str, id: str) -> dramatiq.Message[None]:
    return dramatiq.Message(queue_name=queue, actor_name=actor, args=(id,), kwargs={}, options={})


@dataclass(frozen=True)
class Bells:
    """The two wake-ups of one installation: `changes` for the web's tailer, `orders` for supervision loops."""

    changes: Wakeup
    orders: Wakeup


def bells(config: Config) -> Bells:
    folder = config.data / "bells"
    return Bells(
        changes=Wakeup(folder / "changes", watch=config.database),
        orders=Wakeup(folder / "orders", watch=config.database),
    )


def connect(config: Config, broker: dramatiq.Broker) -> Bells:
    """Send a message and ring for every doorbell of this process; returns the bells to listen to."""
    ours = bells(config)
    doorbell.listen(lambda ring: _post(broker, ours, ring))
    return ours


def _post(broker: dramatiq.Broker, bells: Bells, ring: Ring) -> None:
    if ring.bell is not Bell.CHANGE:
        bells.orders.notify()
    bells.changes.notify()
    message = _for(ring)
    if message is None:
        return
    try:
        broker.declare_queue(message.queue_name)
        broker.enqueue(message)
    except Exception:
        #: The row is committed and owners look at their rows on every wake; the janitor rings again.
        log.warning("the broker did not take %s %s", message.actor_name, ring.id, exc_info=True)


def _for(ring: Ring) -> dramatiq.Message[None] | None:
    if not ring.id:
        return None
    match ring.bell:
        case Bell.ATTEMPT:
            return start(ring.id)
        case Bell.COMMAND:
            return deliver(ring.id, ring.worker)
        case Bell.WORK:
            return work(ring.id)
    return None
