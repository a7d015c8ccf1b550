"""What a contained agent cannot do, tried from inside as an ordinary process."""

from __future__ import annotations

import os
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import SandboxFailed
from tests.integration.sandbox.conftest import Place, git
from tests.waiting import wait_until
from workers.attempts import process
from workers.attempts.sandbox import confine, tier

pytestmark = pytest.mark.sandbox


def test_the_tier_is_found_by_running_it() -> None:
    found = tier()
    assert (found.name, found.works) == ("bubblewrap", True)
    assert "bubblewrap" in str(found)


def test_without_bubblewrap_the_tier_says_how_to_get_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    tier.cache_clear()
    try:
        found = tier("bubblewrap")
    finally:
        tier.cache_clear()
    assert (found.name, found.works) == ("none", False)
    assert "apt install bubblewrap" in found.fix[0]
    with pytest.raises(SandboxFailed, match="not installed"):
        confine(["true"], place.bounds)


def test_the_worktree_is_writable_and_nothing_else_is(place: Place) -> None:
    code, out, err = place.sh(
        "echo mine > new && cat file; for f in /etc/x /usr/x /x $HOME/.profile $HOME/.cargo/bin/x "
        f"{place.home}/.claude/settings.json {place.user}/.git/objects/x; do (echo bad > $f) 2>/dev/null && echo wrote $f; done; "
        "echo session > $HOME/.claude/session; echo scratch > /tmp/x; echo h > $HOME/ghost; true"
    )
    assert (code, out) == (0, "committed\n"), err
    assert (place.worktree / "new").read_text() == "mine\n"
    assert (place.home / ".claude/session").read_text() == "session\n"
    assert (place.home / ".claude/settings.json").read_text() == "{}"
    assert not (place.home / "ghost").exists()
    assert not Path("/tmp/x").exists()


def test_keys_other_tasks_and_our_data_are_not_there(place: Place) -> None:
    paths = [
        place.home / ".ssh/id_ed25519", place.home / ".aws", place.data / "token", place.data / "worktrees/other/file",
        place.data / "attempts", place.user / "uncommitted", place.user / ".git/config",
    ]  # fmt: skip
    code, out, _ = place.sh(
        f"cat {' '.join(map(str, paths))} 2>/dev/null; ls {place.data} {place.data}/worktrees; test ! -s /etc/shadow"
    )
    assert "PRIVATE" not in out
    assert out.split() == [f"{place.data}:", "worktrees", f"{place.data}/worktrees:", "t1"]
    assert code == 0
    assert place.sh("cat $HOME/.cargo/credentials.toml; true")[1] == ""


def test_toolchains_of_the_home_are_found_and_run(place: Place) -> None:
    assert (
        place.sh("$HOME/.cargo/bin/tool; cat $HOME/.profile; echo $HOME $TMPDIR")[1]
        == f"tool ran\n# mine\n{place.home} /tmp\n"
    )


def test_a_hidden_folder_inside_the_worktree_is_hidden(place: Place) -> None:
    inner = place.worktree / "data"
    inner.mkdir()
    (inner / "token").write_text("PRIVATE")
    bounds = replace(place.bounds, hidden=[*place.bounds.hidden, inner, place.worktree / "file"])
    assert place.sh("ls data; cat file", bounds=bounds)[:2] == (0, "")


def test_git_works_inside_and_touches_nothing_of_the_user_s(place: Place) -> None:
    before = {path: path.read_bytes() for path in (place.user / ".git").rglob("*") if path.is_file()}
    code, out, err = place.sh(
        "git status --short && echo change >> file && git commit -qam second && git log --format=%s"
    )
    assert (code, out.split()) == (0, ["second", "first"]), err
    assert {path: path.read_bytes() for path in (place.user / ".git").rglob("*") if path.is_file()} == before
    assert git("rev-parse", "agent", cwd=place.user) != git(
        "--git-dir", str(place.private), "rev-parse", "agent", cwd=place.user
    )
    assert git("fsck", "--strict", cwd=place.user) == ""


@pytest.mark.parametrize(
    "attack",
    [
        "rm .git", "mv .git x", "echo gitdir: /tmp > .git", "G=$(git rev-parse --git-dir); mv $G/config $G/c",
        "git config core.fsmonitor x", "echo x > $(git rev-parse --git-dir)/hooks/post-commit",
        "echo /x > $(git rev-parse --git-dir)/commondir", "echo x > $(git rev-parse --git-dir)/info/attributes",
        "echo /x > $(git rev-parse --git-dir)/objects/info/alternates",
    ],
)  # fmt: skip
def test_what_steers_git_cannot_be_replaced(place: Place, attack: str) -> None:
    before = {
        name: (place.private / name).read_bytes()
        for name in ("config", "commondir", "objects/info/alternates")
    }
    gitfile = (place.worktree / ".git").read_bytes()
    code, _, _ = place.sh(attack)
    assert code != 0
    assert {name: (place.private / name).read_bytes() for name in before} == before
    assert (place.worktree / ".git").read_bytes() == gitfile
    assert list((place.private / "hooks").iterdir()) == list((place.private / "info").iterdir()) == []


