"""Carrying out a person's commands on a live attempt: reply, end of input, interrupt, stop, decide."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from shared import approvals, commands
from shared.commands import CommandKind, State
from shared.crashpoints import crashpoint
from shared.errors import AgentLost
from shared.review import turns
from shared.secrets import masking
from shared.store.models import Approval, Command
from workers.attempts import process
from workers.attempts.watch import Watch

ANSWER_SECONDS = 5.0
#: How long a reply's answer waits until the reply itself stands in the timeline.
SEEN_SECONDS = 1.5
#: Why supervision itself ends an agent: its model cannot be reached, or it does not ask where it must.
OUTAGE, UNSAFE = "outage", "unsafe"


def carry_out(watch: Watch, command: Command) -> None:
    """Do what a command says and end it; a command the agent can no longer take is left to the attempt's end."""
    try:
        match CommandKind(command.kind):
            case CommandKind.REPLY:
                _reply(watch, command)
            case CommandKind.CLOSE_INPUT:
                _settle(watch, command, _ask(watch, "close_input", id=command.id))
            case CommandKind.INTERRUPT:
                _settle(watch, command, _interrupt(watch, command))
            case CommandKind.MODE:
                _settle(watch, command, _set_mode(watch, command))
            case CommandKind.STOP:
                _stop(watch, command)
            case CommandKind.DECIDE:
                _decide(watch, command)
            case _:
                commands.finish(command.id, State.IGNORED)
    except AgentLost:
        #: The agent ended just now: its ending applies a stop, expires the rest, and keeps an agent's replies.
        watch.dirty = True


def end_turn(watch: Watch) -> None:
    """The agent is done and nobody said anything more: close its input, so that it ends."""
    waiting = commands.waiting_for([watch.attempt.id])
    if not watch.at_rest or any(command.kind == CommandKind.REPLY for command in waiting):
        watch.in_hand.discard("end-turn")
        return
    try:
        _ask(watch, "close_input", id=f"end-turn-{watch.offset}")
    except AgentLost:
        watch.dirty = True


def hold_clock(watch: Watch) -> None:
    """While a person thinks, the agent's time budget stands still."""
    with suppress(AgentLost):
        _ask(watch, "pause")


def send(watch: Watch, id: str) -> None:
    """Give the agent what its protocol needs next; sent again after a crash, the shim knows the id."""
    with suppress(AgentLost):
        answer = _write(watch, f"send-{id}", watch.unsent[id])
        if answer.get("ok"):
            watch.post(partial(watch.sent, id), 0)
            return
    watch.in_hand.discard(f"send-{id}")


def end(watch: Watch, why: str, ladder: Sequence[tuple[str, float]] | None = None) -> None:
    """End an agent that cannot or must not go on; the attempt's ending says why."""
    with suppress(AgentLost):
        _ask(watch, "stop", id=f"end-{why}", why=why, **({} if ladder is None else {"ladder": list(ladder)}))


def _ask(watch: Watch, op: str, **fields: Any) -> dict[str, Any]:
    """One request on a connection of its own: the loop's stays free for what the shim pushes."""
    control = process.attach(watch.directory)
    crashpoint("steering.before-ask")
    try:
        answer = control.request(op, timeout_seconds=ANSWER_SECONDS, **fields)
        crashpoint("steering.after-ask")
        return answer
    finally:
        control.close()


def _write(watch: Watch, id: str, data: bytes) -> dict[str, Any]:
    """Bytes for the agent's input, once for each id."""
    return _ask(watch, "input", id=id, data=base64.b64encode(data).decode())


def _reply(watch: Watch, command: Command) -> None:
    if Command.get_by_id(command.id).state != State.ACCEPTED:
        return  # withdrawn while it waited
    if command.body.get("mode") == "queue" and (watch.is_working or _is_behind(watch, command)):
        watch.in_hand.discard(command.id)  # it is looked for again when the turn has ended
        return
    data = watch.runner.reply(masking.revealed(str(command.body["message"])), watch.reader.state())
    if data is None:
        #: An agent that takes no words while it works: its ending sets the reply aside, and its session is resumed.
        if watch.takes_replies:
            watch.in_hand.discard(command.id)
        return
    answer = _say(watch, command, data)
    if not answer.get("ok") and watch.runner.name != "shell":
        return
    if answer.get("ok"):
        if watch.is_agent and not approvals.pending_of(watch.attempt.id):
            with suppress(AgentLost):
                _ask(watch, "resume")
        watch.post(watch.heard_reply, SEEN_SECONDS)
        watch.in_hand.discard("end-turn")
    _settle(watch, command, answer, delivery="stdin")


