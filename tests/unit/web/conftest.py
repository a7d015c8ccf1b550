"""An application over a real store in a temporary data directory; the test plays the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from shared import attempts, doorbell, fleet
from shared.access import accounts
from shared.config import Config, from_env
from shared.store.database import close
from shared.store.models import Attempt, Command
from tests import stores
from tests.waiting import wait_until
from web.app import Application, create_app
from web.services import KEY

PORT = 8080
HOST = f"127.0.0.1:{PORT}"


@pytest.fixture
def config(short_dir: Path) -> Iterator[Config]:
    found = from_env({"OPENRUNTIME_DATA": str(short_dir / "data")})
    stores.fresh(found)
    yield found
    doorbell.forget()
    close()


class Compiled(BytecodeCache):
    """Templates compiled once per process rather than once per application."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if kept := self._kept.get(bucket.key):
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


TEMPLATES = Compiled()


@pytest.fixture
def app(config: Config, tmp_path: Path) -> Iterator[Application]:
    found = create_app(config, home=tmp_path)
    found.jinja_env.bytecode_cache = TEMPLATES
    hub = found.extensions[KEY].hub
    hub.start()
    yield found
    hub.stop()
    hub.join()


class Api:
    """The API as the owner's client sees it."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client, self.token = client, token

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        headers = {"Host": HOST, "Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return self.client.open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self("POST", path, body, **options)

    def new(self, **fields: Any) -> dict[str, Any]:
        """A shell task."""
        answer = self.post(
            "/tasks", {"title": "t", "prompt": "p", "runner": "shell", "command": "true", **fields}
        )
        assert answer.status_code == 200, answer.text
        return answer.json  # type: ignore[no-any-return]


@pytest.fixture
def client(app: Application) -> FlaskClient:
    return app.test_client(use_cookies=False)


@pytest.fixture
def api(client: FlaskClient, config: Config) -> Api:
    return Api(client, accounts.owner_token(config))


class PlayedWorker:
    """A worker in a thread: claims attempts, and hands each command to what the test says."""

    def __init__(self) -> None:
        self.answer: Callable[[Command], tuple[str, dict[str, Any]]] = lambda command: ("applied", {})
        self.claims = True
        self.claimed: list[Attempt] = []
        self.begun: Callable[[Attempt], None] = lambda attempt: None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> PlayedWorker:
        fleet.register_worker("w1", "0")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        from shared import commands

        while not self._ended.wait(0.01):
            if self.claims and (attempt := attempts.claim_next("w1", 8)):
                self.claimed.append(attempt)
                self.begun(attempt)
            for command in list(Command.select().where(Command.state == "accepted")):
                taken = commands.take(command.id, "w1")
                if taken is not None:
                    state, result = self.answer(taken)
                    if state != "left":
                        commands.finish(command.id, commands.State(state), result)
        close()


@pytest.fixture
def worker(config: Config) -> Iterator[PlayedWorker]:
    with PlayedWorker() as played:
        yield played


@pytest.fixture
def running(api: Api, worker: PlayedWorker) -> dict[str, Any]:
    """A running shell task."""
    task = api.new()
    answer = api.post(f"/tasks/{task['id']}/start")
    assert (answer.status_code, answer.json["status"]) == (200, "running")
    wait_until(lambda: worker.claimed)
    return task
