"""The shipped service files work: supervisord for real, honcho for real, compose, Dockerfile and unit by reading."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
START_SECONDS = 30.0


def procfile() -> dict[str, list[str]]:
    """Kind of process to the words after the program's name."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {
        name: shlex.split(command)[1:] for name, command in (line.split(":", 1) for line in lines if line)
    }


def compose() -> dict[str, dict[str, object]]:
    services = yaml.safe_load((ROOT / "deploy/docker/compose.yaml").read_text())["services"]
    assert isinstance(services, dict)
    return services


def supervisor_conf() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(ROOT / "deploy/supervisor/openruntime.conf")
    return parser


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@contextmanager
def running(argv: list[str], data: Path, port: int, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process manager with our program on PATH; ended by SIGTERM, and its output shown when it would not."""
    log = data.parent / "manager.log"
    env = dict(os.environ, OPENRUNTIME_DATA=str(data), PORT=str(port), PATH=f"{BIN}:{os.environ['PATH']}")
    with log.open("wb") as output:
        process = subprocess.Popen(argv, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    except BaseException:
        print(*(path.read_text()[-2000:] for path in [log, *data.glob("*.log")]), sep="\n")
        raise
    finally:
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=30)
        finally:
            left = [child for child in psutil.wait_procs(below, timeout=10)[1] if child.is_running()]
            for child in [*left, *([psutil.Process(process.pid)] if process.poll() is None else [])]:
                child.kill()
            process.wait(timeout=10)
        assert not left, f"left running: {left}\n{log.read_text()[-2000:]}"


def test_supervisord_serves_with_the_shipped_file_and_restarts_what_dies(short_dir: Path) -> None:
    data, port = short_dir / "data", free_port()
    data.mkdir(mode=0o700)
    argv = [str(BIN / "supervisord"), "-n", "-c", str(ROOT / "deploy/supervisor/openruntime.conf")]
    with running(argv, data, port, cwd=short_dir) as manager:
        wait_until(lambda: healthy(port), START_SECONDS)

        def webs() -> list[psutil.Process]:
            children = psutil.Process(manager.pid).children()
            return [child for child in children if "web" in child.cmdline()]

        (web,) = webs()
        web.kill()
        wait_until(lambda: [one for one in webs() if one.pid != web.pid], 10, ignoring=(psutil.Error,))
        wait_until(lambda: healthy(port), START_SECONDS)
        assert [child for child in psutil.Process(manager.pid).children() if "worker" in child.cmdline()]


def test_honcho_starts_the_procfile_of_a_checkout(short_dir: Path) -> None:
    if not (ROOT / ".venv/bin/openruntime").is_file():
        pytest.skip("this checkout's own .venv is not set up")
    data, port = short_dir / "data", free_port()
    data.mkdir(mode=0o700)
    argv = [str(BIN / "honcho"), "-f", str(ROOT / "Procfile"), "-d", str(ROOT), "start"]
    with running(argv, data, port, cwd=ROOT):
        wait_until(lambda: healthy(port), START_SECONDS)


def test_supervisor_and_compose_start_what_the_procfile_starts() -> None:
    conf = supervisor_conf()
    programs = {
        name.removeprefix("program:"): shlex.split(conf[name]["command"])
        for name in conf.sections()
        if name.startswith("program:")
    }
    assert programs == {name: ["openruntime", *words] for name, words in procfile().items()}
    commands = {name: one["command"] for name, one in compose().items() if one.get("image") == "openruntime"}
    assert commands == programs


def test_no_service_file_signals_the_agents() -> None:
    conf = supervisor_conf()
    for name in ("program:web", "program:worker"):
        assert not conf[name].getboolean("stopasgroup")
        assert not conf[name].getboolean("killasgroup")
        assert conf[name]["stopsignal"] == "TERM"
    unit = (ROOT / "deploy/systemd/openruntime.service").read_text()
    assert re.search(r"^KillMode=process$", unit, re.MULTILINE)
    assert re.search(r"^ExecStart=\S*/openruntime up$", unit, re.MULTILINE)


def test_compose_shares_one_data_volume_and_is_reachable_from_this_machine_only() -> None:
    services = compose()
    for name in ("web", "worker"):
        assert "data:/data" in services[name]["volumes"]
        assert services[name]["environment"]["OPENRUNTIME_DATA"] == "/data"
        assert services[name]["init"] is True
    published = [port for one in services.values() for port in one.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    mounted = [item.split(":")[0] for one in services.values() for item in one.get("volumes", [])]
    assert all((ROOT / "deploy/docker" / path).exists() for path in mounted if path.startswith("./"))


def test_the_compose_settings_are_ones_the_program_accepts() -> None:
    from shared.config import from_env

    for name in ("web", "worker"):
        settings = {
            key: re.sub(r"\$\{\w+:-(.*)\}", r"\1", text)
            for key, text in compose()[name]["environment"].items()
        }
        config = from_env(settings)
        assert str(config.data) == "/data"
        assert config.broker.startswith("redis://redis")
    assert from_env({"OPENRUNTIME_HOST": "0.0.0.0"}).host == "0.0.0.0"


def test_the_image_is_built_in_two_stages_from_the_lock_and_runs_unprivileged() -> None:
    text = (ROOT / "deploy/docker/Dockerfile").read_text()
    stages = text.split("\nFROM ")[1:]
    assert len(stages) == 2
    for stage in stages:
        assert "--require-hashes -r" in stage
    final = stages[1]
    assert re.search(r"^USER openruntime$", final, re.MULTILINE)
    assert "bubblewrap" in final
    assert "git" in final
    assert "COPY . ." not in final
    for source in re.findall(r"^COPY (?!--from)(\S+) ", text, re.MULTILINE):
        assert (ROOT / source).exists(), source
    assert re.search(r'^CMD \["openruntime", "up"\]$', final, re.MULTILINE)


@pytest.mark.redis
def test_a_real_redis_accepts_the_shipped_configuration(short_dir: Path) -> None:
    from redis import Redis

    conf = (ROOT / "deploy/docker/redis.conf").read_text().replace("dir /data", f"dir {short_dir}")
    (short_dir / "redis.conf").write_text(f"{conf}\nport 0\nunixsocket {short_dir}/s\n")
    argv = [shutil.which("redis-server") or "redis-server", str(short_dir / "redis.conf")]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        wait_until((short_dir / "s").exists)
        with Redis(unix_socket_path=str(short_dir / "s")) as client:
            assert client.config_get("appendonly")["appendonly"] == "yes"
            assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    finally:
        server.terminate()
        server.wait(timeout=10)
