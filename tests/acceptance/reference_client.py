"""A client of the reference system, written from its API alone, and the proxy that makes our server answer it.

The client knows no header of ours and no field beyond the reference system's; what it decodes it decodes strictly.
The proxy stands for what a person puts in front: it adds the bearer token, and nothing else.
"""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATUSES = {"queued", "running", "needs-input", "ready-for-review", "completed", "failed", "stopped"}
KINDS = {"lifecycle", "stdout", "stderr", "diff", "input", "error"}
RUNNERS = {"codex", "claude-code", "shell"}
NETWORK = {"disabled", "localhost", "enabled"}
MAYBE_TEXT = (str, type(None))
MAYBE_NUMBER = (int, type(None))

Shape = Mapping[str, Any]
LEDGER: Shape = dict.fromkeys(
    "runtime_millis input_tokens output_tokens tool_calls estimated_cents".split(), (int,)
)
POLICY: Shape = {
    **dict.fromkeys("allow_network allow_git_write allow_secrets require_approval".split(), (bool,)),
    "blocked_commands": [(str,)],
    "allowed_workspaces": [(str,)],
    "allowed_file_globs": [(str,)],
    "allowed_mcp_tools": [(str,)],
    "network_mode": NETWORK,
    **dict.fromkeys("budget_cents max_runtime_minutes".split(), MAYBE_NUMBER),
}
EVENT: Shape = {
    **dict.fromkeys("id task_id message created_at".split(), (str,)),
    "attempt_id": MAYBE_TEXT,
    "kind": KINDS,
    "metadata": (dict, type(None)),
}
ATTEMPT: Shape = {
    **dict.fromkeys("id task_id started_at".split(), (str,)),
    "attempt_number": (int,),
    "runner": RUNNERS,
    "status": STATUSES,
    **dict.fromkeys(
        "execution_workspace runner_session_id finished_at exit_status summary".split(), MAYBE_TEXT
    ),
}
TASK: Shape = {
    **dict.fromkeys("id title prompt command workspace created_at updated_at".split(), (str,)),
    **dict.fromkeys(
        "worktree_path execution_workspace runner_session_id base_commit diff_stat approved_at "
        "worktree_merged_at worktree_cleaned_at".split(),
        MAYBE_TEXT,
    ),
    "runner": RUNNERS,
    "status": STATUSES,
    "budget_minutes": (int,),
    "policy": POLICY,
    "effective_policy": {"?": POLICY},
    "cost_ledger": LEDGER,
    "events": [EVENT],
    "attempts": [ATTEMPT],
    "current_attempt": {"?": ATTEMPT},
}
DIFF: Shape = {
    **dict.fromkeys("task_id stat patch".split(), (str,)),
    "isolated": (bool,),
    **dict.fromkeys("worktree_path runner_session_id base_commit".split(), MAYBE_TEXT),
}
LOGS: Shape = {
    **dict.fromkeys("task_id message".split(), (str,)),
    "runner": RUNNERS,
    "session_id": MAYBE_TEXT,
    "events": [EVENT],
}
ATTACH: Shape = {
    **dict.fromkeys("task_id message".split(), (str,)),
    "runner": RUNNERS,
    **dict.fromkeys("session_id command".split(), MAYBE_TEXT),
    "supported": (bool,),
}
SESSION: Shape = {
    **dict.fromkeys("session_id source".split(), (str,)),
    "runner": RUNNERS,
    **dict.fromkeys(
        "title workspace transcript_path created_at updated_at resume_command last_message "
        "openruntime_task_id".split(),
        MAYBE_TEXT,
    ),
    "message_count": (int,),
    "managed_by_openruntime": (bool,),
}
WORKSPACE: Shape = {"name": (str,), "path": (str,)}


def decode(value: Any, shape: Any, at: str = "$") -> Any:
    """`value` with the fields the reference system knows; raises AssertionError where one is missing or another type."""
    if isinstance(shape, dict) and "?" in shape:
        return None if value is None else decode(value, shape["?"], at)
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{at} is no object"
        assert set(shape) <= set(value), f"{at} lacks {set(shape) - set(value)}"
        return {name: decode(value[name], inner, f"{at}.{name}") for name, inner in shape.items()}
    if isinstance(shape, list):
        assert isinstance(value, list), f"{at} is no array"
        return [decode(item, shape[0], f"{at}[{number}]") for number, item in enumerate(value)]
    if isinstance(shape, set):
        assert value in shape, f"{at} is {value!r}"
        return value
    assert type(value) in shape, f"{at} is {value!r}"
    return value


@dataclass(frozen=True)
class Refusal(Exception):
    """An error status; `text` is the body as it came."""

    status: int
    text: str


@dataclass(frozen=True)
class Client:
    """The reference system's nineteen routes. An error status raises Refusal."""

    address: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {} if body is None else {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                raise Refusal(error.code, error.read().decode()) from None
        return json.loads(text)

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        return dict(decode(self.call("POST", "/tasks", body), TASK))

    def task(self, id: str) -> dict[str, Any]:
        return dict(decode(self.call("GET", f"/tasks/{id}"), TASK))

    def tasks(self) -> list[dict[str, Any]]:
        return list(decode(self.call("GET", "/tasks"), [TASK]))

    def events(self, id: str) -> list[dict[str, Any]]:
        return list(decode(self.call("GET", f"/tasks/{id}/events"), [EVENT]))

    def steer(self, id: str, verb: str, body: Any = None) -> dict[str, Any]:
        """start, stop, approve, reply: each answers the task."""
        return dict(decode(self.call("POST", f"/tasks/{id}/{verb}", body), TASK))

    def land(self, id: str, verb: str) -> dict[str, Any]:
        """merge, cleanup: each answers the task and a message."""
        answer = self.call("POST", f"/tasks/{id}/worktree/{verb}")
        return dict(decode(answer, {"task": TASK, "message": (str,)}))

    def diff(self, id: str) -> dict[str, Any]:
        return dict(decode(self.call("GET", f"/tasks/{id}/diff"), DIFF))

    def logs(self, id: str) -> dict[str, Any]:
        return dict(decode(self.call("GET", f"/tasks/{id}/runner/logs"), LOGS))

    def attach(self, id: str) -> dict[str, Any]:
        return dict(decode(self.call("POST", f"/tasks/{id}/runner/attach"), ATTACH))

    def sessions(self) -> dict[str, Any]:
        shape = {"sessions": [SESSION], "codex_home": MAYBE_TEXT, "claude_home": MAYBE_TEXT}
        return dict(decode(self.call("GET", "/runner-sessions"), shape))


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: str
    token: str

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size) if size else None
        passed = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        upstream = http.client.HTTPConnection(self.upstream, timeout=30)
        try:
            headers = {**passed, "Authorization": f"Bearer {self.token}"}
            upstream.request(self.command, self.path, body, headers)
            with upstream.getresponse() as answer:
                text = answer.read()
        finally:
            upstream.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _serve

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def proxied(upstream: str, token: str) -> Iterator[Client]:
    """The client at a proxy on loopback in front of `upstream` (host:port)."""
    handler = type("Forward", (_Forward,), {"upstream": upstream, "token": token})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield Client(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