def test_the_user_s_objects_cannot_be_forged(place: Place) -> None:
    code, _, _ = place.sh(
        f"cd {place.user}/.git/objects && for f in ??/*; do mv $f $f.x || rm -f $f || echo x > $f || exit 1; done"
    )
    assert code == 1
    assert git("fsck", "--strict", cwd=place.user) == ""


def test_other_processes_are_not_there_and_no_privilege_is(place: Place) -> None:
    code, out, _ = place.sh(
        "ls /proc | grep -c '^[0-9]'; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; id -u"
    )
    assert code == 0
    lines = out.split()
    assert int(lines[0]) <= 5
    assert lines[1:] == [
        "CapEff:",
        "0000000000000000",
        "NoNewPrivs:",
        "1",
        "Seccomp:",
        "2",
        str(os.geteuid() or 1000),
    ]


CALLS = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(what, result):
    if result >= 0: print('ALLOWED', what)
for family in (socket.AF_VSOCK, socket.AF_PACKET, socket.AF_ALG):
    try: socket.socket(family, socket.SOCK_STREAM); print('ALLOWED family', family)
    except OSError: pass
refused('userns', libc.unshare(0x10000000))
refused('mount', libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))
refused('ptrace', libc.ptrace(0, 0, 0, 0))
refused('keyctl', libc.syscall(250 if os.uname().machine == 'x86_64' else 219, 0, -3, 0))
refused('io_uring', libc.syscall(425, 1, 0))
refused('bpf', libc.syscall(321 if os.uname().machine == 'x86_64' else 280, 0, 0, 0))
socket.socketpair(); socket.socket(socket.AF_UNIX); socket.socket(socket.AF_INET6)
import threading, subprocess
threading.Thread(target=print, args=('threads',)).start()
print(subprocess.run(['echo', 'children'], capture_output=True, text=True).stdout.strip())
"""


def test_dangerous_system_calls_are_refused_and_ordinary_ones_work(place: Place) -> None:
    (place.worktree / "calls.py").write_text(CALLS)
    code, out, err = place.sh(
        "python3 calls.py; unshare -Ur true || echo refused; bwrap --ro-bind / / true || echo refused"
    )
    assert code == 0, err
    assert sorted(out.split()) == ["children", "refused", "refused", "threads"]


NETWORK = """
import socket, sys, threading
port, abstract = int(sys.argv[1]), sys.argv[2]
def reach(family, kind, address):
    s = socket.socket(family, kind); s.settimeout(1)
    try: s.connect(address); s.send(b'x'); print('REACHED', address)
    except OSError as error: pass
    finally: s.close()
