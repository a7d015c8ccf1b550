"""What holds for every test: a home of its own, no process left behind, and no silent skip in CI."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import processes, services
from tests.waiting import wait_until

GIT_CONFIG = """\
[user]
\tname = A Tester
\temail = tester@example.invalid
[init]
\tdefaultBranch = main
[commit]
\tgpgSign = false
[gc]
\tauto = 0
"""
OURS = ("OPENRUNTIME_", "GIT_", "CLAUDE", "CODEX_", "ANTHROPIC_", "OPENAI_", "XDG_")
SETTINGS = ("PORT", "MANAGED_AGENTS_DB", "PYTHONPATH")
GRACE_SECONDS = 2.0


def in_ci() -> bool:
    return bool(os.environ.get("CI"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--suite-broker", choices=["sqlite", "redis"], default="sqlite", help="what carries the messages"
    )


def pytest_configure(config: pytest.Config) -> None:
    services.put_node_on_path(config.rootpath / ".cache/node")


def pytest_collection_finish() -> None:
    """Keep thousands of test items out of every later garbage collection."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing service: skip on a developer's machine, fail in CI (contract 1)."""
    for service in services.PROGRAMS:
        if item.get_closest_marker(service) is None:
            continue
        if reason := services.missing(service):
            if in_ci():
                pytest.fail(f"{reason}, and CI may skip nothing for that", pytrace=False)
            pytest.skip(reason)
        if reason := services.refused_by_host(service):
            pytest.skip(reason)


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    root = tmp_path_factory.mktemp("homes")
    yield (root / str(number) for number in itertools.count())
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(autouse=True)
def home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME with a git identity; nothing of the person's settings or credentials is visible to a test."""
    folder = next(_homes)
    folder.mkdir(parents=True)
    (folder / ".gitconfig").write_text(GIT_CONFIG)
    for name in [name for name in os.environ if name.startswith(OURS) or name in SETTINGS]:
        monkeypatch.delenv(name)
    settings = {
        "HOME": folder,
        "XDG_CONFIG_HOME": folder / ".config",
        "XDG_DATA_HOME": folder / ".local/share",
        "XDG_STATE_HOME": folder / ".local/state",
        "XDG_CACHE_HOME": folder / ".cache",
        "GIT_CONFIG_GLOBAL": folder / ".gitconfig",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    return folder


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A temporary folder with a short path, for unix sockets (their paths end at 107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="or-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _no_process_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a child process behind.

    Where a wider fixture (a server for a whole module) runs, what it starts may outlive one test; the check at
    the end of the session judges that.
    """
    if "suite_broker" in request.fixturenames:
        request.getfixturevalue("suite_broker")  # the suite's Redis outlives the first test that asks for it
    before = processes.descendants()
    yield
    if not before:
        _refuse(processes.left_after(GRACE_SECONDS, processes.descendants), "the test")


@pytest.fixture(scope="session", autouse=True)
def _no_process_outlives_the_suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Orphans included: everything that still carries the suite's temporary folder is an error, and is ended."""
    yield
    base = tmp_path_factory.getbasetemp()

    def everything() -> set[int]:
        return processes.descendants() | processes.carrying(base)

    _refuse(processes.left_after(GRACE_SECONDS, everything), "the suite")


def _refuse(left: set[int], whose: str) -> None:
    if left:
        lines = "\n".join(processes.describe(pid) for pid in sorted(left))
        processes.end(left)
        pytest.fail(f"{whose} left processes behind:\n{lines}", pytrace=False)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a process: a second Playwright cannot run beside the first."""
    from tests.browser import chromium

    with chromium.launched() as found:
        yield found


@pytest.fixture
def suite_broker(request: pytest.FixtureRequest) -> str:
    """OPENRUNTIME_BROKER for a started program: `sqlite`, or a real Redis under `make slow`."""
    if request.config.getoption("--suite-broker") == "sqlite":
        return "sqlite"
    return str(request.getfixturevalue("redis_url"))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real redis-server on a unix socket, for tests marked `redis`; the address is a `unix://` URL."""
    program = shutil.which("redis-server")
    if program is None:
        (pytest.fail if in_ci() else pytest.skip)("needs redis-server on PATH")
    with tempfile.TemporaryDirectory(prefix="or-redis-") as folder:
        socket = Path(folder, "s")
        argv = [program, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            wait_until(socket.exists, what="redis-server to listen")
            yield f"unix://{socket}"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=10)


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The server's address, with an empty database."""
    import redis

    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server
