"""What must hold once everything is quiet: nothing lost, nothing doubled, nothing left (reliability 2)."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.audit.chain import heads_file, verify
from tests.chaos.world import DIRT, FILES, World
from tests.waiting import wait_until

ENDINGS = ("attempt-completed", "attempt-failed", "attempt-stopped", "attempt-start-failed")
GONE_SECONDS = 10.0


@dataclass
class Facts:
    """What was seen, so that a test can tell that something happened at all."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    starts: int = 0
    ends: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    landed: int = 0


class Violated(AssertionError):
    """At least one promise does not hold; each is a line."""


def check(world: World) -> Facts:
    """Raise Violated with every promise that does not hold. Call it when `world.settle()` has returned."""
    facts = Facts()
    found = [
        *_store(world),
        *_attempts(world, facts),
        *_journal(world, facts),
        *_output(world),
        *_acknowledged(world, facts),
        *_commands(world),
        *_audit(world),
        *_repository(world, facts),
        *_left(world),
    ]
    if found:
        raise Violated("\n".join([f"{len(found)} promises are broken:", *found]))
    return facts


def _store(world: World) -> Iterator[str]:
    for check in ("integrity_check", "foreign_key_check"):
        said = [str(tuple(row)) for row in world.query(f"PRAGMA {check}")]
        if said not in ([], ["('ok',)"]):
            yield f"{check}: {said[:3]}"
    for row in world.query("SELECT id, number, last_seq FROM task"):
        seqs = [
            one["seq"]
            for one in world.query("SELECT seq FROM event WHERE task = ? ORDER BY seq", row["number"])
        ]
        if seqs != list(range(1, row["last_seq"] + 1)):
            yield f"task {row['id']}: its events are not gapless up to {row['last_seq']}: {seqs}"


def _attempts(world: World, facts: Facts) -> Iterator[str]:
    said: dict[str, Counter[str]] = defaultdict(Counter)
    sql = "SELECT attempt, json_extract(metadata, '$.category') AS category FROM event WHERE attempt IS NOT NULL"
    for row in world.query(sql):
        said[row["attempt"]][row["category"]] += 1
    for row in world.query("SELECT * FROM attempt"):
        facts.attempts[row["status"]] += 1
        turns = world.query("SELECT id, ended_at FROM turn WHERE attempt = ?", row["id"])
        if [turn["id"] for turn in turns if turn["id"] == row["id"]] != [row["id"]] * bool(row["identity"]):
            yield f"attempt {row['id']}: its first turn is not the one it began with: {[turn['id'] for turn in turns]}"
        if any(turn["ended_at"] is None for turn in turns):
            yield f"attempt {row['id']} has ended, but a turn of it has not"
        endings = sum(said[row["id"]][category] for category in ENDINGS)
        if row["finished_at"] is None or endings != 1:
            yield f"attempt {row['id']} is {row['status']} and ended {endings} times"
        if said[row["id"]]["attempt-started"] > 1:
            yield f"attempt {row['id']} was started {said[row['id']]['attempt-started']} times"
    for row in world.query("SELECT id, live_attempt FROM task WHERE live_attempt IS NOT NULL"):
        yield f"task {row['id']} holds on to attempt {row['live_attempt']}"
    sql = (
        "SELECT t.id, t.status, a.status AS last FROM task t JOIN attempt a ON a.task = t.number WHERE"
        " a.attempt_number = (SELECT max(attempt_number) FROM attempt WHERE task = t.number)"
        " AND t.status != a.status AND t.worktree_merged_at IS NULL"
    )
    for row in world.query(sql):
        yield f"task {row['id']} is {row['status']}, its last attempt {row['last']}"


def _journal(world: World, facts: Facts) -> Iterator[str]:
    starts: Counter[str] = Counter()
    for line in world.agents().splitlines():
        what, label, attempt = line.split()
        if what == "DOUBLE":
            yield f"two agents of {label} ran at once"
        starts[attempt] += what == "start"
        facts.ends += what == "end"
    facts.starts = sum(starts.values())
    known = {row["id"]: row for row in world.query("SELECT id, identity FROM attempt")}
    told = {row[0] for row in world.query("SELECT attempt FROM event WHERE message LIKE 'Starting %'")}
    for attempt, times in starts.items():
        if times > 1:
            yield f"the agent of attempt {attempt} was run {times} times"
        if attempt not in known or known[attempt]["identity"] is None or attempt not in told:
            yield f"the agent of attempt {attempt} ran before the store knew of it"