reach(socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', port))
reach(socket.AF_INET6, socket.SOCK_STREAM, ('::1', port))
reach(socket.AF_INET, socket.SOCK_DGRAM, ('192.0.2.1', 53))
reach(socket.AF_UNIX, socket.SOCK_STREAM, '\\0' + abstract)
try: socket.getaddrinfo('example.com', 80); print('RESOLVED')
except OSError: pass
server = socket.create_server(('127.0.0.1', 0))
threading.Thread(target=lambda: server.accept()[0].send(b'own loopback works')).start()
print(socket.create_connection(server.getsockname()).recv(100).decode())
"""


@pytest.mark.parametrize("network", ["own", "shared"])
def test_the_network_is_what_the_bounds_say(place: Place, network: str) -> None:
    (place.worktree / "network.py").write_text(NETWORK)
    name = f"or-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        port = server.getsockname()[1]
        bounds = replace(place.bounds, network=network)  # type: ignore[arg-type]
        _, out, err = place.sh(f"python3 network.py {port} {name}", bounds=bounds)
    if network == "shared":
        assert "own loopback works" in out
        assert f"REACHED ('127.0.0.1', {port})" in out
    else:
        assert out == "own loopback works\n", err


def test_sockets_of_the_host_s_services_are_not_there(place: Place, tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as service:
        service.bind("agent.sock")
        code, out, _ = place.sh(
            f"ls /run /var/run/docker.sock {tmp_path}/agent.sock; env | grep -c SSH_AUTH_SOCK"
        )
    os.chdir("/")
    assert (code, out) == (1, "/run:\n0\n")


def test_a_sandbox_that_cannot_be_built_is_a_sandbox_failure_not_the_agent_s(place: Place) -> None:
    confined = confine(["/bin/sh", "-c", "echo ran > ran"], place.bounds)
    broken = replace(
        confined, argv=[confined.argv[0], "--ro-bind", "/no/such/source", "/x", *confined.argv[1:]]
    )
    run = place.start("true")
    run.ended()
    run = type(run)(place.data / "attempts/broken")
    with pytest.raises(SandboxFailed, match="/no/such/source"):
        run.start("sh", confinement=broken)
    ended = run.ended()
    assert ended.code is None
    assert "/no/such/source" in str(ended.sandbox_error)
    assert not (place.worktree / "ran").exists()


def test_a_missing_program_inside_is_an_exec_error(place: Place) -> None:
    run = type(place.start("exit 1"))(place.data / "attempts/missing")
    assert place.runs[0].ended().code == 1
    run.start("x", confinement=confine(["/no/such/program"], place.bounds))
    ended = run.ended()
    assert ended.code is None
    assert ended.sandbox_error is None
    assert "/no/such/program" in str(ended.exec_error)


@pytest.mark.parametrize("missing", ["worktree", "git_mount", "agent_home"])
def test_a_missing_part_of_the_bounds_is_refused_before_anything_starts(place: Place, missing: str) -> None:
    gone = place.data / "gone"
    values = {"worktree": gone, "git_mount": (gone, gone), "agent_home": [(gone, gone)]}
    with pytest.raises(SandboxFailed, match="does not exist"):
        confine(["true"], replace(place.bounds, **{missing: values[missing]}))  # type: ignore[arg-type]


def test_nothing_outlives_a_killed_shim_by_a_second(place: Place) -> None:
    run = place.start(
        "trap '' TERM HUP; (setsid sh -c 'trap \"\" TERM; (setsid sleep 301 &) ; sleep 302' &) ; echo ready; sleep 303"
    )
    run.shows(b"ready")
    wait_until(lambda: len(run.members()) >= 6, what="all of them to run")
    began = time.monotonic()
    run.kill_shim()
    run.all_is_gone(timeout=1)
    assert time.monotonic() - began < 1
    wait_until(lambda: run.state == "lost", what="the kernel to drop the last lock")


def test_a_contained_agent_is_stopped_politely_and_keeps_its_exit_code(place: Place) -> None:
    run = place.start("trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    run.shows(b"ready")
    run.ask("stop", id="1", why="user")
    ended = run.ended()
    assert (ended.code, ended.reason) == (9, "user")
    run.shows(b"bye\n")
    run = place.start("trap '' TERM; echo ready; while :; do sleep 1; done", ladder=[("TERM", 0.1)])
    run.shows(b"ready")
    run.ask("stop", id="1", why="user")
    ended = run.ended()
    assert (ended.signal, ended.sandbox_error) == (signal.SIGKILL, None)
    assert run.members() == []


@pytest.mark.parametrize("pty", [False, True])
def test_a_contained_agent_that_waits_for_input_is_seen(place: Place, pty: bool) -> None:
    run = place.start("printf 'name? '; read name; echo hello $name", pty=pty, detect_input=True)
    wait_until(lambda: "waiting" in run.note_names(), what="waiting")
    run.say("1", b"you\n")
    run.ended()
    assert b"hello you" in run.text()
    assert run.notes()[0] == {"note": "waiting", "detection": "read"}


def test_a_contained_agent_s_environment_is_the_granted_one_and_on_no_command_line(place: Place) -> None:
    run = place.start(
        "echo $GRANTED; sleep 300", env={"PATH": os.environ["PATH"], "GRANTED": "a-secret-value"}
    )
    run.shows(b"a-secret-value")
    for pid, _ in run.members():
        assert b"a-secret-value" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    run.ask("stop", id="1", why="user", ladder=[])
    run.ended()


def test_a_root_home_and_a_worktree_below_it_work(place: Place) -> None:
    link = place.data / "linked"
    link.symlink_to(place.worktree)
    bounds = replace(place.bounds, worktree=link, cwd=link, git_mount=None, objects_read_only=[])
    assert place.sh("pwd; echo x > by-link; ls", bounds=bounds)[1].split() == [str(link), "by-link", "file"]
    assert process.read_exit(place.runs[0].directory) is not None
    assert (place.worktree / "by-link").exists()
