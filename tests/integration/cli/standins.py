"""Stand-ins for the web and the worker process, run by `up` from a copy of the application's folder."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests import processes
from tests.waiting import Deadline, wait_until

ROOT = Path(__file__).resolve().parents[3]

WEB = """
import http.server, json, os, signal, sys, time
from pathlib import Path
data = Path(os.environ["OPENRUNTIME_DATA"])
def note(text):
    with (data / "journal").open("a") as file: file.write(text + "\\n")
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self): self.answer({"status": "ok", "storage": "sqlite"})
    def do_POST(self):
        note("link")
        assert self.headers["Authorization"] == "Bearer secret"
        self.answer({"url": f"http://127.0.0.1:{server.server_port}/login#token=once"})
    def log_message(self, *_): pass
def ended(*_):
    note("web SIGTERM")
    os._exit(0)
signal.signal(signal.SIGTERM, ended)
signal.signal(signal.SIGINT, lambda *_: note("web SIGINT"))
(data / "token").write_text("secret")
if os.fork() == 0:
    note(f"helper {os.getpid()}")
    while os.getppid() != 1: time.sleep(0.02)
    os._exit(0)
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"] if os.environ.get("PORT", "0") != "0" else 0)), Handler)
draft = data / "draft"
draft.write_text(json.dumps({"url": f"http://127.0.0.1:{server.server_port}", "pid": os.getpid()}))
draft.rename(data / "instance.json")
note(f"web {os.getpid()}")
print("web listens", flush=True)
server.serve_forever()
"""

WORKER = """
import os, signal, subprocess, sys, time
from pathlib import Path
data = Path(os.environ["OPENRUNTIME_DATA"])
mode = (data / "mode").read_text() if (data / "mode").exists() else ""
def note(text):
    with (data / "journal").open("a") as file: file.write(text + "\\n")
note(f"worker {os.getpid()}")
if mode == "crash":
    print("worker: no such thing", flush=True)
    sys.exit(3)
attempt = f"attempt-{os.getpid()}"
(data / "attempts" / attempt).mkdir(parents=True)
agent = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL,
                         env={**os.environ, "OPENRUNTIME_ATTEMPT_ID": attempt})
note(f"agent {agent.pid}")
def interrupted(*_):
    note("worker SIGINT")
    if mode == "stubborn": return
    agent.kill(); agent.wait()
    os._exit(0)
def ended(*_):
    note("worker SIGTERM")
    os._exit(0)
signal.signal(signal.SIGINT, interrupted)
signal.signal(signal.SIGTERM, ended)
print("\\x1b]0;evil\\x07worker \\x1b[31mready\\x1b[2J", flush=True)
while True: time.sleep(60)
"""

IMPATIENT = "; import openruntime.cli.up as up; up.LEAVING_SECONDS = 0"
KINDS = ("web", "helper", "worker", "agent")
START = "import sys; sys.path.insert(0, {app!r}); from openruntime.cli import main; main()"


class Application:
    """A copy of the program whose Procfile names the stand-ins, and the data directory they share."""

    def __init__(self, folder: Path) -> None:
        self.app, self.data = folder / "app", folder / "data"
        for name in ("openruntime", "shared", "workers"):
            shutil.copytree(ROOT / name, self.app / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.app / "web.py").write_text(WEB)
        (self.app / "worker.py").write_text(WORKER)
        lines = (f"{name}: {sys.executable} {self.app / name}.py" for name in ("web", "worker"))
        (self.app / "Procfile").write_text("\n".join(lines) + "\n")
        self.data.mkdir(mode=0o700)

    def argv(self, *words: str, impatient: bool = False) -> list[str]:
        """The command line; `impatient` does not wait for what an earlier `up` may have left."""
        start = START.replace("; main()", IMPATIENT + "; main()") if impatient else START
        return [sys.executable, "-P", "-c", start.format(app=str(self.app)), "--data", str(self.data), *words]

    def up(self, *words: str, port: str = "0", **how: object) -> Up:
        return Up(self, self.argv("up", "--port", port, *words), **how)

    def mode(self, name: str) -> None:
        (self.data / "mode").write_text(name)

    def journal(self) -> list[str]:
        path = self.data / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def pids(self, kind: str) -> list[int]:
        """The pids a kind of process had, the latest last."""
        words = (line.split() for line in self.journal())
        return [int(found[1]) for found in words if found[0] == kind and found[1].isdigit()]

    def end(self) -> None:
        """Kill whatever carries our data directory, also what was started a moment ago and is not in the journal."""
        while left := processes.alive(processes.carrying(self.data)):
            processes.end(left)

    def url(self) -> str:
        return str(json.loads((self.data / "instance.json").read_text())["url"])


class Up:
    """A running `up`; leaves nothing behind."""

    def __init__(self, application: Application, argv: list[str], cwd: Path | None = None) -> None:
        self.application = application
        self._out, self._err = application.data / "up.out", application.data / "up.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(argv, stdout=out, stderr=err, cwd=cwd, start_new_session=True)

    def __enter__(self) -> Up:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(10)
        self.application.end()

    def ready(self) -> None:
        wait_until(lambda: "/login#token=once" in self.out, 20, what=f"the sign-in link; stderr: {self.err}")
        wait_until(lambda: self.application.pids("agent"), 20, what="the worker's agent")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 20) -> int:
        return self.process.wait(Deadline(seconds).remaining())

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
