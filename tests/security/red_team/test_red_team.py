"""The red-team agent in a real installation, in each tier: what it wins is exactly what docs/security.md says it wins."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.installation import Installation, git, installed, repository
from tests.security.red_team.agent import ATTACKS, WRITES
from tests.waiting import wait_until
from workers.shim import landlock

pytestmark = pytest.mark.sandbox

AGENT = Path(__file__).with_name("agent.py")
SECURITY = Path(__file__).parents[3] / "docs/security.md"
TIERS = ("bubblewrap", "Landlock", "none")
VICTIM_S_ARGUMENT = "600.0042"
NOT_GRANTED = "a-secret-of-the-worker-that-nobody-granted"
#: A network that must be open for the agent to reach anything would hide what the tier itself keeps.
POLICY: dict[str, Any] = {"blocked_commands": [], "allow_secrets": True}

#: Attacks on what no tier gives away: an environment from a list, and no descriptor or process of ours or its own left.
NEVER = {
    "use-what-lies-about",
    "find-what-was-not-granted-in-its-environment",
    "use-a-descriptor-it-inherited",
    "leave-a-daemon",
}


def stated() -> dict[str, set[str]]:
    """What docs/security.md says each tier lets by: its table of attacks, by the heading of the column."""
    table = SECURITY.read_text().split("| attack |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    names = {re.sub("`", "", row[0]): row[1:] for row in rows}
    return {
        f"{tier}{' may' if word != 'wins' else ''}": {
            name for name, cells in names.items() if cells[place] == word
        }
        for place, tier in enumerate(TIERS)
        for word in ("wins", "may win")
    }


class Host:
    """A person's machine around one installation: everything an agent could want, and where it is."""

    def __init__(self, folder: Path, stack: ExitStack, **settings: str) -> None:
        self.folder = folder
        home = folder / "home"
        (home / ".ssh").mkdir(parents=True)
        for name in ("id_ed25519", "credentials"):
            (home / ".ssh" / name).write_text("PRIVATE")
        (home / ".profile").write_text("")
        self.shared = Path(f"/dev/shm/or-{uuid4().hex}")
        self.tmp = Path(tempfile.mkdtemp(prefix="or-others-"))
        for canary in (self.shared, self.tmp / "canary"):
            canary.write_text("PRIVATE")
        stack.callback(self.shared.unlink)
        stack.callback(shutil.rmtree, self.tmp)
        self.sockets = [self._listening(stack, *which) for which in self._addresses(folder)]
        self.victim = stack.enter_context(_ended(subprocess.Popen(["sleep", VICTIM_S_ARGUMENT], cwd=folder)))
        controller, self.terminal = os.openpty()
        stack.callback(os.close, controller)
        stack.callback(os.close, self.terminal)
        self.installation: Installation = stack.enter_context(
            installed(folder, HOME=str(home), A_SECRET=NOT_GRANTED, **settings)
        )

    @staticmethod
    def _addresses(folder: Path) -> list[tuple[int, Any, int]]:
        return [
            (socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_STREAM),
            (socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM),
            (socket.AF_UNIX, str(folder / "docker.sock"), socket.SOCK_STREAM),
            (socket.AF_UNIX, f"\0or-{uuid4().hex}", socket.SOCK_STREAM),
        ]

    @staticmethod
    def _listening(stack: ExitStack, family: int, address: Any, kind: int) -> socket.socket:
        server = stack.enter_context(socket.socket(family, kind))
        server.bind(address)
        if kind == socket.SOCK_STREAM:
            server.listen()
        server.setblocking(False)
        return server

    def facts(self, user: Path, other: dict[str, Any]) -> dict[str, Any]:
        web, (worker, *_) = self.installation.web, self.installation.workers
        assert web
        return {
            "api": self.installation.address,
            "data": str(self.installation.data),
            "home": str(self.folder / "home"),
            "keys": str(self.folder / "home/.ssh"),
            "tmp": str(self.tmp),
            "shared_memory": str(self.shared),
            "repository": str(user),
            "other_worktree": other["execution_workspace"],
            "another_task": {
                "title": "t",
                "prompt": "",
                "runner": "shell",
                "command": "true",
                "workspace": str(user),
            },
            "victim": self.victim.pid,
            "pids": [self.victim.pid, web.pid, worker.pid],
            "victim_s_argument": VICTIM_S_ARGUMENT,
            "port": self.sockets[0].getsockname()[1],
            "datagram_port": self.sockets[1].getsockname()[1],
            "unix_socket": self.sockets[2].getsockname(),
            "abstract": self.sockets[3].getsockname()[1:].decode(),
            "terminal": os.ttyname(self.terminal),
            "not_granted": NOT_GRANTED,
            "daemon_sleeps": 600,
        }

    def attacked(self, **policy: Any) -> tuple[set[str], dict[str, Any]]:
        """The attacks that won in a task under this policy, and the task."""
        user = repository(self.folder / uuid4().hex)
        shutil.copy(AGENT, user / "agent.py")
        other = self.installation.run("echo PRIVATE > secret.txt", user)
        other_task = self.installation.until(other)
        facts = self.facts(user, other_task)
        (user / "facts.json").write_text(json.dumps(facts))
        git(user, "add", "-A")
        git(user, "commit", "-qm", "a red team")
        (user / "uncommitted.txt").write_text("PRIVATE")
        task_id = self.installation.run("python3 agent.py facts.json", user, policy={**POLICY, **policy})
        task = self.installation.until(task_id, timeout=60)
        said = self.installation.output(task_id)
        assert said[-1:] == [f"TRIED {len(ATTACKS)}"], (said, self.installation.output(task_id, "stderr"))
        claimed = {line.split()[1].removesuffix(":") for line in said if line.startswith("WIN ")}
        return {name for name in claimed if self.felt(name, facts)}, task

    def felt(self, name: str, facts: dict[str, Any]) -> bool:
        """Whether what an attack says it wrote or sent has arrived here."""
        if name == "send-a-datagram":
            try:
                return bool(self.sockets[1].recv(1))
            except BlockingIOError:
                return False
        if name not in WRITES:
            return True
        folder, place, text = WRITES[name]
        path = Path(facts[folder], place)
        return path.exists() and text in path.read_text()


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


