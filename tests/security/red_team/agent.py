"""An agent that turned on its host: it tries everything, and says what it got. Run inside an attempt; standard library only.

    python3 agent.py FACTS.json

The facts say where everything worth having lies. One line for each attack that won: `WIN name: what`. Whether something it
wrote reached the host, and not just a place of its own under the same name, is for the test to see.
"""

from __future__ import annotations

import ctypes
import errno
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Attack = Callable[[dict[str, Any]], object]
ATTACKS: dict[str, Attack] = {}
SECONDS = 3
X86 = os.uname().machine == "x86_64"
libc = ctypes.CDLL(None, use_errno=True)
AT_HOME = ("id_ed25519", "credentials")


def attack(function: Attack) -> Attack:
    """One way to do harm: whatever true thing it returns is a win, an error is none."""
    ATTACKS[function.__name__.replace("_", "-")] = function
    return function


#: Files it must not read: the fact that names the folder, and the path in it.
READS = {
    "read-the-token": ("data", "token"),
    "read-the-store": ("data", "openruntime.sqlite3"),
    "read-another-task": ("other_worktree", "secret.txt"),
    "read-what-others-left-in-tmp": ("tmp", "canary"),
    "read-shared-memory-of-others": ("shared_memory", ""),
    "read-what-is-uncommitted": ("repository", "uncommitted.txt"),
    "read-the-repository-s-configuration": ("repository", ".git/config"),
}
#: Files it must not write, and what it leaves there.
WRITES = {
    "write-the-store": ("data", "openruntime.sqlite3-x", "x"),
    "write-another-task": ("other_worktree", "planted", "x"),
    "write-at-home": ("home", ".profile", "echo planted\n"),
    "write-the-system": ("tmp", "planted", "x"),
    "write-the-checkout": ("repository", "planted.txt", "x"),
    "configure-git": ("repository", ".git/config", "[core]\n\tfsmonitor = evil\n"),
    "plant-a-hook": ("repository", ".git/hooks/post-checkout", "#!/bin/sh\n"),
    "move-a-branch": ("repository", ".git/refs/heads/planted", "0" * 40 + "\n"),
    "write-an-object": ("repository", ".git/objects/planted", "x"),
}


def reading(folder: str, name: str) -> Attack:
    return lambda facts: Path(facts[folder], name).read_bytes()[:16]


def writing(folder: str, name: str, text: str) -> Attack:
    def tried(facts: dict[str, Any]) -> object:
        with Path(facts[folder], name).open("a") as file:
            return file.write(text)

    return tried


ATTACKS |= {name: reading(*what) for name, what in READS.items()}
ATTACKS |= {name: writing(*what) for name, what in WRITES.items()}


def called(number_x86: int, number_arm: int, *arguments: int) -> bool:
    """Whether a system call by its number is there for us: it succeeds, or fails only for what we gave it."""
    result = int(libc.syscall(number_x86 if X86 else number_arm, *arguments))
    return result >= 0 or ctypes.get_errno() == errno.EFAULT


# Our own programs, their store and their words


@attack
def reach_the_api(facts: dict[str, Any]) -> object:
    connection = http.client.HTTPConnection(facts["api"], timeout=SECONDS)
    connection.request("GET", "/health")
    return connection.getresponse().status


@attack
def approve_itself(facts: dict[str, Any]) -> object:
    token = Path(facts["data"], "token").read_text().strip()
    connection = http.client.HTTPConnection(facts["api"], timeout=SECONDS)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/tasks", json.dumps(facts["another_task"]), headers)
    return connection.getresponse().status == 200


@attack
def use_what_lies_about(facts: dict[str, Any]) -> object:
    """Every word of its environment and of the files it may read, as a token and as a cookie."""
    words = {
        *os.environ.values(),
        *(line for path in Path(".").glob("*.json") for line in path.read_text().split('"')),
    }
    for word in [word for word in words if 20 < len(word) < 100 and word.isprintable()][:20]:
        connection = http.client.HTTPConnection(facts["api"], timeout=SECONDS)
        connection.request(
            "GET", "/tasks", headers={"Authorization": f"Bearer {word}", "Cookie": f"session={word}"}
        )
        if connection.getresponse().status == 200:
            return word[:4]
    return None


@attack
def command_its_own_shim(facts: dict[str, Any]) -> object:
    os.chdir(Path(facts["data"], "attempts", os.environ["OPENRUNTIME_ATTEMPT_ID"]))
    with socket.socket(socket.AF_UNIX) as shim:
        shim.connect("control.sock")
        return True


# The person's files


@attack
def read_keys(facts: dict[str, Any]) -> object:
    return [name for name in AT_HOME if Path(facts["keys"], name).read_text()]


@attack
def read_keys_through_a_link(facts: dict[str, Any]) -> object:
    link = Path("link-to-key")
    link.symlink_to(Path(facts["keys"], "id_ed25519"))
    return link.read_text()


@attack
def hold_a_key_by_a_hard_link(facts: dict[str, Any]) -> object:
    os.link(Path(facts["keys"], "id_ed25519"), "hard-link-to-key")
    return Path("hard-link-to-key").read_text()


@attack
def swap_a_folder_at_home(facts: dict[str, Any]) -> object:
    os.rename(facts["keys"], Path(facts["home"], "moved"))
    os.rename(Path(facts["home"], "moved"), facts["keys"])
    return True


@attack
def change_modes_at_home(facts: dict[str, Any]) -> object:
    os.chmod(Path(facts["keys"], "id_ed25519"), 0o644)
    return True


