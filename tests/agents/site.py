"""An installation whose agents are the real programs and whose model is a script: what the acceptance tests drive."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from tests.agents import model_server, programs
from tests.agents.model_server import ModelServer, Spent
from tests.installation import ENDED, OPEN, Installation, installed, repository
from tests.processes import left_after
from tests.waiting import wait_until

#: Generous, because several suites may share two cores; nothing waits for it to pass.
PATIENCE_SECONDS = 90.0
ASK: dict[str, Any] = {**OPEN, "tool_rules": [{"tool": "*", "action": "ask"}]}
GIT_CONFIG = "[user]\n\tname = A Tester\n\temail = tester@example.invalid\n[init]\n\tdefaultBranch = main\n"
PROGRAM = {"claude-code": "claude", "codex": "codex", "opencode": "opencode"}
#: What a tool's result is called in the session files of the programs.
RESULT = {"claude-code": '"tool_result"', "codex": "_call_output"}


@dataclass
class Site:
    """One installation, its model, and a folder for repositories."""

    installation: Installation
    model: ModelServer
    folder: Path
    runner: str
    options: dict[str, Any] = field(default_factory=dict)

    def repository(self) -> Path:
        return repository(self.folder / "repositories" / uuid4().hex[:8])

    def create(self, prompt: str, **more: Any) -> str:
        """A task of this site's runner in a repository of its own, not yet started."""
        given = {"title": "a task", "prompt": prompt, "runner": self.runner, "policy": OPEN, **self.options}
        if "workspace" not in more:
            more["workspace"] = str(self.repository())
        answer = self.installation.post("/tasks", {**given, **more})
        assert answer.status == 200, answer.body
        return str(answer.body["id"])

    def start(self, *turns: dict[str, Any], prompt: str | None = None, **more: Any) -> str:
        """A started task that plays these turns, or has this prompt as it stands."""
        task_id = self.create(model_server.goal(*turns) if prompt is None else prompt, **more)
        answer = self.installation.post(f"/tasks/{task_id}/start")
        assert answer.status in (200, 202), answer.body
        return task_id

    def task(self, task_id: str) -> dict[str, Any]:
        return self.installation.task(task_id)

    def until(self, task_id: str, *statuses: str) -> dict[str, Any]:
        return self.installation.until(task_id, *(statuses or ENDED), timeout=PATIENCE_SECONDS)

    def ended(self, task_id: str, status: str | None = None, attempts: int = 1) -> dict[str, Any]:
        """The task once its attempt number `attempts` has ended; with `status`, it must have ended so."""

        def over() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["status"] in ENDED and len(task["attempts"]) >= attempts else None

        found = wait_until(over, PATIENCE_SECONDS, what=f"attempt {attempts} to end", ignoring=(OSError,))
        assert found is not None
        if status is not None and found["status"] != status:
            said = "\n".join(event["message"][:300] for event in self.events(task_id)[-12:])
            raise AssertionError(f"the task ended {found['status']}, not {status}:\n{said}")
        return found

    def asked(self, task_id: str, tool: str | None = None) -> dict[str, Any]:
        """The oldest question that waits for a person."""
        found = wait_until(
            lambda: next(
                (
                    row
                    for row in self.approvals(task_id)
                    if row["status"] == "pending" and tool in (None, row["tool"])
                ),
                None,
            ),
            PATIENCE_SECONDS,
            what=f"a question\n{self.installation.logs()}",
        )
        assert found is not None
        return found

    def approvals(self, task_id: str) -> list[dict[str, Any]]:
        return list(self.installation.get(f"/tasks/{task_id}/approvals").body)

    def decide(self, task_id: str, question: dict[str, Any], decision: str, **more: Any) -> None:
        path = f"/tasks/{task_id}/approvals/{question['id']}"
        answer = self.installation.post(path, {"decision": decision, **more})
        assert answer.status in (200, 202), answer.body

    def reply(self, task_id: str, text: str, mode: str | None = None) -> dict[str, Any]:
        answer = self.installation.post(f"/tasks/{task_id}/reply", {"message": text, "mode": mode})
        assert answer.status in (200, 202), answer.body
        return dict(answer.body)

    def command(self, task_id: str, verb: str) -> dict[str, Any]:
        """`interrupt`, `stop` or the like."""
        answer = self.installation.post(f"/tasks/{task_id}/{verb}")
        assert answer.status in (200, 202), answer.body
        return dict(answer.body)

    def events(self, task_id: str, category: str | None = None) -> list[dict[str, Any]]:
        every = self.installation.events(task_id)
        return [
            event
            for event in every
            if category is None or (event["metadata"] or {}).get("category") == category
        ]

    def said(self, task_id: str) -> list[str]:
        """What the agent said, in order."""
        return [event["message"] for event in self.events(task_id, "agent-message")]

    def results(self, task_id: str) -> str:
        """What its tools gave."""
        return "\n".join(event["message"] for event in self.events(task_id, "tool-result"))

    def reach(self, gate: str) -> None:
        """Wait until the model has been asked for the answer behind this gate."""
        wait_until(
            lambda: self.model.reached(gate),
            PATIENCE_SECONDS,
            what=f"the model to be asked\n{self.installation.logs()}",
        )

    def reach_call(self, task_id: str) -> None:
        """Wait until the agent has called a tool."""
        wait_until(lambda: self.events(task_id, "tool-call"), PATIENCE_SECONDS, what="a tool call")

    def reach_file(self, task_id: str) -> None:
        """Wait until the agent has put its first answer and what its tool gave into its session file.

        Claude Code does so up to 100 ms late: of an answer that was in no file when it was killed, nobody knows how
        much it put out, and the resumed session does not know the answer either.
        """
        home = Path(self.installation.settings.get("CODEX_HOME") or self.folder / "home/.claude")

        def written() -> bool:
            (session,) = self.sessions(task_id)
            return any(RESULT[self.runner] in path.read_text() for path in home.glob(f"**/*{session}.jsonl"))

        wait_until(written, PATIENCE_SECONDS, what="the session file to have the first answer")

    def made(self, task_id: str, name: str) -> Path:
        """A file in the task's worktree."""
        return Path(self.task(task_id)["execution_workspace"]) / name

    def sessions(self, task_id: str) -> list[str]:
        """The agent sessions of its attempts."""
        found = [attempt["runner_session_id"] for attempt in self.task(task_id)["attempts"]]
        return list(dict.fromkeys(session for session in found if session))

    def heard(self, task_id: str, role: str = "person") -> list[str]:
        """What the model was told last, by the person or by the tools."""
        return self.model.account.heard(self.sessions(task_id)[-1], role)

    def processes(self, task_id: str, program: str = "") -> list[psutil.Process]:
        """The processes of the task's agent: all, or those of one program."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mine = process.environ().get("OPENRUNTIME_TASK_ID") == task_id
                if mine and (not program or Path((process.cmdline() or [""])[0]).name == program):
                    found.append(process)
        return found

    def sleeps(self, task_id: str) -> int:
        """How many `sleep` commands of the task's agent run."""
        return len(self.processes(task_id, "sleep"))

    def kill_agent(self, task_id: str) -> None:
        """kill -9 of the agent itself, nothing else of its tree."""
        found = self.processes(task_id, PROGRAM[self.runner])
        assert found, [process.cmdline() for process in self.processes(task_id)]
        for process in found:
            process.kill()

    def kill_shim(self, task_id: str) -> None:
        """kill -9 of the process that stands between the worker and the agent."""
        attempt = self.task(task_id)["current_attempt"]["id"]
        path = self.installation.data / "openruntime.sqlite3"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as store:
            (identity,) = store.execute("SELECT identity FROM attempt WHERE id = ?", (attempt,)).fetchone()
        os.kill(json.loads(identity)["shim_pid"], signal.SIGKILL)

    def replace_worker(self, **settings: str | None) -> None:
        """Have another worker from here on, under these settings; None takes one away."""
        for worker in self.installation.workers:
            if worker.poll() is None:
                self.installation.kill(worker)
        for name, value in settings.items():
            self.installation.settings.pop(name, None)
            if value is not None:
                self.installation.settings[name] = value
        self.installation.start_worker()

    def nothing_runs(self, task_id: str) -> bool:
        return not left_after(5, lambda: {process.pid for process in self.processes(task_id)})


