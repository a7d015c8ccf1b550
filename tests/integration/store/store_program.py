"""A program that uses the store as a process of its own: upgrades it, or makes many calls together.

`upgrade PLACE` waits for the file `go`; `together CALLS` (a JSON array of calls, each an array of words) forks once
for each call, lets all begin at the same moment and prints their answers as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from shared import approvals, attempts, tasks, timeline
from shared.attempts import Ending, Progress
from shared.config import from_env
from shared.errors import Conflict
from shared.events import Draft, Kind
from shared.lifecycle import Status
from shared.store import legacy, migrate
from shared.store.database import open_store, transaction
from shared.store.models import Attempt, Task

CONFIG = from_env()


def wait_for_go() -> None:
    print("ready", flush=True)
    while not (CONFIG.data / "go").exists():
        time.sleep(0.001)


def upgrade(where: str) -> None:
    """Open the store, and die by SIGKILL at the place named."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    copy, events, backup = legacy.copy, legacy._events, migrate._back_up
    if where == "after the backup":
        migrate._back_up = lambda db, path: (backup(db, path), die())[0]
    if where == "in the middle of the copy":
        legacy._events = lambda db, numbers: (events(db, numbers), die())
    if where == "before the commit":
        legacy.copy = lambda db: (copy(db), die())
    wait_for_go()
    open_store(CONFIG)


def start(task_id: str) -> str:
    try:
        return tasks.request_start(tasks.get(task_id)).id
    except Conflict:
        return "conflict"


def append(task_id: str, count: str) -> str:
    number = tasks.get(task_id).number
    for _ in range(int(count)):
        with transaction():
            timeline.append(number, [Draft(Kind.STDOUT, str(os.getpid()))] * 3)
    return "done"


def claim(count: str) -> str:
    return " ".join(
        found.id for _ in range(int(count)) if (found := attempts.claim_next(str(os.getpid()), 1000))
    )


def claim_forever() -> None:
    """Claim, record and end attempts until killed."""
    while True:
        attempt = attempts.claim_next(str(os.getpid()), 1000)
        if attempt is None:
            time.sleep(0.001)
            continue
        draft = Draft(Kind.STDOUT, "x")
        attempts.record([Progress(attempt.id, attempt.task_id, attempt.epoch, 1, drafts=[draft] * 5)])
        attempts.finish(attempt, Ending(Status.COMPLETED, drafts=[draft]))


def decide(task_id: str, approval_id: str, decision: str) -> str:
    try:
        return approvals.decide(tasks.get(task_id), approval_id, decision).status
    except Conflict:
        return "late"


def stop_or_claim(task_id: str, what: str) -> str:
    if what == "claim":
        found = attempts.claim_next("w", 1000)
        if found is None:
            return "none"
        return "started" if attempts.commit_start(found, {}, [], session_id=None, report={}) else "prevented"
    stopped = tasks.request_stop(tasks.get(task_id))
    return "commanded" if stopped else "stopped"


def stop_or_finish(task_id: str, what: str) -> str:
    if what == "finish":
        attempt = Attempt.get_by_id(Task.get(Task.id == task_id).live_attempt)
        return str(attempts.finish(attempt, Ending(Status.COMPLETED)))
    try:
        return "commanded" if tasks.request_stop(tasks.get(task_id)) else "stopped"
    except Conflict:
        return "conflict"


VERBS = {
    verb.__name__: verb
    for verb in (start, append, claim, claim_forever, decide, stop_or_claim, stop_or_finish)
}


def together(calls: list[list[str]]) -> list[str]:
    """The answers of all calls, each made by a fork that opens the store for itself."""
    begin, hold = os.pipe()
    answers = []
    for verb, *arguments in calls:
        answer, reply = os.pipe()
        if os.fork() == 0:
            os.close(hold)
            try:
                open_store(CONFIG)
                os.read(begin, 1)
                os.write(reply, VERBS[verb](*arguments).encode())
            finally:
                os._exit(0)
        os.close(reply)
        answers.append(answer)
    os.close(hold)
    return [os.fdopen(answer).read() for answer in answers]


if __name__ == "__main__":
    if sys.argv[1] == "upgrade":
        upgrade(sys.argv[2])
    elif sys.argv[1] == "together":
        print(json.dumps(together(json.loads(sys.argv[2]))))
    else:
        open_store(CONFIG)
        VERBS[sys.argv[1]](*sys.argv[2:])