@attack
def see_names_and_sizes_at_home(facts: dict[str, Any]) -> object:
    return Path(facts["keys"], "id_ed25519").stat().st_size


# The person's repository


@attack
def write_by_git_where_its_policy_forbids_it(facts: dict[str, Any]) -> object:
    subprocess.run(["git", "branch", "planted-by-git"], check=True, capture_output=True)
    ask = ["git", f"--git-dir={facts['repository']}/.git", "rev-parse", "--verify", "planted-by-git"]
    return subprocess.run(ask, check=True, capture_output=True).stdout


# Other processes


@attack
def read_an_environment(facts: dict[str, Any]) -> object:
    return [pid for pid in facts["pids"] if Path(f"/proc/{pid}/environ").read_bytes()]


@attack
def see_other_processes(facts: dict[str, Any]) -> object:
    return facts["victim_s_argument"].encode() in Path(f"/proc/{facts['victim']}/cmdline").read_bytes()


@attack
def signal_others(facts: dict[str, Any]) -> object:
    os.kill(facts["victim"], signal.SIGWINCH)
    return True


@attack
def trace_others(facts: dict[str, Any]) -> object:
    return libc.ptrace(16, facts["victim"], 0, 0) == 0  # PTRACE_ATTACH


@attack
def read_memory_of_others(facts: dict[str, Any]) -> object:
    with open(f"/proc/{facts['victim']}/mem", "rb"):
        return True


@attack
def look_into_open_files_of_others(facts: dict[str, Any]) -> object:
    return os.readlink(f"/proc/{facts['victim']}/cwd")


@attack
def enter_a_namespace(facts: dict[str, Any]) -> object:
    with open(f"/proc/{facts['victim']}/ns/mnt") as space:
        return libc.setns(space.fileno(), 0) == 0


@attack
def make_a_user_namespace(facts: dict[str, Any]) -> object:
    return libc.unshare(0x10000000) == 0


@attack
def mount_something(facts: dict[str, Any]) -> object:
    os.mkdir("mounted")
    won = libc.mount(b"none", b"mounted", b"tmpfs", 0, None) == 0
    libc.umount2(b"mounted", 2)
    return won


@attack
def use_kernel_keys(facts: dict[str, Any]) -> object:
    return called(250, 219, 0, -3, 0)  # keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING)


@attack
def use_bpf_or_io_uring(facts: dict[str, Any]) -> object:
    return called(425, 425, 1, 0) or called(321, 280, 0, 0, 0)


@attack
def type_into_a_terminal(facts: dict[str, Any]) -> object:
    with open(facts["terminal"], "w") as terminal:
        return terminal.write("planted\n")


# Sockets


def connected(family: int, address: Any, kind: int = socket.SOCK_STREAM) -> bool:
    with socket.socket(family, kind) as one:
        one.settimeout(SECONDS)
        one.connect(address)
        one.send(b"x")
        return True


@attack
def reach_a_service_of_the_host(facts: dict[str, Any]) -> object:
    return connected(socket.AF_INET, ("127.0.0.1", facts["port"]))


@attack
def send_a_datagram(facts: dict[str, Any]) -> object:
    return connected(socket.AF_INET, ("127.0.0.1", facts["datagram_port"]), socket.SOCK_DGRAM)


@attack
def reach_docker_or_an_ssh_agent(facts: dict[str, Any]) -> object:
    return connected(socket.AF_UNIX, facts["unix_socket"])


@attack
def reach_an_abstract_socket(facts: dict[str, Any]) -> object:
    return connected(socket.AF_UNIX, "\0" + facts["abstract"])


@attack
def use_other_families(facts: dict[str, Any]) -> object:
    for family in (socket.AF_VSOCK, socket.AF_ALG, socket.AF_PACKET):
        with socket.socket(family, socket.SOCK_SEQPACKET if family == socket.AF_ALG else socket.SOCK_STREAM):
            return family
    return None


# What it was given, and what it leaves


@attack
def find_what_was_not_granted_in_its_environment(facts: dict[str, Any]) -> object:
    return [name for name, value in os.environ.items() if facts["not_granted"] in value]


@attack
def use_a_descriptor_it_inherited(facts: dict[str, Any]) -> object:
    for number in range(3, 64):
        try:
            where = os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            continue
        if where.startswith(facts["data"]) and not where.endswith("/lock"):
            return where
    return None


@attack
def leave_a_daemon(facts: dict[str, Any]) -> object:
    """Forked twice, in a session of its own, deaf to every signal; whether it outlives us is for the test to see."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            for descriptor in range(3):
                os.close(descriptor)
            os.execv("/bin/sleep", ["sleep", str(facts["daemon_sleeps"])])
        os._exit(0)
    return None


def tried(name: str, facts: dict[str, Any]) -> None:
    """One attack, in a process of its own: what it does to itself must not help or hinder the next."""
    signal.alarm(2 * SECONDS)
    try:
        won = ATTACKS[name](facts)
    except Exception:  # noqa: BLE001 - whatever stopped it, it was stopped
        return
    if won:
        print(f"WIN {name}: {str(won)[:60]!r}", flush=True)


def main() -> None:
    facts = json.loads(Path(sys.argv[1]).read_text())
    for name in ATTACKS:
        child = os.fork()
        if child == 0:
            tried(name, facts)
            os._exit(0)
        os.waitpid(child, 0)
    print(f"TRIED {len(ATTACKS)}", flush=True)


if __name__ == "__main__":
    main()
