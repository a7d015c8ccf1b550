"""Checks run on exactly the tree a landing would make: in a clean checkout of it, contained like an attempt."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shared.clock import now
from shared.config import Config
from shared.errors import AgentLost, GitFailed, LandingRefused, NotReady, SandboxFailed
from shared.review import checks
from shared.review.checks import Check, Mode, Verdict
from shared.review.gates import GateKind, item
from shared.store.models import Command, Task
from workers.attempts import errand, process
from workers.attempts.errand import Done, Errand
from workers.landing import site
from workers.landing.gates import Candidate, Item
from workers.repository import directory
from workers.repository.git import git
from workers.repository.locks import held

CHECKOUT_SECONDS = 600
#: One run of a check on a tree at a time, and whoever waits for it takes its result.
LOCK_SECONDS = checks.MOST_SECONDS + 60


def verify(task: Task, command: Command, config: Config) -> dict[str, Any]:
    """The command `verify`: run every check on what a landing would make now, those with a result only if asked to."""
    candidate = site.candidate(task, command, config)
    seen = candidate.seen
    if seen.conflicts:
        raise LandingRefused(
            "The change conflicts with the target: there is no merged tree to check.",
            conflicts=list(seen.conflicts),
            blocking=[],
        )
    again = bool(command.body.get("again"))
    run(
        candidate,
        [check for check in checks.of(task) if again or _missing(task, check, seen.tree_oid)],
        config,
    )
    shown = checks.views(task, seen.tree_oid)
    return {"tree_oid": seen.tree_oid, "verify": checks.summary(shown), "checks": shown}


def is_required(task: Task) -> bool:
    """Whether something must pass before the task lands."""
    return any(check.mode is Mode.REQUIRED for check in checks.of(task))


def left_out(candidate: Candidate, override: list[str]) -> list[Item]:
    """The required checks that a person lands without, to be recorded as overridden."""
    if GateKind.VERIFY not in override:
        return []
    return [
        item(GateKind.VERIFY, "", f"The check {check.name} was not run on the merged tree.")
        for check in checks.of(candidate.task)
        if check.mode is Mode.REQUIRED and _missing(candidate.task, check, candidate.seen.tree_oid)
    ]


def before_landing(candidate: Candidate, override: list[str], config: Config) -> None:
    """Run the required checks that have no verdict on the merged tree, unless a person overrides them anyhow.

    Raises LandingRefused for one that could not be run.
    """
    if GateKind.VERIFY in override or candidate.seen.conflicts:
        return
    tree = candidate.seen.tree_oid
    wanted = [check for check in checks.of(candidate.task) if check.mode is Mode.REQUIRED]
    run(candidate, [check for check in wanted if _missing(candidate.task, check, tree)], config)
    left = [
        item(GateKind.VERIFY, "", f"The check {check.name} could not be run: {row.note}")
        for check in wanted
        if (row := checks.result(candidate.task, check, tree)) and row.verdict == Verdict.ERROR
    ]
    if left:
        raise LandingRefused(left[0]["why"], conflicts=[], blocking=left)


def _missing(task: Task, check: Check, tree: str) -> bool:
    row = checks.result(task, check, tree)
    return row is None or row.verdict == Verdict.ERROR


def run(candidate: Candidate, wanted: Iterable[Check], config: Config) -> None:
    """Run checks one after the other on the candidate's merged tree and keep what came of each."""
    for check in wanted:
        asked_at = now()
        id = check.run_id(candidate.task.id, candidate.seen.tree_oid)
        with held(config.checks, id, timeout_seconds=LOCK_SECONDS):
            known = checks.result(candidate.task, check, candidate.seen.tree_oid)
            if known is None or known.finished_at < asked_at:
                _run(candidate, check, id, config)


def _run(candidate: Candidate, check: Check, id: str, config: Config) -> None:
    place = config.checks / id
    try:
        folder = _checked_out(candidate, place)
        wanted = Errand(
            id=id,
            command=check.command,
            folder=folder,
            cwd=_inside(folder, candidate.repository.prefix),
            objects=_objects(candidate),
            seconds=check.seconds,
        )
        verdict, said = judged(errand.run(wanted, place / "run", candidate.task, config))
    except (NotReady, SandboxFailed, AgentLost, GitFailed) as error:
        verdict, said = Verdict.ERROR, {"note": str(error)[: checks.NOTE_CHARACTERS]}
    checks.keep(candidate.task, check, candidate.seen.tree_oid, verdict, **said)
    shutil.rmtree(place, ignore_errors=True)


def sweep(config: Config, *, older_than_seconds: float) -> None:
    """Delete checkouts that were left when nobody came back for their check, unless it still runs."""
    if not config.checks.is_dir():
        return
    for place in config.checks.iterdir():
        if place.name.startswith(".") or time.time() - place.stat().st_mtime < older_than_seconds:
            continue
        if process.state(place / "run") not in ("starting", "alive"):
            shutil.rmtree(place, ignore_errors=True)


def judged(done: Done) -> tuple[Verdict, dict[str, Any]]:
    """A verdict and the fields of its result, from the exit code and a JSON object in the last line of output."""
    said: dict[str, Any] = {"exit_code": done.code, "millis": done.millis, "output": done.output}
    if done.timed_out:
        return Verdict.TIMED_OUT, said
    if failure := done.error or (done.stopped and f"it was stopped ({done.stopped})"):
        return Verdict.ERROR, {**said, "note": failure[: checks.NOTE_CHARACTERS]}
    told = _last_object(done.output)
    score, note = told.get("score"), told.get("note")
    if isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score):
        said["score"] = float(score)
    if isinstance(note, str):
        said["note"] = note[: checks.NOTE_CHARACTERS]
    passed = done.code == 0 and told.get("pass") is not False
    return (Verdict.PASSED if passed else Verdict.FAILED), said


def _last_object(output: str) -> dict[str, Any]:
    lines = output.strip().splitlines()
    try:
        told = json.loads(lines[-1]) if lines else None
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _checked_out(candidate: Candidate, place: Path) -> Path:
    """A clean checkout of the merged tree, with a git directory of its own that holds nothing of the agent's."""
    folder = place / "tree"
    if not (place / "run").is_dir():  # else the check runs in it: another worker began
        shutil.rmtree(place, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        own = directory.write(
            folder / ".git",
            object_format=candidate.repository.object_format,
            alternates=_objects(candidate),
            head=candidate.seen.commit_oid,
            bare=False,
        )
        words = ("read-tree", "-u", "--reset", candidate.seen.commit_oid)
        git(*words, git_dir=own, work_tree=folder, timeout_seconds=CHECKOUT_SECONDS)
    return folder


def _objects(candidate: Candidate) -> list[Path]:
    own = candidate.capture.git_directory / "objects"
    return [own, *directory.object_directories(candidate.repository.objects_directory)]


def _inside(folder: Path, prefix: str) -> Path:
    inside = folder / prefix
    return inside if inside.is_dir() and not inside.is_symlink() else folder
