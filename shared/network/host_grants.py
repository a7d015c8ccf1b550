"""The hosts a task's programs asked for, and those a person opened to it: from its next attempt on, beside its policy's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass

from shared import audit, policy, timeline
from shared.audit import Act
from shared.clock import now
from shared.errors import Conflict, NotFound, WrongShape
from shared.events import Category, Draft, Kind
from shared.network import hosts as network_hosts
from shared.policy import NetworkMode, Policy
from shared.store.database import raw, transaction
from shared.store.models import Task

MOST_HOSTS = 100
#: Of the newest of these is told what was reached; the timeline has all of it.
MOST_EVENTS = 1000


@dataclass(frozen=True)
class Asked:
    """A host that programs asked for, and how often it was reached and refused; `opens` is whether a grant would help."""

    name: str
    reached: int
    refused: int
    failed: int
    opens: bool


def of(task_number: int) -> list[str]:
    """What was granted, as it stands now; nothing for a task that is gone."""
    found = raw().execute("SELECT granted_hosts FROM task WHERE number = ?", (task_number,)).fetchone()
    return list(json.loads(found[0])) if found else []


def with_granted(task: Task, own: Policy) -> Policy:
    """A task's policy with its granted hosts among those it lists."""
    return dataclasses.replace(
        own, network_hosts=tuple(dict.fromkeys((*own.network_hosts, *of(task.number))))
    )


def add(task: Task, text: str) -> None:
    """Open a host from the next attempt on. Raises WrongShape for what is no host, and Conflict for too many."""
    try:
        host = network_hosts.written(network_hosts.parse(text))
    except ValueError as error:
        raise WrongShape(f"{error}.", field="host") from None
    with transaction():
        known = of(task.number)
        if host in known:
            return
        if len(known) >= MOST_HOSTS:
            raise Conflict(f"A task may have {MOST_HOSTS} hosts of its own; remove one first.")
        _keep(task, [*known, host], f"Host for this task's next attempt: {host}")
        audit.record(Act.GRANT_HOST, "task", task.id, host=host)


def remove(task: Task, host: str) -> None:
    """Take a host back, from the next attempt on. Raises NotFound."""
    with transaction():
        known = of(task.number)
        if host not in known:
            raise NotFound("The task has no such host.")
        known.remove(host)
        _keep(task, known, f"Host taken back: {host}")
        audit.record(Act.REMOVE_HOST, "task", task.id, host=host)


def _keep(task: Task, hosts: Sequence[str], said: str) -> None:
    Task.update(granted_hosts=list(hosts), updated_at=now()).where(Task.number == task.number).execute()
    timeline.append(task.number, [Draft(Kind.INPUT, said, {"category": Category.POLICY})])


def asked(task: Task) -> list[Asked]:
    """What its programs asked for, refused ones first, then by name."""
    counts: dict[tuple[str, int], dict[str, int]] = {}
    events = timeline.page(
        task, before=task.last_seq + 1, limit=MOST_EVENTS, kind=Kind.LIFECYCLE, category=Category.POLICY
    )
    for event in events:
        told = event.metadata or {}
        if told.get("host") and "verdict" in told:
            kind = counts.setdefault((told["host"], told["port"]), {"allowed": 0, "refused": 0, "failed": 0})
            kind[told["verdict"]] += told["count"]
    local = policy.in_force(task).network is NetworkMode.LOCALHOST
    listed = network_hosts.parsed(with_granted(task, policy.in_force(task)).network_hosts)
    found = [
        Asked(
            network_hosts.written((host, port)),
            kind["allowed"],
            kind["refused"],
            kind["failed"],
            (local or not network_hosts.is_loopback(host)) and not network_hosts.allows(listed, host, port),
        )
        for (host, port), kind in counts.items()
    ]
    return sorted(found, key=lambda one: (not one.refused, one.name))