def _output(world: World) -> Iterator[str]:
    ended = {line.split()[2] for line in world.agents().splitlines() if line.startswith("end ")}
    for row in world.query("SELECT id, exit_code, signal FROM attempt"):
        path = world.journal / f"out.{row['id']}"
        if not path.exists():
            continue  # an agent that keeps no journal
        wrote = path.read_text().splitlines()
        sql = "SELECT message FROM event WHERE attempt = ? AND kind = 'stdout' ORDER BY seq"
        shown = [one["message"] for one in world.query(sql, row["id"])]
        missing = len(wrote) - len(shown)
        #: A killed agent may have noted its last line and not said it; a killed shim takes along what it held.
        lost_shim = row["exit_code"] is None and row["signal"] is None
        allowed = 0 if row["id"] in ended and not lost_shim else len(wrote) if lost_shim else 1
        if shown != wrote[: len(shown)] or not 0 <= missing <= allowed:
            where = next(
                (i for i, pair in enumerate(zip(shown, wrote, strict=False)) if pair[0] != pair[1]), -1
            )
            yield (
                f"attempt {row['id']} wrote {len(wrote)} lines, its events are {len(shown)};"
                f" the first difference is at {where}: {shown[where : where + 2]} for {wrote[where : where + 2]}"
            )


def _acknowledged(world: World, facts: Facts) -> Iterator[str]:
    lines = (
        [json.loads(line) for line in world.ledger.read_text().splitlines()] if world.ledger.exists() else []
    )
    acked = [line for line in lines if "acked" in line and line["status"] in (200, 202)]
    facts.acknowledged.update(line["op"] for line in acked)
    tasks = {row["id"]: row for row in world.query("SELECT * FROM task")}
    keys: dict[str, set[str]] = defaultdict(set)
    starts: Counter[str] = Counter()
    undone = {line["task"] for line in lines if line["op"] == "undo" and "asked" in line}
    for line in acked:
        task = tasks.get(line["task"])
        if task is None:
            yield f"{line['op']} of task {line['task']} was acknowledged and the task is lost"
            continue
        if line["op"] == "create":
            keys[line["key"]].add(line["task"])
        starts[line["task"]] += line["op"] == "start"
        if line["op"] == "undo" and line["status"] == 200 and task["worktree_merged_at"] is not None:
            yield f"the undo of task {line['task']} was acknowledged and is lost"
        if line["task"] in undone:
            continue
        if line["op"] == "merge" and line["status"] == 200 and task["worktree_merged_at"] is None:
            yield f"the merge of task {line['task']} was acknowledged and is lost"
        if line["op"] == "cleanup" and line["status"] == 200 and task["worktree_cleaned_at"] is None:
            yield f"the cleanup of task {line['task']} was acknowledged and is lost"
    yield from (f"key {key} made several tasks: {made}" for key, made in keys.items() if len(made) > 1)
    asked = {line["key"] for line in lines if line.get("op") == "create" and "asked" in line}
    if len(tasks) > len(asked):
        yield f"{len(tasks)} tasks exist and {len(asked)} were asked for"
    for id, count in starts.items():
        made = world.query("SELECT count(*) FROM attempt WHERE task = ?", tasks[id]["number"])[0][0]
        if made < count:
            yield f"task {id}: {count} starts were acknowledged and {made} attempts exist"
    yield from _replies(world, acked, lines)


def _replies(world: World, acked: list[dict[str, Any]], lines: list[dict[str, Any]]) -> Iterator[str]:
    """Each unique reply is heard at most once, and once when it was acknowledged and its agent went on to its end."""
    heard: Counter[str] = Counter()
    for path in world.journal.glob("out.*"):
        heard.update(
            line.removeprefix("heard ") for line in path.read_text().splitlines() if line[:6] == "heard "
        )
    ended = {line.split()[2] for line in world.agents().splitlines() if line.startswith("end ")}
    for line in lines:
        text = line.get("text", "")
        if line["op"] == "reply" and "asked" in line and text.startswith("r-") and heard[text] > 1:
            yield f"reply {text} was heard {heard[text]} times"
    for line in acked:
        text = line.get("text", "")
        if line["op"] != "reply" or not text.startswith("r-"):
            continue
        rows = world.query(
            "SELECT attempt, state FROM command WHERE kind = 'reply' AND json_extract(body, '$.message') = ?",
            text,
        )
        if len(rows) != 1:
            yield f"reply {text} was acknowledged and has {len(rows)} rows"
        elif line["status"] == 200 and rows[0]["attempt"] in ended and not heard[text]:
            yield f"reply {text} was acknowledged, its agent ended by itself, and never heard it"