def spent(site: Site, task_id: str) -> Spent:
    """The model server's own account of a task."""
    return site.model.account.spent(*site.sessions(task_id))


def assert_counted(site: Site, task_id: str) -> Spent:
    """Tokens and tool calls of the ledger are exactly what the server handed out; returns it."""
    handed_out = spent(site, task_id)
    ledger = site.task(task_id)["cost_ledger"]
    found = {name: ledger[name] for name in ("input_tokens", "cached_tokens", "output_tokens", "tool_calls")}
    wanted = {
        "input_tokens": handed_out.input,
        "cached_tokens": handed_out.cached,
        "output_tokens": handed_out.output,
        "tool_calls": handed_out.tool_calls,
    }
    assert found == wanted, f"the ledger says {found}, the model server {wanted}"
    return handed_out


@contextlib.contextmanager
def site(runner: str, **settings: str | None) -> Iterator[Site]:
    """A running installation for one agent; at the end nothing of it runs.

    `settings` go over its environment, None takes one out of it; MODEL_ADDRESS leads the agent elsewhere.
    """
    folder = Path(tempfile.mkdtemp(prefix="or-agents-"))
    (folder / "home").mkdir()
    (folder / "home/.gitconfig").write_text(GIT_CONFIG)
    own = {
        "HOME": str(folder / "home"),
        "GIT_CONFIG_GLOBAL": str(folder / "home/.gitconfig"),
        "PATH": f"{programs.folder_of(PROGRAM[runner])}:{os.environ['PATH']}",
    }
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        model = stack.enter_context(model_server.running())
        address = settings.pop("MODEL_ADDRESS", None) or model.address
        if runner == "codex":
            own |= stack.enter_context(programs.codex_home(address))
        else:
            own |= programs.claude_settings(address)
        chosen = {name: value for name, value in {**own, **settings}.items() if value is not None}
        with installed(folder, **chosen) as running:
            made = Site(running, model, folder, runner)
            wait_until(lambda: _available(made), PATIENCE_SECONDS, what=f"{runner} to be found")
            yield made


def _available(made: Site) -> bool:
    listed = {item["runner"]: item for item in made.installation.get("/runners").body}
    return bool(listed.get(made.runner, {}).get("available"))
