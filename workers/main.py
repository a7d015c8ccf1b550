"""The worker process: Dramatiq's Worker in our own process, supervision beside it (ADR 0003).

Dramatiq's own command line takes all siblings down with one and waits ten minutes on SIGTERM; here one process
is one unit for whatever process manager runs it.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType

import broker as carriers
from broker import messages
from broker.consumers import Consumers
from broker.liveness import Owners
from shared import audit, doorbell, fleet, tasks
from shared.config import Config
from shared.costs import ledger
from shared.secrets import kept, masking
from shared.store.database import close, open_store, prepare_folder
from shared.version import VERSION
from workers import actors, capabilities
from workers.attempts import errand, granting
from workers.disk import DiskWatch
from workers.inspection import Inspector
from workers.inventory import Inventory
from workers.janitor import Janitor
from workers.office import Office
from workers.transcripts import Transcripts

log = logging.getLogger(__name__)

THREADS = 8
#: Starts and repository work never take every thread: a stop must not wait behind them (measured in broker.md 3).
PREFETCH = {messages.ATTEMPTS: 3, messages.WORK: 3}
#: How long Ctrl-C waits for agents to end (contract 2).
INTERRUPT_SECONDS = 15.0
#: Actors are short, and a landing that is cut off here is completed by the next worker.
CLOSE_MILLIS = 5_000
CLOSE_AT_ONCE_MILLIS = 1_000


def main(config: Config) -> int:
    """Run a worker until SIGTERM (agents go on) or SIGINT (agents are stopped, resumable); returns 0."""
    masking.log_to_stderr("%(levelname)s %(name)s %(message)s")
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    signals = _Signals()
    open_store(config)
    for folder in (config.attempts, config.homes, config.repositories, config.worktrees):
        prepare_folder(folder)
    ledger.use_prices(config.data)
    kept.use_key(config)
    audit.keep_heads(config.data)
    owners = Owners(config.data / "workers")
    with_lock = owners.take()
    carrier = carriers.make(config, prefetch=PREFETCH)
    bells = messages.connect(config, carrier)
    office = Office(with_lock.owner, config, bells.orders)
    actors.register(carrier, office)
    for queue in (*messages.QUEUES, messages.control_queue(office.worker)):
        carrier.declare_queue(queue)
    fleet.register_worker(office.worker, VERSION, granting.variables(config.environment))
    office.supervision.start()
    janitor = Janitor(office, owners)
    janitor.start()
    inspector = Inspector()
    inspector.start()
    disk = DiskWatch(office.worker, config)
    disk.start()
    inventory = Inventory(config, bells.orders)
    inventory.start()
    transcripts = Transcripts(config, bells.orders)
    transcripts.start()
    consumers = Consumers(carrier, worker_threads=THREADS)
    consumers.start()
    threading.Thread(target=_look_for_runners, args=(config,), name="runners", daemon=True).start()
    signals.wait()
    if signals.interrupted:
        _stop_agents(office, signals)
    janitor.stop()
    inspector.stop()
    disk.stop()
    inventory.stop()
    transcripts.stop()
    office.close()
    consumers.stop(timeout=CLOSE_AT_ONCE_MILLIS if signals.interrupted else CLOSE_MILLIS)
    fleet.forget_worker(office.worker)
    doorbell.forget()
    carrier.close()
    audit.note_head()
    with_lock.release()
    close()
    return 0


class _Signals:
    """Signals only set flags; the main thread looks at them."""

    def __init__(self) -> None:
        self.interrupted = False
        self._came = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _on(self, number: int, frame: FrameType | None) -> None:
        self.interrupted = self.interrupted or number == signal.SIGINT
        self._came.set()

    def wait(self) -> None:
        self._came.wait()


def _stop_agents(office: Office, signals: _Signals) -> None:
    """Commit a stop for every live attempt and wait until none of ours is left, or the time is up."""
    office.closing = True
    errand.interrupted.set()
    tasks.interrupt_all()
    deadline = time.monotonic() + INTERRUPT_SECONDS
    while office.busy() and time.monotonic() < deadline:
        time.sleep(0.02)


def _look_for_runners(config: Config) -> None:
    try:
        capabilities.publish(config)
    except Exception:
        log.warning("the runners could not be looked for", exc_info=True)
    finally:
        close()