def _say(watch: Watch, command: Command, data: bytes) -> dict[str, Any]:
    """Words for the agent; told to an idle one they begin a turn, which is recorded before the agent can begin it."""
    if watch.is_working or not watch.is_agent:
        return _write(watch, command.id, data)
    turns.begin(watch.attempt, command.id, watch.before_turn())
    answer: dict[str, Any] = {}
    try:
        answer = _write(watch, command.id, data)
        return answer
    finally:
        if not answer.get("ok"):
            turns.withdraw(command.id)


def _is_behind(watch: Watch, command: Command) -> bool:
    """Whether another reply was to be sent before this one."""
    waiting = commands.waiting_for([watch.attempt.id])
    first = next((one.id for one in waiting if one.body.get("mode") == "queue"), command.id)
    return bool(first != command.id)


def _interrupt(watch: Watch, command: Command) -> dict[str, Any]:
    data = watch.runner.interrupt(watch.reader.state())
    if data is None:
        return _ask(watch, "interrupt", id=command.id)
    return _write(watch, command.id, data)


def _set_mode(watch: Watch, command: Command) -> dict[str, Any]:
    change = getattr(watch.runner, "set_mode", None)
    data = change(str(command.body["mode"]), watch.reader.state()) if change else None
    if data is None:
        return {"ok": False, "error": "This agent cannot change its mode while it runs."}
    return _write(watch, command.id, data)


def _stop(watch: Watch, command: Command) -> None:
    """Ask the shim to end the agent; the command is applied by the attempt's end."""
    watch.stopping = True
    _ask(watch, "stop", id=command.id, why=command.body.get("reason", "user"))


def _decide(watch: Watch, command: Command) -> None:
    row = approvals.get(command.body["approval"])
    note = masking.revealed(row.note) if row.note else row.note
    reply = _answer_to(watch, row, note)
    if reply is None:
        commands.finish(command.id, State.IGNORED, {"detail": "This runner takes no answers."})
        return
    denied = row.status == "denied"
    if denied and note and not watch.runner.capabilities.reasons:
        _remark(watch, f"{command.id}-note", f"{row.title} — denied: {note}")
    answer = _ask(watch, "answer", id=command.id, request_id=row.request, reply=reply)
    if answer.get("ok"):
        approvals.delivered(row.id)
        if not approvals.pending_of(watch.attempt.id):
            _ask(watch, "resume")
            watch.post(watch.answered, SEEN_SECONDS)
    _settle(watch, command, answer)


def _answer_to(watch: Watch, row: Approval, note: str | None) -> dict[str, Any] | None:
    """An adapter may end the turn with the answer nobody gave in time; else its model could go on before the interrupt."""
    expire = getattr(watch.runner, "expire", None)
    if row.status == "expired" and expire is not None:
        return dict(expire(row.input, note))
    return watch.runner.answer(
        allowed=row.status == "allowed",
        note=note,
        updated_input=masking.throughout(row.updated_input, masking.revealed),
        question=row.input,
    )


def _remark(watch: Watch, id: str, text: str) -> None:
    """Say before the answer what it has no room for; the agent reads it with the answer's effect."""
    data = watch.runner.reply(text, watch.reader.state())
    if data is not None:
        _write(watch, id, data)


def _settle(watch: Watch, command: Command, answer: dict[str, Any], **result: Any) -> None:
    if answer.get("ok"):
        commands.finish(command.id, State.APPLIED, result)
        crashpoint("steering.finished")
    else:
        detail = str(answer.get("error", "The agent did not take it."))
        refusal = {"status": 409, "slug": "conflict", "title": "Wrong state", "detail": detail}
        commands.finish(command.id, State.REFUSED, refusal)
