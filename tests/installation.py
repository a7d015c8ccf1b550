"""One real installation in a folder of its own: web and worker processes, a client with its token, a repository."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

OPEN = {"allow_network": True, "allow_git_write": True, "allow_secrets": True, "blocked_commands": []}
#: Generous, because several suites may share two cores; nothing waits for it to pass.
START_SECONDS = 45.0
ENDED = ("ready-for-review", "completed", "failed", "stopped")


@dataclass
class Answer:
    """One HTTP answer: its status, headers, and body as JSON where it is."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class Installation:
    """Processes of ours around one data directory; every one of them is ended by `close`."""

    data: Path
    home: Path
    broker: str = "sqlite"
    settings: dict[str, str] = field(default_factory=dict)
    web: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "OPENRUNTIME_DATA": str(self.data),
            "OPENRUNTIME_BROKER": self.broker,
            "PORT": "0",
            **self.settings,
        }

    def start(self, workers: int) -> None:
        """Start web and workers side by side, and wait until all of them are there."""
        (self.data / "instance.json").unlink(missing_ok=True)
        self.web = self._spawn("web")
        self.workers += [self._spawn("worker") for _ in range(workers)]
        self._await_web()
        self._await_workers()

    def start_web(self) -> None:
        """Start the web process and wait until it answers."""
        (self.data / "instance.json").unlink(missing_ok=True)
        self.web = self._spawn("web")
        self._await_web()

    def _await_web(self) -> None:
        wait_until(
            lambda: (self.data / "instance.json").exists(),
            START_SECONDS,
            what="the web process to publish itself",
        )
        wait_until(
            lambda: self.get("/health").status == 200, START_SECONDS, what="/health", ignoring=(OSError,)
        )

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start one more worker and wait until it is registered."""
        worker = self._spawn("worker")
        self.workers.append(worker)
        if self.web is not None:
            self._await_workers()
        return worker

    def _await_workers(self) -> None:
        count = sum(process.poll() is None for process in self.workers)
        wait_until(
            lambda: len(self.get("/health").body.get("workers", [])) >= count,
            START_SECONDS,
            what="the workers to register",
        )

    def _spawn(self, kind: str) -> subprocess.Popen[bytes]:
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.data / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "openruntime", kind],
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def address(self) -> str:
        url = json.loads((self.data / "instance.json").read_text())["url"]
        return str(url).removeprefix("http://")

    @property
    def token(self) -> str:
        return (self.data / "token").read_text().strip()

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Answer:
        """One request with the owner's token; a dict body goes as JSON."""
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, data, sent)
            with connection.getresponse() as response:  # closes itself even when the server dies meanwhile
                text = response.read()
        finally:
            connection.close()
        found = dict(response.headers.items())
        is_json = "json" in (response.headers.get("Content-Type") or "")
        return Answer(response.status, found, json.loads(text) if is_json and text else text)

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.request("POST", path, body)

    def create(self, command: str, workspace: Path, **more: Any) -> dict[str, Any]:
        """A shell task in `workspace` under an open policy, unless `more` says otherwise."""
        given = {
            "title": "a task",
            "prompt": "",
            "runner": "shell",
            "command": command,
            "workspace": str(workspace),
            "policy": OPEN,
        }
        answer = self.post("/tasks", {**given, **more})
        assert answer.status == 200, answer.body
        return dict(answer.body)

    def run(self, command: str, workspace: Path, **more: Any) -> str:
        """Create and start a shell task; returns its id."""
        task = self.create(command, workspace, **more)
        answer = self.post(f"/tasks/{task['id']}/start")
        assert answer.status in (200, 202), answer.body
        return str(task["id"])

    def task(self, task_id: str) -> dict[str, Any]:
        return dict(self.get(f"/tasks/{task_id}").body)

    def events(self, task_id: str, **query: str) -> list[dict[str, Any]]:
        """Every event of a task, ascending."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            page = self.get(f"/tasks/{task_id}/events?after={after}&limit=500").body
            found += page
            if len(page) < 500:
                return found

    def output(self, task_id: str, stream: str = "stdout") -> list[str]:
        return [event["message"] for event in self.events(task_id) if event["kind"] == stream]

    def until(self, task_id: str, *statuses: str, timeout: float = 60) -> dict[str, Any]:
        """The task once its status is one of these (any ended one by default)."""
        wanted = statuses or ENDED

        def reached() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["status"] in wanted else None

        try:
            found = wait_until(reached, timeout, what=f"task to be {wanted}", ignoring=(OSError,))
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None
        assert found is not None
        return found

    def logs(self) -> str:
        """The end of what the processes said."""
        return "\n".join(
            f"--- {name}\n" + (self.data / name).read_text(errors="replace")[-3000:]
            for name in ("web.log", "worker.log")
            if (self.data / name).exists()
        )

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """kill -9, and wait until it is gone."""
        process.kill()
        process.wait(10)

    def close(self) -> None:
        """Stop every agent and all processes, by the signals a person would use."""
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        if self.web is not None and self.web.poll() is None:
            self.web.terminate()
        for process in (*self.workers, *filter(None, [self.web])):
            ended(process)


def ended(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


@contextmanager
def installed(
    folder: Path, *, workers: int = 1, broker: str = "sqlite", **settings: str
) -> Iterator[Installation]:
    """A running installation in `folder`; at the end nothing of it runs."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    installation = Installation(folder / "data", home, broker, settings)
    try:
        installation.start(workers)
        yield installation
    finally:
        installation.close()


def repository(folder: Path) -> Path:
    """A real repository with `a.txt` (one, two, three) and `sub/b.txt`, one commit on `main`."""
    folder.mkdir(parents=True)
    (folder / "sub").mkdir()
    (folder / "a.txt").write_text("one\ntwo\nthree\n")
    (folder / "sub/b.txt").write_text("b\n")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "init")):
        git(folder, *words)
    return folder


def git(folder: Path, *words: str) -> str:
    """git's answer in `folder`."""
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