def _commands(world: World) -> Iterator[str]:
    for row in world.query("SELECT id, kind, state, finished_at FROM command"):
        if row["finished_at"] is None or row["state"] in ("accepted", "taken"):
            yield f"command {row['id']} ({row['kind']}) is {row['state']} for ever"
    for row in world.query("SELECT id, state FROM landing WHERE finished_at IS NULL OR state = 'undoing'"):
        yield f"landing {row['id']} is {row['state']} for ever"
    sql = (
        "SELECT t.id FROM landing l JOIN task t ON t.number = l.task WHERE l.state = 'landed'"
        " AND t.worktree_merged_at IS NULL"
    )
    yield from (f"task {row['id']} has landed and does not say so" for row in world.query(sql))


def _audit(world: World) -> Iterator[str]:
    """The log is whole, its heads agree, and every start that stands in the store was decided by somebody."""
    data = world.installation.data
    with closing(sqlite3.connect(data / "openruntime.sqlite3")) as store:
        found = verify(store, heads_file(data))
    if not found.stands:
        yield f"audit log: entry {found.first_bad}: {found.problem}"
    decided = {
        row["object_id"] for row in world.query("SELECT object_id FROM audit_entry WHERE kind = 'start'")
    }
    for row in world.query("SELECT id FROM attempt"):
        if row["id"] not in decided:
            yield f"attempt {row['id']} was started, and the audit log does not say by whom"


def _repository(world: World, facts: Facts) -> Iterator[str]:
    tasks = world.query("SELECT * FROM task")
    world.git("fsck", "--strict", "--no-dangling")
    landed = world.git("log", "--format=%(trailers:key=OpenRuntime-Task,valueonly)", "main").split()
    facts.landed = len(landed)
    merged = [row for row in tasks if row["worktree_merged_at"] is not None]
    for id, times in Counter(landed).items():
        if times > 1:
            yield f"task {id} landed {times} times"
    if set(landed) != {row["id"] for row in merged}:
        yield f"on main: {sorted(landed)}; in the store: {sorted(row['id'] for row in merged)}"
    expected = {**FILES, **DIRT}
    expected.update({f"{row['title']}.txt": world.git("show", f"main:{row['title']}.txt") for row in merged})
    folder = world.repository
    there = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
    for name in sorted(expected.keys() | there.keys()):
        if expected.get(name) != there.get(name):
            yield f"in the person's checkout {name} is {there.get(name)!r}, not {expected.get(name)!r}"
    status = world.git("status", "--porcelain", "--untracked-files=all", "--ignored").splitlines()
    if sorted(status) != [" M sub/b.txt", "!! build/out", "?? notes.txt"]:
        yield f"the checkout's status is {status}"
    yield from (f"{path} is left" for path in sorted((folder / ".git").rglob("*.lock")))
    with suppress(AssertionError):  # the janitor takes away what no agent ever saw
        wait_until(lambda: not [*_worktrees(world)], GONE_SECONDS, every=0.1)
    yield from _worktrees(world)


def _worktrees(world: World) -> Iterator[str]:
    tasks = world.query("SELECT * FROM task")
    standing = [row for row in tasks if row["worktree_path"] and row["worktree_cleaned_at"] is None]
    paths = {os.path.realpath(row["worktree_path"]) for row in standing}
    listed = {
        line.removeprefix("worktree ")
        for line in world.git("worktree", "list", "--porcelain").splitlines()
        if line.startswith("worktree ")
    }
    if listed - {os.path.realpath(world.repository)} != paths:
        yield f"git lists the worktrees {sorted(listed)}, the store {sorted(paths)}"
    places = world.installation.data / "worktrees"
    there = (
        {str(path.resolve()) for path in places.iterdir() if not path.name.startswith(".")}
        if places.is_dir()
        else set()
    )
    if there != paths:
        yield f"on disk are the worktrees {sorted(there)}, in the store {sorted(paths)}"
    branches = set(world.git("for-each-ref", "--format=%(refname:short)", "refs/heads/openruntime").split())
    if branches != {row["branch"] for row in standing}:
        yield f"the branches are {sorted(branches)}, the store has {sorted(row['branch'] for row in standing)}"


def _left(world: World) -> Iterator[str]:
    def remains() -> list[str]:
        return [*_processes(world), *_locks(world)]

    with suppress(AssertionError):
        wait_until(lambda: not remains(), GONE_SECONDS, every=0.05)
    yield from remains()


def _processes(world: World) -> Iterator[str]:
    ids = {row["id"] for row in world.query("SELECT id FROM attempt")}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            environment = Path("/proc", name, "environ").read_bytes().split(b"\0")
            tag = next((one for one in environment if one.startswith(b"OPENRUNTIME_ATTEMPT_ID=")), b"")
            words = Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if tag.partition(b"=")[2].decode() in ids or f"{world.installation.data}/attempts/" in words:
                yield f"process {name} is left: {words}"


def _locks(world: World) -> Iterator[str]:
    for path in world.installation.data.glob("attempts/*/lock"):
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                yield f"{path} is held"
