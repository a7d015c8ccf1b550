"""A live agent: input, interruption, re-attachment, questions, waiting and budgets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from shared.errors import AgentLost
from tests.integration.attempts.driver import NOTE, STDIN, Run
from tests.waiting import wait_until
from workers.attempts import log, process

ROOT = Path(__file__).parents[3]
WORKER = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from workers.attempts import process, log
control = process.attach(Path(sys.argv[2]))
control.request("watch")
offset = 0
while True:
    control.pushes()
    frames, offset = log.read(Path(sys.argv[2], "log"), offset, 4096)
    if frames:
        print(json.dumps([b"".join(frame.payload for frame in frames if frame.stream == 1).decode(), offset]), flush=True)
    time.sleep(0.002)
"""


def test_input_sent_twice_with_one_id_arrives_once(run: Run) -> None:
    run.sh("cat; exec sleep 300")
    assert run.say("a", b"one\n") == {"v": 1, "n": 1, "ok": True}
    assert run.say("a", b"one\n")["duplicate"]
    assert run.say("b", b"two\n")["ok"]
    assert run.ask("close_input", id="c")["ok"]
    assert run.ask("close_input", id="c")["duplicate"]
    refused = run.say("d", b"three\n")
    assert refused["ok"] is False
    assert "closed" in refused["error"]
    run.shows(b"two")
    run.ask("stop", id="e", why="user")
    run.ended()
    assert run.text() == run.text(STDIN) == b"one\ntwo\n"


def test_input_before_the_prompt_is_read_by_it(run: Run) -> None:
    run.sh("sleep 0.2; printf 'name? '; read name; echo hello $name", first_input=b"early\n").ended()
    assert run.text() == b"name? hello early\n"


def test_a_terminal_shows_a_prompt_echoes_and_ends_at_its_end_of_input(run: Run) -> None:
    run.sh("test -t 0 && test -t 1 && printf 'name? '; read name; echo hello $name; cat", pty=True)
    run.shows(b"name? ")
    run.say("1", b"you\n")
    run.shows(b"hello you\r\n")
    run.ask("close_input", id="2")
    assert run.ended().code == 0
    assert run.text() == b"name? you\r\nhello you\r\n"


def test_ten_megabytes_to_an_agent_that_does_not_read_block_nothing(run: Run) -> None:
    run.sh("sleep 300")
    began = time.monotonic()
    assert run.say("big", b"x" * 10_000_000)["ok"]
    status = run.ask("status")
    assert status["unsent_input_bytes"] > 9_000_000
    assert time.monotonic() - began < 5
    run.ask("stop", id="s", why="user")
    assert run.ended().signal == signal.SIGTERM
    assert [note["bytes"] for note in run.notes() if note["note"] == "input-dropped"] == [
        status["unsent_input_bytes"]
    ]


def test_large_input_arrives_whole(run: Run) -> None:
    data = os.urandom(3_000_000)
    run.python(
        "import sys,hashlib;print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())",
        first_input=data,
        close_input_after_first=True,
        redact_rules=False,
    ).ended()
    import hashlib

    assert run.text().decode().strip() == hashlib.sha256(data).hexdigest()


def test_an_interrupt_reaches_what_runs_in_front_and_the_shell_goes_on(run: Run) -> None:
    run.sh("trap : INT; echo ready; sleep 300; echo after; read a; echo $a")
    run.shows(b"ready")
    wait_until(lambda: len(run.members()) == 2, what="sleep to run")
    assert run.ask("interrupt", id="1")["ok"]
    run.shows(b"after")
    run.say("2", b"end\n")
    assert run.ended().code == 0


def test_an_interrupt_on_a_terminal_reaches_the_foreground_group(run: Run) -> None:
    run.start(
        "/bin/bash", "--norc", "-i", pty=True, env={"PATH": os.environ["PATH"], "PS1": "ready> ", "HOME": "/"}
    )
    run.shows(b"ready> ")
    run.say("1", b"sleep 300\n")
    wait_until(lambda: len(run.members()) == 2, what="sleep to run")
    run.ask("interrupt", id="2")
    wait_until(lambda: len(run.members()) == 1, what="sleep to end")
    run.say("3", b"exit 5\n")
    assert run.ended().code == 5


