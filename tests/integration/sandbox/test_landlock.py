"""What an agent cannot do where the kernel offers Landlock only, tried from inside as an ordinary process."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import SandboxFailed
from tests.integration.sandbox.conftest import Place
from workers.attempts.sandbox import confine, tier
from workers.attempts.sandbox.landlock import around
from workers.shim import landlock

pytestmark = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")


@pytest.fixture
def shut(place: Place) -> Place:
    """The place of the bubblewrap tests, in the Landlock tier."""
    scratch = place.data / "attempts/scratch"
    scratch.mkdir(parents=True)
    guarded = place.home / ".claude/settings.json"
    place.tier = "landlock"
    place.bounds = replace(
        place.bounds,
        scratch=scratch,
        agent_home=[],
        agent_home_read_only=[(guarded, guarded)],
    )
    return place


def test_the_tier_is_found_by_running_it_and_can_be_asked_for() -> None:
    found = tier("landlock")
    assert (found.name, found.works, found.landlock) == ("landlock", True, landlock.version())
    assert tier("none").works is False


def test_where_bubblewrap_does_not_work_it_is_taken_and_says_how_to_get_the_better_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    tier.cache_clear()
    try:
        found, asked_for = tier(), tier("bubblewrap")
    finally:
        tier.cache_clear()
    assert (found.name, found.works) == ("landlock", True)
    assert "apt install bubblewrap" in found.fix[0]
    assert "not installed" in found.detail
    assert (asked_for.name, asked_for.works) == ("none", False), (
        "what was asked for is never replaced by less"
    )


def test_the_worktree_is_writable_and_nothing_else_is(shut: Place) -> None:
    code, out, err = shut.sh(
        "echo mine > new && cat file; for f in /etc/x /usr/x /x /tmp/x /dev/shm/x $HOME/.profile $HOME/x $HOME/.cargo/bin/x "
        f"{shut.home}/.claude/settings.json {shut.user}/.git/config {shut.user}/.git/hooks/x {shut.user}/x; do "
        "(echo bad > $f) 2>/dev/null && echo wrote $f; done; echo scratch > $TMPDIR/x && cat $TMPDIR/x"
    )
    assert (code, out) == (0, "committed\nscratch\n"), err
    assert (shut.worktree / "new").read_text() == "mine\n"
    assert (shut.home / ".claude/settings.json").read_text() == "{}"


def test_keys_other_tasks_and_our_data_cannot_be_read(shut: Place) -> None:
    paths = [
        shut.home / ".ssh/id_ed25519", shut.data / "token", shut.data / "worktrees/other/file",
        shut.user / "uncommitted", shut.home / ".cargo/credentials.toml", Path("/etc/shadow"), Path("/proc/1/environ"),
    ]  # fmt: skip
    code, out, _ = shut.sh(
        f"cat {' '.join(map(str, paths))} 2>/dev/null; ls {shut.data} $HOME/.ssh 2>/dev/null; $HOME/.cargo/bin/tool"
    )
    assert (code, out) == (0, "tool ran\n")


def test_git_reads_the_repository_and_writes_it_only_where_the_policy_lets_it(shut: Place) -> None:
    commit = "git status --short; git log --oneline | wc -l; echo x > file; git commit -qam agent && echo committed"
    _, out, err = shut.sh(commit)
    assert out.split() == ["1"], err
    assert "index.lock" in err
    _, out, err = shut.sh(commit, bounds=replace(shut.bounds, git_write=True))
    assert out.split()[-1] == "committed", err
    _, out, _ = shut.sh(
        f"git config core.pager evil; echo x > {shut.user}/.git/hooks/post-commit; true",
        bounds=replace(shut.bounds, git_write=True),
    )
    assert "evil" not in (shut.user / ".git/config").read_text()
    assert not (shut.user / ".git/hooks/post-commit").exists()


CALLS = """
import ctypes, errno, os, signal, socket, subprocess, threading, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(name, act):
    try: act()
    except OSError as error: assert error.errno in (1, 13, 97, 95), (name, error)
    else: print('WIN', name)
