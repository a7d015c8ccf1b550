"""What `make check` runs: every check to its end, one line each, details of those that failed. `ARGS=NAME` runs one."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import vendor

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv/bin"
SOURCES = ("openruntime", "web", "workers", "broker", "shared")
AUDIT_SECONDS = 120
# These pass with something to say.
TELLING = ("scripts", "audit")


def command(*argv: str) -> Callable[[], tuple[bool, str]]:
    """A check that is one program: it passes when the program exits 0."""

    def check() -> tuple[bool, str]:
        done = subprocess.run(
            [str(BIN / argv[0]), *argv[1:]],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode == 0, done.stdout

    return check


def audit() -> tuple[bool, str]:
    """Known vulnerabilities in what we ship. An advisory service that cannot be reached is said, not failed."""
    argv = [str(BIN / "pip-audit"), "--progress-spinner=off", "--format=json", "--timeout=15"]
    argv += ["--disable-pip", "--require-hashes", "-r", "deploy/lock/run.txt"]
    try:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=AUDIT_SECONDS)
        packages = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return True, "the advisory service did not answer in time; nothing was audited"
    except (ValueError, KeyError):
        return True, f"the advisory service could not be asked:\n{done.stderr.strip()[-500:]}"
    found = [
        f"{package['name']} {package['version']}: {hole['id']}, fixed in {', '.join(hole['fix_versions']) or 'none'}"
        for package in packages
        for hole in package.get("vulns", [])
    ]
    return not found, "\n".join(found)


def scripts() -> tuple[bool, str]:
    """The types of the browser's modules, and the vendored files. Without npm outside CI that is said, not failed."""
    node = shutil.which("node")
    try:
        found = vendor.problems(fetch=False)
        if node is None:
            raise vendor.Unreachable("node is not on PATH")
        argv = [node, str(vendor.typescript() / "lib/tsc.js"), "-p", "deploy/tsconfig.json"]
    except vendor.Unreachable as error:
        return not os.environ.get("CI"), f"the scripts' types were not checked: {error}"
    except vendor.Altered as error:
        return False, str(error)
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.returncode == 0 and not found, "\n".join([*found, done.stdout]).strip()


CHECKS = {
    "format": command("ruff", "format", "--check", "."),
    "lint": command("ruff", "check", "."),
    "types": command("mypy"),
    "imports": command("lint-imports"),
    "spelling": command("codespell"),
    "security": command("bandit", "-q", "-lll", "-c", "pyproject.toml", "-r", *SOURCES),
    "docs": command("python", "-m", "pytest", "-q", "tests/unit/test_docs.py", "tests/unit/test_layout.py"),
    "scripts": scripts,
    "audit": audit,
}


def timed(name: str) -> tuple[str, bool, str, float]:
    """A check's name, whether it passed, what it said, and the seconds it took."""
    began = time.monotonic()
    passed, detail = CHECKS[name]()
    return name, passed, detail, time.monotonic() - began


def main(names: list[str]) -> int:
    """Exit code 0 when all passed, 1 when one failed, 2 for a name that is no check."""
    if unknown := [name for name in names if name not in CHECKS]:
        print(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}", file=sys.stderr)
        return 2
    failed = []
    with ThreadPoolExecutor(os.cpu_count()) as side_by_side:
        for name, passed, detail, seconds in side_by_side.map(timed, names or CHECKS):
            note = detail.rstrip() if not passed or name in TELLING else ""
            print(f"{'ok  ' if passed else 'FAIL'} {name} ({seconds:.1f} s)", flush=True)
            if note:
                print("\n".join(f"     {line}" for line in note.splitlines()), flush=True)
            failed += [] if passed else [name]
    print(f"make check: {len(failed)} failed: {', '.join(failed)}" if failed else "make check: all passed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
