"""The suite's own promises: no silent skip in CI, no process left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def outcome(folder: Path, text: str, **env: str) -> str:
    """What pytest prints for one test file under our conftest."""
    (folder / "test_sample.py").write_text(text)
    argv = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml")]
    argv += ["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", f"--basetemp={folder / 'base'}"]
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | env
    done = subprocess.run(
        [*argv, str(folder / "test_sample.py")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return f"{done.stdout}{done.stderr}\nexit code {done.returncode}"


@pytest.mark.parametrize(("ci", "expected"), [("", "1 skipped"), ("true", "1 failed")])
def test_a_missing_program_is_skipped_on_a_desk_and_fails_in_ci(
    tmp_path: Path, ci: str, expected: str
) -> None:
    text = "import pytest\n\n@pytest.mark.redis\ndef test_it(): pass\n"
    printed = outcome(tmp_path, text, CI=ci, PATH=str(tmp_path))
    assert expected in printed or f"{expected.replace('failed', 'error')}" in printed, printed
    assert "needs redis-server on PATH" in printed


def test_a_test_that_leaves_a_process_behind_is_named(tmp_path: Path) -> None:
    text = "import os, subprocess\n\ndef test_it():\n    os.spawnlp(os.P_NOWAIT, 'sleep', 'sleep', '50')\n"
    printed = outcome(tmp_path, text)
    assert "the test left processes behind" in printed
    assert "sleep 50" in printed


def test_an_orphan_is_found_when_the_suite_ends(tmp_path: Path) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '51'], start_new_session=True)"
    text = f'import subprocess, sys\n\ndef test_it():\n    subprocess.run([sys.executable, "-c", "{code}"])\n'
    printed = outcome(tmp_path, text)
    assert "the suite left processes behind" in printed
    assert "sleep 51" in printed
