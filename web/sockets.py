"""The websocket `/ws` (contract 6): who may open one, what it understands, how it ends."""

from __future__ import annotations

import base64
import binascii
import logging
import threading
import time
from contextlib import suppress
from typing import Any

from flask import Flask, Response, request
from flask_sock import Sock
from simple_websocket import ConnectionClosed, Server
from wsproto.events import CloseConnection
from wsproto.utilities import LocalProtocolError

from shared import tasks
from shared.clock import now, rfc3339
from shared.errors import BadRequest, Refused, TooManyRequests, Unavailable
from web import strict_json, views
from web.hub import BOARD, PAGE, Hub, pages, task_topic
from web.security import OWNER, Authority, Credential, authority, credential
from web.services import services
from web.subscriber import Frame, Subscriber
from web.wire import SlowConsumer, Wire, text_frame

log = logging.getLogger(__name__)

PATH, ENDPOINT = "/ws", "live"
MESSAGE_BYTES = 64 * 1024
BEAT_SECONDS = 10.0
#: A login that is gone ends its socket within five seconds.
RECHECK_SECONDS = 2.0
TOPICS = 200
MESSAGES_WAITING = 100
#: Threads kept free for requests; each socket holds one (web.md 1.2: without them health checks starve).
SPARE_THREADS = 16
#: A reader that overflows this often in a minute is told that it is too slow.
OVERFLOWS = 10
RETRY_SECONDS = 5
AUTHORITY_LOST, RESTART, TOO_SLOW = 1008, 1012, 1013


