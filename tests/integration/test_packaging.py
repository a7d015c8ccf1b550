"""sdist to wheel to an installed program, started where a person starts it: inside somebody's repository."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ("web", "shared", "broker", "workers")
TRAPS = ("redis", "flask", "click", "platformdirs", "openruntime", "honcho")


def built(*options: str, cwd: Path) -> Path:
    """Run the build backend; the one file it leaves in the folder named last."""
    argv = [sys.executable, "-m", "hatchling", "build", *options]
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (result,) = Path(options[-1]).iterdir()
    return result


def pip_install(python: Path, *argv: str) -> None:
    """With the installer that set this environment up: pip where it is here, else uv."""
    if importlib.util.find_spec("pip"):
        installer = [sys.executable, "-m", "pip", "--python", str(python), "-q", "install"]
    else:
        installer = [shutil.which("uv") or "uv", "-q", "pip", "install", "--python", str(python)]
    subprocess.run([*installer, *argv], check=True, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from an unpacked sdist, as a package index would get it."""
    folder = tmp_path_factory.mktemp("package")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(listed, cwd=ROOT).decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / "src" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / "src" / name)
    sdist = built("-t", "sdist", "-d", str(folder / "sdist"), cwd=folder / "src")
    (folder / "unpacked").mkdir()
    subprocess.run(["tar", "-xzf", str(sdist), "-C", str(folder / "unpacked")], check=True)
    (source,) = (folder / "unpacked").iterdir()
    return built("-t", "wheel", "-d", str(folder / "wheel"), cwd=source)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel in a fresh virtual environment that borrows the dependencies of this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip_install(folder / "bin/python", "--no-deps", "--no-index", str(wheel))
    (packages,) = folder.glob("lib/python*/site-packages")
    borrowed = Path(pytest.__file__).parent.parent
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return folder


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A user's repository whose folders and files are named like ours and like our dependencies."""
    for name in HOSTILE:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            f"raise SystemExit('the {name} of the user was imported')\n"
        )
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('the {name} of the user was imported')\n")
    return tmp_path


def test_a_wheel_brings_one_name_into_site_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"openruntime"}


def test_a_wheel_holds_every_file_the_program_reads(wheel: Path) -> None:
    listed = subprocess.check_output(
        [
            "git",
            "ls-files",
            "-z",
            *HOSTILE,
            "deploy/supervisor",
            "deploy/systemd",
            "deploy/docker",
            "Procfile",
        ],
        cwd=ROOT,
    )
    names = {name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()}
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert {name for name in names if f"openruntime/_app/{name}" not in packed} == set()
    assert not [name for name in packed if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.parametrize("start", [["bin/openruntime"], ["bin/python", "-P", "-m", "openruntime"]])
def test_an_installed_program_ignores_what_the_users_folder_is_called(
    installed: Path, hostile: Path, start: list[str]
) -> None:
    argv = [str(installed / start[0]), *start[1:], "--data", str(hostile / "d"), "where"]
    done = subprocess.run(argv, cwd=hostile, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert str(hostile / "d") in done.stdout


@pytest.mark.parametrize("module", ["web.app", "workers.main", "broker", "shared.tasks"])
def test_an_installed_programs_parts_resolve_to_its_own(installed: Path, hostile: Path, module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.fail(f"{module} does not exist")
    code = f"import openruntime, {module} as m; print(m.__file__)"
    argv = [str(installed / "bin/python"), "-P", "-c", code]
    done = subprocess.run(argv, cwd=hostile, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed)), done.stdout


def test_a_checkout_in_place_ignores_the_users_folder_too(hostile: Path) -> None:
    program = Path(sys.executable).parent / "openruntime"
    argv = [str(program), "--data", str(hostile / "d"), "where"]
    done = subprocess.run(argv, cwd=hostile, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_locked_dependencies_are_all_an_installed_program_needs(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    pip_install(python, "--require-hashes", "-r", str(ROOT / "deploy/lock/run.txt"))
    pip_install(python, "--no-deps", "--no-index", str(wheel))
    code = "import openruntime, web.app, workers.main, broker, openruntime.cli.root"
    done = subprocess.run(
        [str(python), "-P", "-c", code], capture_output=True, text=True, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
