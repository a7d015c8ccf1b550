"""The server itself: which answer a request gets, when, and how it goes wrong where the script says so."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from tests.agents.model_server import anthropic, responses
from tests.agents.model_server.account import Account, Asked, price_of
from tests.agents.model_server.script import Chosen, Turn, choose

PROTOCOLS = {module.path: module for module in (anthropic, responses)}
GATE_SECONDS = 60.0
LOOK_SECONDS = 0.05
READ_SECONDS = 5.0


class Gone(Exception):
    """The connection ends here: by script, because the agent went away, or because the server closes."""


class Gates:
    """Named places where an answer waits until the test lets it go on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, threading.Event] = {}
        self._reached: dict[str, threading.Event] = {}

    def _of(self, kind: dict[str, threading.Event], name: str) -> threading.Event:
        with self._lock:
            return kind.setdefault(name, threading.Event())

    def opened(self, name: str) -> threading.Event:
        return self._of(self._open, name)

    def reached(self, name: str) -> threading.Event:
        return self._of(self._reached, name)


class ModelServer(ThreadingHTTPServer):
    """Listens on loopback; `account` is what it handed out."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.account = Account()
        self.gates = Gates()
        self.closing = threading.Event()
        self.faults: list[str] = []
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def open(self, gate: str) -> None:
        """Let the answer behind this gate go on."""
        self.gates.opened(gate).set()

    def reached(self, gate: str) -> bool:
        """Whether an answer waits, or waited, at this gate."""
        return self.gates.reached(gate).is_set()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        self.faults.append(traceback.format_exc())

    def close(self) -> None:
        """End every connection and every thread."""
        self.closing.set()
        self.shutdown()
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


@contextlib.contextmanager
def running() -> Iterator[ModelServer]:
    """A server in this process, for as long as the block lasts; a fault in it is the test's failure."""
    server = ModelServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(10)
    assert not server.faults, "\n".join(server.faults)


def closed_port() -> str:
    """An address on loopback that refuses every connection."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers the two model endpoints; everything else the programs ask in passing is an empty object."""

    protocol_version = "HTTP/1.1"
    server: ModelServer
    close_connection: bool

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        protocol = PROTOCOLS.get(urlsplit(self.path).path)
        if protocol is None:
            self._json(200, {"input_tokens": len(raw) // 4})
            return
        with contextlib.suppress(OSError):
            try:
                self._answer(protocol, json.loads(raw))
            except Gone:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [], "models": [], "has_more": False})

    def do_HEAD(self) -> None:
        self._json(200, None)

    def _answer(self, protocol: ModuleType, body: dict[str, Any]) -> None:
        conversation = protocol.conversation(self.headers, body)
        history = tuple(protocol.history(body))
        offered = protocol.offers_tools(body)
        #: A title or a summary on the side has no tools, and no part in the script.
        chosen = choose(history) if offered else Chosen({"say": "ok"}, 0, "aside")
        if offered:
            model = str(body.get("model"))
            asked = Asked(protocol.name, conversation, model, history, body, chosen.number)
            self.server.account.asked(asked)
        turn = self._unless_it_fails(chosen, conversation)
        if turn is None:
            self._refuse(protocol, chosen.turn)
            return
        turn = protocol.located(turn, body)
        spent = price_of(turn, chosen.number)
        try:
            self._play(protocol, turn, chosen.number, spent, body)
        except (Gone, OSError):
            self.server.account.unfinished(conversation)
            raise
        self.server.account.spend(conversation, spent)
        if body.get("stream") and not self._was_read():
            self.server.account.take_back(conversation, spent)

    def _was_read(self) -> bool:
        """Whether the agent read a streamed answer to its end: one that hung up before resets the connection."""
        with contextlib.suppress(TimeoutError):
            try:
                self.connection.shutdown(socket.SHUT_WR)
                self.connection.settimeout(READ_SECONDS)
                self.connection.recv(1)
            except OSError as error:
                if isinstance(error, TimeoutError):
                    raise
                return False
        return True

    def _unless_it_fails(self, chosen: Chosen, conversation: str) -> Turn | None:
        """The turn without its faults once it has failed often enough; None where it is an HTTP error now."""
        turn = chosen.turn
        faulty = [key for key in ("status", "cut", "drop", "broken") if key in turn]
        if not faulty:
            return turn
        tried = self.server.account.tries(conversation, chosen.script, chosen.number)
        if tried >= turn.get("times", tried + 1):
            return {key: value for key, value in turn.items() if key not in faulty}
        return None if "status" in turn else turn

    def _play(self, protocol: ModuleType, turn: Turn, number: int, spent: Any, body: dict[str, Any]) -> None:
        self._wait(turn)
        if self._hung_up():
            raise Gone
        if turn.get("drop") or (turn.get("cut") and not body.get("stream")):
            raise Gone
        if not body.get("stream"):
            self._json(200, protocol.whole(turn, number, spent, body))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        events = list(protocol.events(turn, number, spent, body))
        for place, (kind, data) in enumerate(events):
            if place == len(events) // 2 and turn.get("cut"):
                raise Gone
            if place == len(events) // 2 and turn.get("broken"):
                self._event(*protocol.failure(turn["broken"]))
                raise Gone
            self._event(kind, data)
            if turn.get("pace") and kind.endswith("delta"):
                self._pause(float(turn["pace"]), threading.Event())

    def _event(self, kind: str, data: dict[str, Any]) -> None:
        self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode())

    def _wait(self, turn: Turn) -> None:
        if gate := turn.get("gate"):
            self.server.gates.reached(gate).set()
            self._pause(GATE_SECONDS, self.server.gates.opened(gate))
        if seconds := turn.get("after"):
            self._pause(float(seconds), threading.Event())

    def _pause(self, seconds: float, until: threading.Event) -> None:
        """Wait so long, or until the event; raises `Gone` once the agent hangs up or the server closes."""
        for _ in range(max(1, round(seconds / LOOK_SECONDS))):
            if until.wait(min(LOOK_SECONDS, seconds)):
                return
            if self.server.closing.is_set() or self._hung_up():
                raise Gone

    def _hung_up(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False

    def _refuse(self, protocol: ModuleType, turn: Turn) -> None:
        self._wait(turn)
        message = turn.get("error", f"refused with {turn['status']}, by script")
        self._json(turn["status"], protocol.refusal(turn["status"], message), turn.get("headers"))

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass
