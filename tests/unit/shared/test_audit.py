"""The audit log: every decision is an entry of its own transaction, bound to the one before, and a break is found."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import approvals, archive, audit, commands, deletion, tasks, workspaces
from shared.access import accounts
from shared.approvals import Question
from shared.audit import Act, Actor, chain, log
from shared.audit.chain import GENESIS, verify
from shared.commands import UNRECORDED, CommandKind
from shared.config import Config
from shared.errors import Conflict, NotReady, PolicyViolation
from shared.policy import grants
from shared.review import landings
from shared.store.database import close, raw, transaction
from shared.store.models import AuditEntry
from tests.unit.shared.played import Board


def kinds() -> list[str]:
    return [row.kind for row in AuditEntry.select().order_by(AuditEntry.seq)]


def last() -> AuditEntry:
    return AuditEntry.select().order_by(AuditEntry.seq.desc()).first()


@pytest.fixture
def heads(config: Config) -> Iterator[Path]:
    """Heads are kept as in a real process: with a store that survives a power cut."""
    raw().execute("PRAGMA synchronous = full")
    audit.keep_heads(config.data)
    yield chain.heads_file(config.data)
    log._heads = None


def test_an_entry_says_who_did_what_to_what(board: Board) -> None:
    audit.speak_as("owner:browser")
    try:
        task = board.new(title="tidy up", command="ls")
    finally:
        audit.speak_as(Actor.SYSTEM)
    entry = last()
    assert (entry.actor, entry.kind, entry.object, entry.object_id, entry.task_id) == (
        "owner:browser",
        "create",
        "task",
        task.id,
        task.id,
    )
    assert entry.detail["command"] == "ls"
    assert entry.detail["policy_hash"] == tasks.policy_of(task).digest()
    assert (entry.seq, entry.prev_hash) == (1, GENESIS)


def test_a_task_s_whole_life_is_recorded_and_outlives_it(board: Board) -> None:
    gated = board.new(policy={"require_approval": True})
    with pytest.raises(NotReady):
        tasks.request_start(gated)
    tasks.approve(gated, "go")
    tasks.request_start(gated)
    tasks.request_stop(gated)
    archive.set_archived(gated, True)
    archive.set_archived(gated, True)
    archive.set_archived(gated, False)
    landings.merged(tasks.get(gated.id), "Merged into main")
    landings.cleaned(tasks.get(gated.id), "Removed the worktree")
    deletion.request(gated)
    deletion.hide(tasks.get(gated.id))
    assert kinds() == [
        "create",
        "start-refused",
        "approve-start",
        "start",
        "stop",
        "archive",
        "unarchive",
        "merged",
        "cleaned",
        "delete",
        "deleted",
    ]
    assert {row.task_id for row in AuditEntry.select()} == {gated.id}


def test_a_refused_or_rolled_back_change_leaves_no_entry(board: Board, heads: Path) -> None:
    task = board.new()
    before = kinds()
    with pytest.raises(Conflict):
        tasks.request_steering(task, CommandKind.INTERRUPT)
    with pytest.raises(RuntimeError), transaction():
        audit.record(Act.STOP, "task", task.id)
        raise RuntimeError
    with transaction():
        with pytest.raises(RuntimeError), transaction():
            audit.record(Act.STOP, "task", task.id)
            raise RuntimeError
        raw().execute("UPDATE task SET priority = 1")
    assert kinds() == before
    assert verify(raw(), heads).stands


def test_a_reply_s_words_are_not_kept_but_its_length_is(board: Board) -> None:
    task = board.running(board.new(command="cat")).task
    tasks.request_reply(task, "hunter2-and-more", None)
    assert last().kind == "reply"
    assert last().detail["characters"] == len("hunter2-and-more")
    assert "hunter2" not in raw().execute("SELECT group_concat(detail) FROM audit_entry").fetchone()[0]


def test_secrets_in_what_is_recorded_are_masked_and_long_texts_cut(config: Config) -> None:
    key = "sk-ant-api03-" + "a1B2" * 20
    cleaned = log._clean({"command": f"curl -H 'x-api-key: {key}'", "list": [key], "long": "x" * 5000})
    assert key not in repr(cleaned)
    assert len(cleaned["long"]) == audit.TEXT_CHARACTERS + 1


def test_decisions_by_a_rule_or_by_the_clock_name_them(board: Board) -> None:
    attempt = board.running(board.agent(policy={"approval_minutes": 1}))
    task = attempt.task
    with transaction():
        first, second = (
            approvals.ask(attempt.id, task.number, Question(line, "Bash", line, line, {"command": line}))
            for line in ("git status", "rm x")
        )
    approvals.grant(task, {"tool": "Bash", "pattern": "git status", "action": "allow"})
    raw().execute("UPDATE approval SET expires_at = 1 WHERE id = ?", (second.id,))
    approvals.expire_due()
    found = {row.object_id: row for row in AuditEntry.select().where(AuditEntry.kind == "decide")}
    assert (found[first.id].actor, found[first.id].detail["decision"]) == ("rule", "allowed")
    assert "git status" in found[first.id].detail["rule"]
    assert (found[second.id].actor, found[second.id].detail["decision"]) == ("timeout", "expired")
    grants.remove(task, grants.of(task.number)[0]["id"])
    assert last().kind == "remove-rule"


def test_workspaces_and_sign_ins_are_recorded_without_their_secrets(config: Config, tmp_path: Path) -> None:
    row = workspaces.register(str(tmp_path), tmp_path)
    workspaces.change(row.id, {"preset": "auto-review"})
    workspaces.forget(row.id)
    link = accounts.mint_link()
    assert accounts.redeem(link)
    cookie, csrf = accounts.sign_in()
    accounts.sign_out(cookie)
    accounts.sign_out(cookie)
    assert kinds() == [
        "register-workspace",
        "change-workspace",
        "forget-workspace",
        "sign-in-link",
        "sign-in",
        "sign-out",
    ]
    everything = repr(list(AuditEntry.select().dicts()))
    assert not [secret for secret in (link, cookie, csrf) if secret in everything]


@pytest.mark.parametrize("kind", [kind for kind in CommandKind if kind not in UNRECORDED])
def test_every_accepted_command_is_an_entry(board: Board, kind: CommandKind) -> None:
    task = board.new()
    with transaction():
        command = commands.accept(task, kind)
    assert (last().kind, last().detail["command"]) == (kind, command.id)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM audit_entry WHERE seq = 2",
        "UPDATE audit_entry SET kind = 'x' WHERE seq = 2",
        "UPDATE audit_entry SET detail = '{}' WHERE seq = 2",
        "UPDATE audit_entry SET detail = NULL, actor = 'x' WHERE seq = 2",
        "INSERT INTO audit_entry SELECT 9, at, actor, kind, object, object_id, task_id, detail, detail_hash, prev_hash, hash"
        " FROM audit_entry WHERE seq = 2",
        "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry WHERE seq = 2",
    ],
)
def test_the_store_refuses_to_change_the_log(config: Config, change: str) -> None:
    for number in range(3):
        audit.record("create", "task", str(number))
    with pytest.raises(sqlite3.IntegrityError):
        raw().execute(change)
    assert len(kinds()) == 3


def test_writers_at_once_make_one_chain(config: Config, heads: Path) -> None:
    def write() -> None:
        for number in range(40):
            audit.record("create", "task", str(number))
        close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = verify(raw(), heads)
    assert (found.stands, found.entries) == (True, 160)
    assert len(list(chain.read_heads(heads, heads.stat().st_size))) == 160


def test_a_commit_that_a_power_cut_may_take_back_is_no_head_yet(config: Config, heads: Path) -> None:
    raw().execute("PRAGMA synchronous = normal")
    audit.record("create", "task")
    assert not heads.exists()
    raw().execute("PRAGMA synchronous = full")
    audit.record("create", "task")
    assert [head.seq for head in chain.read_heads(heads, heads.stat().st_size)] == [2]


def test_scrubbed_words_are_gone_and_the_chain_stands(config: Config, heads: Path) -> None:
    for word in ("plain", "canary", "plain"):
        audit.record("create", "task", note=word)
    raw().execute("UPDATE audit_entry SET detail = NULL WHERE seq = 2")
    assert verify(raw(), heads).first_bad == 2
    audit.record(Act.SCRUB, "store", entries=[2])
    assert verify(raw(), heads).stands
    raw().execute("UPDATE audit_entry SET detail = NULL WHERE seq = 3")
    assert verify(raw(), heads).first_bad == 3


def test_a_command_refused_at_create_is_recorded_though_no_task_is(board: Board) -> None:
    with pytest.raises(PolicyViolation):
        board.new(command="curl x", title="fetch")
    assert (last().kind, last().object_id, last().detail["rule"]) == (
        "create-refused",
        None,
        "blocked_commands",
    )