@contextmanager
def host(**settings: str) -> Iterator[Host]:
    with (
        tempfile.TemporaryDirectory(prefix="or-red-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
    ):
        yield Host(Path(folder), stack, **settings)


@pytest.fixture(scope="module")
def here() -> Iterator[Host]:
    with host() as made:
        yield made


def test_in_bubblewrap_it_wins_nothing(here: Host) -> None:
    won, task = here.attacked()
    assert won == set() == stated()["bubblewrap"]
    assert task["policy_report"]["workspace_access"][0] == "enforced"
    no_daemon_is_left(task)


def test_uncontained_it_wins_exactly_what_is_stated(here: Host) -> None:
    won, task = here.attacked(workspace_access="full")
    sure, possible = stated()["none"], stated()["none may"]
    assert sure <= won <= sure | possible
    no_daemon_is_left(task)


def test_one_that_takes_too_much_memory_is_stopped_with_the_reason_and_the_figure(here: Host) -> None:
    (here.folder / "plain").mkdir()
    hog = "python3 -c 'import time; held = b\"x\" * (300 << 20); time.sleep(60)'"
    task_id = here.installation.run(hog, here.folder / "plain", policy={"max_memory_mib": 64})
    task = here.installation.until(task_id)
    assert (task["status"], task["stop_reason"]) == ("stopped", "memory-exceeded")
    about = [event for event in here.installation.events(task_id) if (event["metadata"] or {}).get("field")]
    assert [event["metadata"]["field"] for event in about] == ["max_memory_mib"]
    assert "may use 64" in about[0]["message"]


@pytest.mark.skipif(
    landlock.version() < landlock.SCOPES_SINCE, reason="this kernel's Landlock is older than what is stated"
)
def test_under_landlock_it_wins_exactly_what_is_stated() -> None:
    with host(OPENRUNTIME_CONTAINMENT="landlock") as here:
        won, task = here.attacked()
        assert won == stated()["Landlock"]
        no_daemon_is_left(task)


def no_daemon_is_left(task: dict[str, Any]) -> None:
    needle = f"OPENRUNTIME_TASK_ID={task['id']}".encode()

    def carriers() -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                found += [path.parts[2]] if needle in path.read_bytes() else []
            except OSError:
                continue
        return found

    wait_until(lambda: not carriers(), 10, what="every process of the attempt to be gone")


def test_the_table_names_every_attack_that_wins_somewhere() -> None:
    said = stated()
    assert set().union(*said.values()) == set(ATTACKS) - NEVER
    assert said["bubblewrap"] == said["bubblewrap may"] == said["Landlock may"] == set()
