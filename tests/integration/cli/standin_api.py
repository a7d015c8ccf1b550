"""A real HTTP server on loopback that gives the contract's answers from memory, for the commands' tests."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
TOKEN = "or_owner_test"
LIVE = ("queued", "running", "needs-input")


def problem(status: int, detail: str, **extra: Any) -> Answer:
    return status, {"title": "Refused", "status": status, "detail": detail, "slug": "refused", **extra}


class Api:
    """`tasks`, `events` and `approvals` are its state; `answers` overrides one route; `asked` records requests."""

    page = 100

    def __init__(self, data: Path) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.approvals: dict[str, list[dict[str, Any]]] = {}
        self.workspaces: list[dict[str, Any]] = []
        self.sessions: list[dict[str, Any]] = []
        self.runners = [
            {"runner": "codex", "available": False, "command": "codex", "detail": "npm install -g codex"},
            {"runner": "claude-code", "available": True, "command": "claude", "version": "2.1.0"},
            {"runner": "shell", "available": True, "command": "/bin/sh"},
        ]
        self.answers: dict[tuple[str, str], Answer | Callable[[], Answer]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.connections: set[socket.socket] = set()
        self.data, self.port = data, 0
        data.mkdir(mode=0o700, exist_ok=True)
        (data / "token").write_text(TOKEN + "\n")

    def task(self, identity: str, **fields: Any) -> dict[str, Any]:
        whole = identity if len(identity) == 36 else f"{identity}-0000-4000-8000-{len(self.tasks):012}"
        self.tasks[whole] = {
            "id": whole,
            "title": "t",
            "runner": "shell",
            "status": "queued",
            "workspace": "/w",
            "budget_minutes": 15,
            "updated_at": "2026-01-01T00:00:00Z",
            "attempts": [],
            "policy": {},
            **fields,
        }
        self.events[whole] = []
        return self.tasks[whole]

    def event(self, task: dict[str, Any], kind: str, message: str, **metadata: Any) -> None:
        events = self.events[task["id"]]
        events.append(
            {"seq": len(events) + 1, "kind": kind, "message": message, "metadata": metadata or None}
        )

    def session_page(self, query: dict[str, str]) -> dict[str, Any]:
        """Pages of two at most, as a server cuts an answer that grows too long."""
        start = int(query.get("cursor", 0))
        end = start + min(2, int(query.get("limit", 2)))
        following = str(end) if end < len(self.sessions) else None
        return {
            "sessions": self.sessions[start:end],
            "codex_home": "/c",
            "claude_home": None,
            "next_cursor": following,
        }

    def start(self) -> None:
        """Listen (again, on the same port once it has one) and publish the address."""
        handler = type("Handler", (_Handler,), {"api": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        (self.data / "instance.json").write_text(
            json.dumps({"url": f"http://127.0.0.1:{self.port}", "pid": 1})
        )
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """As when the process dies: kept connections close too."""
        self.server.shutdown()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.server.server_close()

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        parts = urlsplit(target)
        self.asked.append((method, target, body))
        found = self.answers.get((method, parts.path))
        if found is not None:
            return (*(found() if callable(found) else found), {})
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        for pattern, respond in ROUTES:
            if match := re.fullmatch(pattern, f"{method} {parts.path}"):
                return respond(self, query, body, *match.groups())
        return (*problem(404, "No such page."), {})

    # -- routes ------------------------------------------------------------------------------------------------

    def _list(self, query: dict[str, str], _: Any) -> tuple[int, Any, dict[str, str]]:
        rows = [task for task in self.tasks.values() if query.get("status") in (None, task["status"])]
        begin, size = int(query.get("cursor", 0)), min(self.page, int(query["limit"]))
        following = f'<http://elsewhere/tasks?limit={size}&cursor={begin + size}>; rel="next"'
        return 200, rows[begin : begin + size], {"Link": following} if begin + size < len(rows) else {}

    def _create(self, _: dict[str, str], body: Any) -> tuple[int, Any, dict[str, str]]:
        return 200, self.task("c0ffee00", **body), {}

    def _group(self, _: dict[str, str], body: Any) -> tuple[int, Any, dict[str, str]]:
        variants = enumerate(body["variants"])
        made = [self.task(f"c0ffee0{number}", **one) for number, one in variants]
        return 200, {"id": "9", "tasks": made}, {}

    def _one(self, _: dict[str, str], __: Any, identity: str) -> tuple[int, Any, dict[str, str]]:
        if identity not in self.tasks:
            return (*problem(404, "The task was not found."), {})
        return 200, self.tasks[identity], {}

    def _events(self, query: dict[str, str], _: Any, identity: str) -> tuple[int, Any, dict[str, str]]:
        after, limit = int(query.get("after", 0)), min(self.page, int(query["limit"]))
        return 200, [event for event in self.events[identity] if event["seq"] > after][:limit], {}

    def _approvals(self, _: dict[str, str], __: Any, identity: str) -> tuple[int, Any, dict[str, str]]:
        return 200, self.approvals.get(identity, []), {}

    def _decide(
        self, _: dict[str, str], body: Any, identity: str, request: str
    ) -> tuple[int, Any, dict[str, str]]:
        row = next(row for row in self.approvals[identity] if row["id"] == request)
        return 200, {**row, "status": {"allow": "allowed", "deny": "denied"}[body["decision"]]}, {}

    def _verb(
        self, _: dict[str, str], body: Any, identity: str, verb: str
    ) -> tuple[int, Any, dict[str, str]]:
        task = self.tasks[identity]
        task["status"] = {"start": "running", "approve": "running", "stop": "stopped"}.get(
            verb, task["status"]
        )
        return 200, task, {}


ROUTES: list[tuple[str, Callable[..., tuple[int, Any, dict[str, str]]]]] = [
    (
        "GET /health",
        lambda api, *_: (200, {"status": "ok", "storage": "sqlite", "workers": [{"id": "w"}]}, {}),
    ),
    ("GET /runners", lambda api, *_: (200, api.runners, {})),
    ("GET /workspaces", lambda api, *_: (200, api.workspaces, {})),
    ("GET /runner-sessions", lambda api, query, _: (200, api.session_page(query), {})),
    ("POST /login/links", lambda api, *_: (200, {"url": f"http://127.0.0.1:{api.port}/login#token=x"}, {})),
    ("GET /tasks", Api._list),
    ("POST /tasks", Api._create),
    ("POST /groups", Api._group),
    ("GET /tasks/([^/]+)", Api._one),
    ("GET /tasks/([^/]+)/events", Api._events),
    ("GET /tasks/([^/]+)/approvals", Api._approvals),
    ("POST /tasks/([^/]+)/approvals/([^/]+)", Api._decide),
    ("POST /tasks/([^/]+)/(start|stop|approve|reply|interrupt)", Api._verb),
]


class _Handler(BaseHTTPRequestHandler):
    api: Api
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.api.connections.add(self.connection)

    def finish(self) -> None:
        self.api.connections.discard(self.connection)
        super().finish()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status, value, headers = *problem(401, "Sign in first."), {}
        else:
            status, value, headers = self.api.answer(
                self.command, self.path, json.loads(raw) if raw else None
            )
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = do_PATCH = _serve

    def log_message(self, *_: object) -> None:
        pass