class DaemonThread(threading.Thread):
    """The receiving threads must not keep an ending process alive."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, daemon=True)


def install(app: Flask, threads: int) -> None:
    """Serve `/ws` with at most `threads` - 16 sockets."""
    most = max(1, threads - SPARE_THREADS)
    app.config["SOCK_SERVER_OPTIONS"] = {"max_message_size": MESSAGE_BYTES, "thread_class": DaemonThread}
    sock = Sock(app)
    places = threading.local()

    @app.before_request
    def prepare() -> Response | None:
        if request.endpoint != ENDPOINT or request.method != "GET":
            return None
        _require_handshake()
        member = Subscriber(threading.Event(), credential().key)
        _require_share(member.holder)
        if not services().hub.enter(member, most):
            raise Unavailable(
                f"{most} live streams are open, the most there can be; use the events' address."
            )
        places.member = member
        request.environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if "gunicorn.socket" in request.environ:
            request.environ["gunicorn.socket"] = Wire(request.environ["gunicorn.socket"])
        return None

    @app.teardown_request
    def vacate(error: BaseException | None) -> None:
        member = getattr(places, "member", None)
        if member is not None:
            places.member = None
            services().hub.leave(member)

    @sock.route(PATH, endpoint=ENDPOINT)
    @authority(Authority.CLIENT)
    def live(ws: Server) -> None:
        """Subscribe to tasks and the board."""
        Connection(ws, places.member, services().hub, credential()).serve()


def _require_share(holder: str) -> None:
    """One browser or program cannot take all places; the owner's own token may."""
    each = services().config.streams_per_credential
    if holder != OWNER and services().hub.held_by(holder) >= each:
        raise TooManyRequests(
            f"{each} live streams are open with this credential, the most it may have.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )


def _require_handshake() -> None:
    """What wsproto would answer with an exception."""
    headers = request.headers
    key = headers.get("Sec-WebSocket-Key", "")
    with suppress(binascii.Error, ValueError):
        if len(base64.b64decode(key, validate=True)) == 16:
            key = "good"
    upgrade = "upgrade" in headers.get("Connection", "").lower()
    if headers.get("Sec-WebSocket-Version") != "13":
        raise BadRequest(
            "Only version 13 of websockets is spoken here.", headers={"Sec-WebSocket-Version": "13"}
        )
    if key != "good" or not upgrade:
        raise BadRequest("This is not a websocket handshake.")


class Connection:
    """One open socket, served by one thread; a second one, of the library, receives."""

    def __init__(self, ws: Server, member: Subscriber, hub: Hub, who: Credential) -> None:
        self._ws, self._hub, self._who, self._member = ws, hub, who, member
        member.wake = ws.event  # the library rings it for a message, the hub for a frame
        self._wire: Wire = ws.sock
        #: Held by whoever works on this socket: its own thread, or the hub's for a frame it can pass on at once.
        self._turn = threading.Lock()
        self._sent: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._board = False
        self._overflows: list[float] = []
        self._beat_at = time.monotonic() + BEAT_SECONDS
        self._check_at = time.monotonic() + RECHECK_SECONDS

    def serve(self) -> None:
        """Until either side ends it."""
        self._member.deliver = self._deliver
        try:
            while self._ws.connected:
                if self._hub.stopping.is_set():
                    return self._close(RESTART, "restart")
                self._ws.event.wait(max(0.0, min(self._beat_at, self._check_at) - time.monotonic()))
                self._ws.event.clear()
                with self._turn:
                    self._wire.flush()
                    self._messages()
                    self._frames()
                    if not self._timers():
                        return self._close(AUTHORITY_LOST, "signed out")
        except SlowConsumer as slow:
            if slow.whole:
                self._close(TOO_SLOW, "too slow")
        except (ConnectionClosed, LocalProtocolError, OSError):
            pass
        finally:
            self._hub.leave(self._member)
            self._wire.finish()
        return None

    def _timers(self) -> bool:
        """The heartbeat, and whether the credential still stands."""
        at = time.monotonic()
        if at >= self._beat_at:
            self._beat_at = at + BEAT_SECONDS
            self._say({"hb": rfc3339(now())})
        if at >= self._check_at:
            self._check_at = at + RECHECK_SECONDS
            return self._who.stands()
        return True

    def _messages(self) -> None:
        waiting = self._ws.input_buffer
        if len(waiting) > MESSAGES_WAITING:
            raise SlowConsumer(whole=True)
        while waiting:
            message = waiting.pop(0)
            try:
                text = message.encode() if isinstance(message, str) else message
                self._obey(strict_json.load(bytes(text)))
            except Refused as error:
                self._error(None, error.status, error.detail)

    def _obey(self, order: Any) -> None:
        if not isinstance(order, dict):
            raise BadRequest("Send a JSON object.")
        if "ping" in order:
            self._say({"pong": order["ping"]})
        for topic in _listed(order, "unsub"):
            self._forget(str(topic.get("topic") if isinstance(topic, dict) else topic))
        for wish in _listed(order, "sub"):
            self._subscribe(wish if isinstance(wish, dict) else {"topic": wish})

    def _subscribe(self, wish: dict[str, Any]) -> None:
        topic, after = wish.get("topic"), wish.get("after")
        try:
            if not isinstance(topic, str) or (after is not None and not _is_seq(after)):
                raise BadRequest("A subscription is {topic, after}; after is a whole number from 0.")
            if len(self._sent) >= TOPICS:
                raise BadRequest(f"One socket takes {TOPICS} topics at most.")
            if topic == BOARD:
                self._board = True
                self._hub.watch_board(self._member)
            elif topic.startswith("task:"):
                self._subscribe_task(topic, after)
            else:
                raise BadRequest("There is no such topic.")
        except Refused as error:
            self._error(topic if isinstance(topic, str) else None, error.status, error.detail)

    def _subscribe_task(self, topic: str, after: int | None) -> None:
        task = tasks.get(topic.partition(":")[2])
        if topic != task_topic(task.id):
            raise BadRequest("Write the task's id as the API does.")
        if after is None and topic in self._sent:
            return
        self._sent[topic], self._numbers[topic] = (task.last_seq if after is None else after), task.number
        if after is not None:
            #: The history first, page by page, so that the live queue does not fill up meanwhile.
            self._catch_up(topic, once=False)
        self._hub.watch(self._member, topic, task.number, self._sent[topic])
        self._catch_up(topic, once=True)
        self._say({"topic": topic, "task": views.light(views.task_views([tasks.get(task.id)])[0])})

    def _catch_up(self, topic: str, *, once: bool) -> None:
        """Send what is stored above the last seq sent; not `once`: stop at the first page that is not full."""
        while self._ws.connected and not self._hub.stopping.is_set():
            frames = pages(self._numbers[topic], topic, self._sent[topic])
            began = self._sent[topic]
            for frame in frames:
                self._wire.send(frame.data)
                self._sent[topic] = frame.last
            if self._sent[topic] - began < PAGE or (once and not frames):
                return

    def _frames(self) -> None:
        frames = self._member.take()
        if self._member.overflowed():
            return self._resync()
        for frame in frames:
            self._pass_on(frame)
        return None

    def _deliver(self, frame: Frame) -> bool:
        """In the hub's thread: pass on what needs no waiting and no reading, while this socket's thread rests."""
        if not self._turn.acquire(blocking=False):
            return False
        try:
            if self._member.waiting or not self._ws.connected:
                return False
            sent = self._sent.get(frame.topic)
            if frame.last and sent is not None and frame.first != sent + 1:
                return frame.last <= sent
            if sent is None and not (frame.topic == BOARD and self._board):
                return True
            if not self._wire.offer(frame.data):
                return False
            if frame.last:
                self._sent[frame.topic] = frame.last
            if self._wire.partial:
                self._ws.event.set()
            return True
        finally:
            self._turn.release()

    def _pass_on(self, frame: Frame) -> None:
        """Only what continues the topic: older frames are known already, a gap is read from the store."""
        if not frame.last:
            if frame.topic in self._sent or (frame.topic == BOARD and self._board):
                self._wire.send(frame.data)
            return
        sent = self._sent.get(frame.topic)
        if sent is None or frame.last <= sent:
            return
        if frame.first == sent + 1:
            self._wire.send(frame.data)
            self._sent[frame.topic] = frame.last
        else:
            self._catch_up(frame.topic, once=False)

    def _resync(self) -> None:
        """Frames were dropped: nothing more is sent until the client has subscribed again."""
        at = time.monotonic()
        self._overflows = [then for then in self._overflows if then > at - 60] + [at]
        if len(self._overflows) > OVERFLOWS:
            raise SlowConsumer(whole=True)
        self._hub.cancel(self._member)
        self._member.take()
        for topic, seq in self._sent.items():
            self._say({"resync": seq, "topic": topic})
        if self._board:
            self._say({"resync": 0, "topic": BOARD})
        self._sent.clear()
        self._board = False

    def _forget(self, topic: str) -> None:
        self._hub.unwatch(self._member, topic)
        self._sent.pop(topic, None)
        self._board = self._board and topic != BOARD

    def _error(self, topic: str | None, status: int, detail: str) -> None:
        self._say({"error": {"topic": topic, "status": status, "detail": detail}})

    def _say(self, value: Any) -> None:
        self._wire.send(text_frame(views.text(value).encode()))

    def _close(self, code: int, reason: str) -> None:
        with suppress(LocalProtocolError, ConnectionClosed):
            self._wire.send_last(self._ws.ws.send(CloseConnection(code, reason)))
        self._ws.connected = False


def _listed(order: dict[str, Any], key: str) -> list[Any]:
    value = order.get(key, [])
    if not isinstance(value, list):
        raise BadRequest(f"{key} must be a list.")
    return value


def _is_seq(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