def test_a_killed_worker_s_successor_sees_no_gap_and_no_double(run: Run) -> None:
    lines = 3000
    run.sh(
        f"i=0; while [ $i -lt {lines} ]; do echo line $i; i=$((i+1)); done; read a; echo got $a; sleep 0.1"
    )
    argv = [sys.executable, "-c", WORKER, str(ROOT), str(run.directory)]
    worker = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    seen = b""
    while b"line 50\\n" not in seen.rpartition(b"\n")[0]:
        seen += os.read(worker.stdout.fileno(), 4096)
    worker.kill()
    seen += worker.stdout.read()
    worker.stdout.close()
    worker.wait()
    batches = [json.loads(line) for line in seen.split(b"\n")[:-1]]  # a torn last one was never stored
    text, offset = "".join(batch[0] for batch in batches).encode(), batches[-1][1]
    assert offset < (run.directory / "log").stat().st_size or run.state == "alive"
    run.shows(f"line {lines - 1}\n".encode())
    assert run.say("reply", b"hello\n")["ok"]
    assert run.say("reply", b"hello\n").get("duplicate") or run.state == "exited"
    run.ended()
    rest, end = log.read(run.directory / "log", offset, 1 << 30)
    text += b"".join(frame.payload for frame in rest if frame.stream == 1)
    assert text == b"".join(b"line %d\n" % number for number in range(lines)) + b"got hello\n"
    assert end == (run.directory / "log").stat().st_size


def test_a_watcher_is_told_once_until_it_looks_and_hears_of_the_end(run: Run) -> None:
    run.sh("read a; echo one; read a; for i in 1 2 3 4 5 6 7 8; do echo $i; done; read a; exit 0")
    control = run.control()
    assert control.request("watch")["size"] == 0
    assert control.pushes() == []
    run.say("1", b"\n")
    pushes: list[dict[str, object]] = []
    wait_until(lambda: pushes.extend(control.pushes()) or pushes, what="a push")
    run.shows(b"one\n")
    run.say("2", b"\n")
    run.shows(b"8\n")
    run.say("3", b"\n")
    run.ended()
    last = control.pushes()
    assert len([push for push in last if "grew" in push]) <= 1
    assert last[-1]["exited"] is True
    with pytest.raises(AgentLost):
        control.request("status")


def test_operations_that_make_no_sense_are_refused_and_change_nothing(run: Run) -> None:
    run.sh("sleep 300")
    for op, fields in [
        ("fly", {}),
        ("input", {"data": "aGk="}),
        ("input", {"id": "x" * 201, "data": "aGk="}),
        ("input", {"id": "1"}),
        ("input", {"id": "1", "data": "not base64!"}),
        ("stop", {"id": "1"}),
        ("stop", {"id": "1", "why": ""}),
        ("stop", {"id": "1", "why": "user", "ladder": [["NOSIGNAL", 1]]}),
        ("stop", {"id": "1", "why": "user", "ladder": [["TERM", -1]]}),
        ("answer", {"id": "1", "request_id": "r", "reply": {}}),
    ]:
        answer = run.ask(op, **fields)
        assert answer["ok"] is False, (op, fields)
        assert answer["error"]
    assert run.ask("status")["running"]
    assert run.ask("status")["reason"] is None
    assert run.ask("hello")["protocol"] == process.PROTOCOL
    run.ask("stop", id="1", why="user", ladder=[])
    assert run.ended().signal == signal.SIGKILL