refused('unix socket', lambda: socket.socket(socket.AF_UNIX))
refused('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))
refused('signal', lambda: os.kill(int(sys.argv[1]), 0))
refused('namespace', lambda: os.unshare(os.CLONE_NEWUSER) if hasattr(os, 'unshare') else (_ for _ in ()).throw(OSError(1, '')))
if libc.ptrace(16, int(sys.argv[1]), 0, 0) == 0: print('WIN ptrace')
socket.socketpair()
threading.Thread(target=print, args=('threads',)).start()
print(subprocess.run(['echo', 'children'], capture_output=True, text=True).stdout.strip())
"""


def test_other_processes_are_out_of_reach_and_ordinary_work_goes_on(shut: Place) -> None:
    (shut.worktree / "calls.py").write_text(CALLS)
    code, out, err = shut.sh(f"python3 calls.py {os.getpid()}")
    assert code == 0, err
    assert sorted(out.split()) == ["children", "threads"]


@pytest.mark.parametrize("network", ["own", "shared"])
def test_without_network_there_is_no_socket_for_one(shut: Place, network: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _, out, err = shut.sh(
            f'python3 -c \'import socket; socket.create_connection(("127.0.0.1", {port}), 2); print("reached")\'',
            bounds=replace(shut.bounds, network=network),  # type: ignore[arg-type]
        )
    assert out == ("reached\n" if network == "shared" else ""), err


@pytest.mark.skipif(landlock.version() < landlock.TCP_SINCE, reason="this kernel's Landlock knows no ports")
def test_only_listed_ports_are_reached(shut: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listed, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [server.getsockname()[1] for server in (listed, other)]
        code = "; ".join(
            f"print(s.connect_ex(('127.0.0.1', {port})))"
            if number
            else f"import socket as k; s=k.socket(); print(s.connect_ex(('127.0.0.1', {port}))); s=k.socket()"
            for number, port in enumerate(ports)
        )
        _, out, err = shut.sh(
            f'python3 -c "{code}; k.socket(proto=262)"', bounds=replace(shut.bounds, ports=[ports[0]])
        )
    assert out.split() == ["0", "13"], err
    assert "Protocol not supported" in err, "the same bytes by another protocol"


def test_a_terminal_is_the_agent_s_own(shut: Place) -> None:
    assert shut.sh("test -t 0 && echo terminal", pty=True)[1] == "terminal\r\n"
    assert (
        shut.sh("for t in /dev/pts/[0-9]*; do (echo x > $t) 2>/dev/null && echo wrote; done; true")[1] == ""
    )


def test_a_kernel_that_refuses_starts_nothing(shut: Place) -> None:
    confined = confine(["/bin/sh", "-c", "echo ran > ran"], shut.bounds, "landlock")
    broken = replace(confined, seccomp=b"\0" * 8)
    run = shut.start("true")
    assert run.ended().code == 0
    run = type(run)(shut.data / "attempts/broken")
    with pytest.raises(SandboxFailed, match="system call filter"):
        run.start("sh", confinement=broken, cwd=str(shut.worktree))
    ended = run.ended()
    assert (ended.code, ended.exec_error) == (None, None)
    assert not (shut.worktree / "ran").exists()


def test_a_folder_that_holds_something_hidden_is_given_but_for_that(tmp_path: Path) -> None:
    for name in ("a/b/secret", "a/open", "c/open"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    rules = dict(around(tmp_path, [tmp_path / "a/b"], "read"))
    assert rules == {
        str(tmp_path): "list", str(tmp_path / "a"): "list", str(tmp_path / "a/open"): "read", str(tmp_path / "c"): "read",
    }  # fmt: skip
    assert dict(around(tmp_path / "c", [tmp_path / "a/b"], "read")) == {str(tmp_path / "c"): "read"}
