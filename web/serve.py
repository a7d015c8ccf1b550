"""The web process: binds, takes the data directory, and serves with gunicorn's threads, embedded."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import logging
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import ParseException

from shared import audit, instance
from shared.access import accounts
from shared.config import Config, is_loopback
from shared.errors import ConfigError, InstanceRunning
from shared.secrets import masking
from shared.store.database import close, database, open_store
from web import problems, security
from web.app import THREADS, create_app
from web.arrivals import ArrivalsWorker
from web.hosts import WILDCARDS
from web.services import KEY

log = logging.getLogger(__name__)

BACKLOG = 1024
#: Where a killed instance's worker must notice by itself that it is alone, it holds port and data for a second.
BIND_SECONDS = 3.0
#: prctl(2)
PR_SET_PDEATHSIG = 1
#: A client that sends nothing for this long in the midst of a request is let go, with its thread.
QUIET_SECONDS = 30
#: A request waits this long for the store's write lock before it answers 503.
BUSY_SECONDS = 5
END_SECONDS = 1
LINGER_SECONDS = 0.2


def serve(config: Config, *, threads: int = THREADS) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError, InstanceRunning or SchemaRefused before that."""
    if not is_loopback(config.host) and not config.behind_proxy:
        raise ConfigError(
            f"{config.host} is reachable from other machines, and this server does not encrypt: put a TLS proxy "
            "before it and add --behind-proxy, or keep 127.0.0.1."
        )
    masking.log_to_stderr("%(asctime)s %(levelname)s %(name)s: %(message)s")
    listening = _bind(config)
    with contextlib.closing(listening):
        config = dataclasses.replace(config, port=listening.getsockname()[1])
        with _held(config):
            open_store(config)
            accounts.owner_token(config)
            audit.keep_heads(config.data)
            close()  # connections are made after the fork
            instance.publish(config, _reachable(config).url)
            try:
                _Server(config, listening.detach(), threads).run()
            finally:
                audit.note_head()
                instance.withdraw(config)


@contextlib.contextmanager
def _held(config: Config) -> Iterator[None]:
    """The data directory, once a killed instance has let go of it. Raises InstanceRunning when one lives."""
    until = time.monotonic() + BIND_SECONDS
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(instance.hold(config))
                break
            except InstanceRunning:
                if time.monotonic() >= until or instance.is_live(config):
                    raise
                time.sleep(0.05)
        yield


def _reachable(config: Config) -> Config:
    return dataclasses.replace(config, host="127.0.0.1") if config.host in WILDCARDS else config


def _bind(config: Config) -> socket.socket:
    """A listening socket at the configured address. Raises ConfigError when it stays taken."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    until = time.monotonic() + BIND_SECONDS
    while True:
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((config.host, config.port))
            found.listen(BACKLOG)
        except OSError as error:
            found.close()
            if time.monotonic() >= until:
                raise ConfigError(
                    f"Cannot listen on {config.host}:{config.port}: {error.strerror or error}; choose another --port."
                ) from error
            time.sleep(0.1)
        else:
            return found


def _die_with_parent() -> None:
    """Killed with the master at once: what outlived it would keep its port and its data directory."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Server(BaseApplication):
    """Gunicorn with our settings and none of its own configuration files."""

    def __init__(self, config: Config, descriptor: int, threads: int) -> None:
        self._config, self._descriptor, self._threads = config, descriptor, threads
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": f"fd://{self._descriptor}",
            "workers": 1,  # the hub lives in the process
            "worker_class": Worker,
            "threads": self._threads,
            "worker_connections": 512 + self._threads,
            "keepalive": 15,
            "timeout": 60,
            "graceful_timeout": END_SECONDS,
            "max_requests": 0,
            "preload_app": False,
            "control_socket_disable": True,
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "loglevel": "warning",
            "proc_name": "openruntime web",
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In the worker, after the fork: connections, threads and bells are made here."""
        from broker import make, messages

        bells = messages.connect(self._config, make(self._config))
        database.timeout = BUSY_SECONDS
        app = create_app(self._config, listener=bells.changes.listener, threads=self._threads)
        app.extensions[KEY].hub.start()
        return app


class Worker(ArrivalsWorker):
    """One process of threads that ends within a second, and answers broken requests as problems."""

    def init_signals(self) -> None:
        _die_with_parent()
        super().init_signals()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self.handle_exit)

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        self._stop_hub()
        super().handle_exit(number, frame)

    def is_parent_alive(self) -> bool:
        alive: bool = super().is_parent_alive()
        if not alive:
            self._stop_hub()
        return alive

    def _stop_hub(self) -> None:
        if self.app.callable is not None:
            self.app.callable.extensions[KEY].hub.stop()

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(min(deadline, time.monotonic() + LINGER_SECONDS))

    def handle(self, conn: Any) -> Any:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", QUIET_SECONDS, 0))
        return super().handle(conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """What gunicorn could not read never reaches the application: 400, whatever it is."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        answer = problems.problem(
            400, "Bad request", "This is not a request this server can read.", "bad-request"
        )
        answer.headers.update({**security.HEADERS, "Cache-Control": "no-store", "Connection": "close"})
        head = "HTTP/1.1 400 Bad Request\r\n" + str(answer.headers)
        with contextlib.suppress(OSError):
            client.sendall(head.encode() + answer.get_data())
