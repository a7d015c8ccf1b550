"""Set-up from a bare machine: what it refuses, what it installs, and that it does nothing the second time."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]

FAKE_UV = """\
#!/bin/sh
echo "$@" >> "{log}"
case "$*" in
    *venv*) mkdir -p "{checkout}/.venv/bin" && ln -sf "{python}" "{checkout}/.venv/bin/python" ;;
esac
exit {code}
"""
FAKE_APT = """\
#!/bin/sh
echo "$@ policy=$(cat "{policy}" | tail -1)" >> "{log}"
case "$*" in *"install chromium"*) exit 100 ;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that set-up reads, in a folder of their own."""
    for name in ("deploy/bootstrap.py", "deploy/lock/run.txt", "deploy/lock/test.txt", "pyproject.toml"):
        (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "checkout" / name)
    return tmp_path / "checkout"


@pytest.fixture
def bootstrap(checkout: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", checkout / "deploy/bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def stamp(module: ModuleType, level: str) -> None:
    Path(module.PYTHON).parent.mkdir(parents=True, exist_ok=True)
    Path(module.PYTHON).symlink_to(sys.executable)
    Path(module.STAMP).write_text(
        json.dumps({"place": module.place(), "set": level, "fingerprint": module.fingerprint(level)})
    )


def test_an_old_python_is_refused_in_one_sentence(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", (3, 10, 2, "final", 0))
    with pytest.raises(SystemExit) as end:
        bootstrap.main("run")
    assert end.value.code == 1
    assert capsys.readouterr().err.splitlines() == [
        "bootstrap: openRuntime needs Python 3.11 or newer, this is 3.10; try: make PYTHON=python3.12 run"
    ]


def test_a_set_is_never_lowered(bootstrap: ModuleType) -> None:
    assert bootstrap.level_needed("run") == "run"
    stamp(bootstrap, "test")
    assert bootstrap.level_needed("run") is None
    assert bootstrap.level_needed("test") is None


def test_a_changed_lock_is_installed_into_the_set_there_is(bootstrap: ModuleType, checkout: Path) -> None:
    stamp(bootstrap, "test")
    (checkout / "deploy/lock/test.txt").write_text("changed")
    assert bootstrap.level_needed("run") == "test"


def test_a_moved_checkout_and_a_vanished_interpreter_are_set_up_again(bootstrap: ModuleType) -> None:
    stamp(bootstrap, "run")
    bootstrap.ROOT, place = bootstrap.ROOT + "-moved", bootstrap.place()
    assert bootstrap.place() != place
    bootstrap.ROOT = bootstrap.ROOT.removesuffix("-moved")
    Path(bootstrap.PYTHON).unlink()
    Path(bootstrap.PYTHON).symlink_to("/nowhere/python")
    assert bootstrap.level_needed("run") == "run"


def test_a_damaged_stamp_means_set_up_again(bootstrap: ModuleType) -> None:
    stamp(bootstrap, "run")
    for text in ("", "{", "[]", '{"set": "run"}'):
        Path(bootstrap.STAMP).write_text(text)
        assert bootstrap.level_needed("run") == "run"


def test_uv_is_told_what_pip_is_configured_with(
    bootstrap: ModuleType, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_CERT"))]:
        monkeypatch.delenv(name)
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text(
        "[global]\nindex-url = https://mirror.example/simple\nfind-links =\n  /a\n  /b\n"
    )
    monkeypatch.setenv("PIP_CERT", "/etc/own.pem")
    env = bootstrap.uv_environment()
    assert env["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert env["UV_FIND_LINKS"] == "/a /b"
    assert env["SSL_CERT_FILE"] == "/etc/own.pem"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://chosen.example/simple")
    assert bootstrap.uv_environment()["UV_DEFAULT_INDEX"] == "https://chosen.example/simple"


def test_a_persons_pip_options_cannot_send_packages_elsewhere(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in bootstrap.MISLEADING:
        monkeypatch.setenv(name, "1")
    assert not set(bootstrap.MISLEADING) & set(bootstrap.environment())


def test_system_packages_come_one_by_one_and_start_no_service(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, log = tmp_path / "policy-rc.d", tmp_path / "log"
    program(tmp_path / "bin", "apt-get", FAKE_APT.format(policy=policy, log=log))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(bootstrap, "POLICY_RC", str(policy))
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 0)
    bootstrap.apt_install(["bubblewrap", "chromium", "redis-server"])
    lines = log.read_text().splitlines()
    assert [line.split("--no-install-recommends ")[1] for line in lines] == [
        "update policy=exit 101",
        "install bubblewrap policy=exit 101",
        "install chromium policy=exit 101",
        "install redis-server policy=exit 101",
    ]
    assert not policy.exists()


def test_who_may_not_install_is_told_the_command(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bootstrap.os, "geteuid", lambda: 1000)
    bootstrap.system_packages()
    assert "sudo apt-get install bubblewrap chromium redis-server" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1])
def test_setting_up_twice_installs_once_and_a_failure_is_not_taken_for_done(
    checkout: Path, tmp_path: Path, code: int
) -> None:
    log = tmp_path / "log"
    text = FAKE_UV.format(log=log, checkout=checkout, python=sys.executable, code=code)
    program(tmp_path / "bin", "uv", text)
    env = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    argv = [sys.executable, str(checkout / "deploy/bootstrap.py"), "run"]
    first = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)
    calls = log.read_text()
    if code:
        assert first.returncode == 1
        assert "could not be installed" in first.stderr
        assert not (checkout / ".venv/.ready").exists()
        return
    assert first.returncode == 0, first.stderr
    assert "--require-hashes -r deploy/lock/run.txt" in calls
    assert "--no-build-isolation -e ." in calls
    second = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60)
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert log.read_text() == calls