def test_an_answer_is_built_from_the_original_while_the_log_shows_the_mask(run: Run) -> None:
    secret = "hunter2hunter2"
    code = (
        "import sys,json,os\n"
        "print(json.dumps({'type':'control_request','request_id':'q1','request':{'input':{'command':'echo '+os.environ['S'],'n':2}}}),flush=True)\n"
        "got=json.loads(sys.stdin.readline())\n"
        "print('RIGHT' if got['input']=={'command':'echo '+os.environ['S'],'n':3} else got,flush=True)"
    )
    run.python(
        code,
        env={"PATH": os.environ["PATH"], "S": secret},
        secrets={"S": secret},
        requests={"where": {"type": "control_request"}, "id": "request_id"},
    )
    run.shows(b"q1")
    reply = {"input": {"$merge": ["request.input", {"n": 3}]}}
    assert run.ask("answer", id="0", request_id="q2", reply=reply)["ok"] is False
    assert run.ask("status")["requests"] == ["q1"]
    assert run.ask("answer", id="0", request_id="q1", reply=reply)["ok"]
    run.ended()
    assert run.text().endswith(b"RIGHT\n")
    assert json.loads(run.text(STDIN)) == {"input": {"command": "echo [redacted]", "n": 3}}
    assert secret.encode() not in (run.directory / "log").read_bytes()


@pytest.mark.parametrize(
    ("command", "pty"),
    [
        ("printf 'name? '; read name", False),
        ("printf 'name? '; read name", True),
        ("sh -c 'sh -c \"cat\"'", False),
        ("python3 -c 'input(\"name? \")'", False),
        ("printf 'secret: '; head -c1 < /dev/tty", True),
    ],
)
def test_an_agent_blocked_on_its_input_is_seen_and_its_clock_stands(
    run: Run, command: str, pty: bool
) -> None:
    run.sh(f"{command}; echo done", pty=pty, detect_input=True, wall_seconds=60)
    wait_until(lambda: "waiting" in run.note_names(), what="waiting")
    assert [note["detection"] for note in run.notes() if note["note"] == "waiting"] == ["read"]
    status = run.ask("status")
    assert status["waiting"]
    assert run.ask("status")["runtime_millis"] == status["runtime_millis"]
    run.say("1", b"x\n")
    with suppress(AgentLost):  # most of them have ended by now
        run.ask("close_input", id="2")
    run.ended()
    assert run.note_names()[:2] == ["waiting", "resumed"]


def test_a_prompt_is_in_the_log_before_the_note_that_it_waits(run: Run) -> None:
    run.sh("printf 'half a line'; read a", detect_input=True)
    wait_until(lambda: "waiting" in run.note_names(), what="waiting")
    frames, _ = log.read(run.directory / "log", 0)
    assert [frame.stream for frame in frames] == [1, NOTE]
    run.say("1", b"\n")
    run.ended()


def test_what_cannot_be_seen_is_guessed_from_a_prompt_and_what_works_or_sleeps_is_not(tmp_path: Path) -> None:
    selects = "import select,sys;print('go on? ',end='',flush=True);select.select([sys.stdin],[],[])"
    selecting, sleeping, working = runs = [Run(tmp_path / name) for name in ("selects", "sleeps", "works")]
    try:
        selecting.python(selects, detect_input=True)
        sleeping.sh("echo 'Continue?'; exec sleep 300", detect_input=True)
        working.python("print('Continue?',flush=True)\nwhile True: pass", detect_input=True)
        wait_until(selecting.note_names, what="the guess")
        assert selecting.notes() == [{"note": "waiting", "detection": "guess"}]
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 1, what="one more second")
        assert sleeping.notes() == working.notes() == []
    finally:
        for run in runs:
            run.close()


def test_an_agent_over_its_budget_is_stopped_in_the_shim(run: Run) -> None:
    ended = run.sh("sleep 300", wall_seconds=0.3).ended()
    assert (ended.reason, ended.signal) == ("budget-exceeded", signal.SIGTERM)
    assert 300 <= ended.runtime_millis < 2000


def test_a_pause_keeps_the_budget_until_it_is_resumed(run: Run) -> None:
    run.sh("sleep 300", wall_seconds=1.0)
    assert run.ask("pause")["ok"]
    paused_at = time.monotonic()
    wait_until(lambda: time.monotonic() - paused_at > 1.3, what="the budget's time to pass")
    assert run.ask("status")["paused"]
    assert run.state == "alive"
    run.ask("resume")
    assert run.ended().reason == "budget-exceeded"
