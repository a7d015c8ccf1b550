"""One installation with a repository, agents that keep a journal, and a store that is read from outside."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from shared.crashpoints import VARIABLE
from tests.conftest import GIT_CONFIG
from tests.installation import Installation
from tests.waiting import wait_until

AGENT = Path(__file__).with_name("agent.sh")
FILES = {"a.txt": "one\ntwo\nthree\n", "sub/b.txt": "b\n", ".gitignore": "build/\n"}
#: What the person has not committed: no landing touches it, and no landing may change it.
DIRT = {"sub/b.txt": "b, edited by hand\n", "notes.txt": "mine\n", "build/out": "ignored\n"}
Process = subprocess.Popen[bytes]


@dataclass
class World:
    """`journal` lies outside everything the installation knows; `story` is what the test did, for a failure."""

    folder: Path
    installation: Installation
    story: list[str] = field(default_factory=list)

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def ledger(self) -> Path:
        """What the client asked and what was acknowledged, each line synced before it goes on."""
        return self.journal / "ledger"

    def command(self, label: str, lines: int = 40, *, asks: bool = False) -> str:
        words = ["sh", str(AGENT), str(self.journal), label, str(lines), "ask" if asks else "no"]
        return shlex.join(words)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.repository), *words],
            capture_output=True,
            check=True,
            env={**os.environ, **self.installation.settings},
        )
        return done.stdout.decode()

    def query(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Rows of the store, read by a connection of our own that cannot write."""
        path = self.installation.data / "openruntime.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(sql, values).fetchall()

    def attempt_of(self, task_id: str) -> sqlite3.Row:
        """The newest attempt of a task."""
        sql = (
            "SELECT a.* FROM attempt a JOIN task t ON t.number = a.task WHERE t.id = ?"
            " ORDER BY attempt_number DESC LIMIT 1"
        )
        return self.query(sql, task_id)[0]

    def shim_of(self, task_id: str) -> int:
        return int(json.loads(self.attempt_of(task_id)["identity"])["shim_pid"])

    def unrest(self) -> list[str]:
        """What is still to happen without anybody asking for more."""
        live = self.query("SELECT id, status FROM attempt WHERE finished_at IS NULL")
        waiting = self.query("SELECT id, kind, state FROM command WHERE finished_at IS NULL")
        return [str(tuple(row)) for row in (*live, *waiting)]

    def settle(self, seconds: float = 60) -> None:
        """Wait until every attempt and every command has ended."""
        wait_until(lambda: not self.unrest(), seconds, what="the store to be quiet", every=0.05)

    def started(self, task_id: str) -> bool:
        """Whether the agent of the newest attempt has written its first line into the journal."""
        return f" {self.attempt_of(task_id)['id']}\n" in self.agents()

    def agents(self) -> str:
        path = self.journal / "agents"
        return path.read_text() if path.exists() else ""

    def worker(self, *, crash: str | None = None) -> Process:
        """One more worker; `crash` names the point at which it ends."""
        settings = self.installation.settings
        if crash:
            settings[VARIABLE] = crash
        try:
            return self.installation.start_worker()
        finally:
            settings.pop(VARIABLE, None)

    def kill(self, process: Process) -> None:
        """kill -9; the installation forgets it."""
        self.installation.kill(process)
        if process in self.installation.workers:
            self.installation.workers.remove(process)

    def freeze(self, process: Process) -> None:
        """SIGSTOP at a moment when the process does not hold the store's write lock, or everybody would stand still."""
        while True:
            process.send_signal(signal.SIGSTOP)
            wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, 5)
            with closing(
                sqlite3.connect(self.installation.data / "openruntime.sqlite3", timeout=0.2)
            ) as store:
                try:
                    store.execute("BEGIN IMMEDIATE")
                    return
                except sqlite3.OperationalError:
                    process.send_signal(signal.SIGCONT)

    @contextmanager
    def frozen(self, process: Process) -> Iterator[None]:
        self.freeze(process)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def tell(self, what: str) -> None:
        self.story.append(what)

    def report(self) -> str:
        """Everything a person needs to see why it failed."""
        unrest: list[str] = []
        with suppress(sqlite3.Error):
            unrest = self.unrest()
        ledger = self.ledger.read_text() if self.ledger.exists() else ""
        parts = {
            "story": "\n".join(self.story[-60:]),
            "ledger": ledger[-4000:],
            "agents": self.agents()[-2000:],
            "unrest": "\n".join(unrest),
            "processes": self.installation.logs(),
        }
        return "\n".join(f"=== {name}\n{text}" for name, text in parts.items())


@contextmanager
def made(folder: Path, *, workers: int = 1, broker: str = "sqlite", **settings: str) -> Iterator[World]:
    """A world in `folder` whose web process runs; a failure inside tells the whole story."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text(GIT_CONFIG)
    own = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PORT": str(free_port()),  # the same after a restart, as a person's is
        **settings,
    }
    world = World(folder, Installation(folder / "data", home, broker, own))
    world.journal.mkdir()
    _make_repository(world)
    try:
        world.installation.start_web()
        for _ in range(workers):
            world.worker()
        yield world
    except BaseException as error:
        error.add_note(world.report())
        raise
    finally:
        _end(world)


def _end(world: World) -> None:
    """Nothing that runs may be left; where no agent does, there is nothing to wait for."""
    installation = world.installation
    with suppress(sqlite3.Error):
        if not world.unrest() and installation.web is not None:
            for worker in list(installation.workers):
                world.kill(worker)
            for process in psutil.Process(installation.web.pid).children():
                process.kill()
            installation.kill(installation.web)
    installation.close()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _make_repository(world: World) -> None:
    _write(world.repository, FILES)
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "init")):
        world.git(*words)
    _write(world.repository, DIRT)


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def wait_for(world: World, condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """`wait_until` that looks every 20 ms and takes a web process that is away for "not yet"."""
    return wait_until(condition, seconds, what=what, every=0.02, ignoring=(OSError, IndexError))
