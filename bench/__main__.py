"""Runs every benchmark in a process of its own, prints one table, writes bench/results.json."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
LIMIT_SECONDS = 600  # one module; the whole run is meant to end within 15 minutes on two cores
COLUMNS = ("figure", "value", "yardstick", "ratio", "bar", "")

Row = dict[str, Any]


def names() -> list[str]:
    """Modules of this folder that measure something."""
    found = (module.name for module in pkgutil.iter_modules([str(HERE)]))
    return [name for name in found if not name.startswith("_") and "def measure" in source(name)]


def source(name: str) -> str:
    path = HERE / f"{name}.py"
    return path.read_text() if path.is_file() else ""


def run_one(name: str) -> list[Row]:
    """The rows of one module, measured in a fresh process; one row with `error` where it failed."""
    with tempfile.TemporaryDirectory(prefix="or-bench-") as folder:
        target = Path(folder, "rows.json")
        argv = [sys.executable, "-m", "bench", "--measure", name, "--into", str(target)]
        process = subprocess.Popen(argv, cwd=HERE.parent, start_new_session=True, stdout=sys.stderr)
        try:
            code = process.wait(timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            return [{"name": name, "error": f"not done after {LIMIT_SECONDS} s", "ok": False}]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code:
            return [{"name": name, "error": f"exit code {code}", "ok": False}]
        rows: list[Row] = json.loads(target.read_text())
        return rows


def machine() -> dict[str, Any]:
    """What one must know to compare two results."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "git": subprocess.run(["git", "--version"], capture_output=True, text=True).stdout.strip(),
    }


def shown(value: Any, unit: str = "") -> str:
    if value is None:
        return "–"
    text = f"{value:,.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value:,.0f}"
    return f"{text} {unit}".strip() if isinstance(value, int | float) else f"{value}"


def table(rows: list[Row]) -> Table:
    result = Table(*COLUMNS, title="openRuntime benchmarks")
    for row in rows:
        verdict = "[green]ok" if row.get("ok") else "[red]short"
        if "error" in row:
            result.add_row(row["name"], row["error"], "", "", "", "[red]error")
            continue
        unit = row.get("unit", "")
        ratio = row.get("ratio")
        result.add_row(
            row["name"],
            shown(row.get("value"), unit),
            shown(row.get("yardstick"), unit),
            "–" if ratio is None else f"{ratio:.3g} ×",
            str(row.get("bar", "")),
            verdict,
        )
    return result


def main() -> int:
    """Exit code 0 when everything could be measured, 1 when not, 2 for an unknown name."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="one benchmark; may be repeated")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        rows = importlib.import_module(f"bench.{options.measure}").measure()
        options.into.write_text(json.dumps(list(rows)))
        return 0
    chosen = [name.replace("-", "_") for name in options.only or names()]
    if unknown := set(chosen) - set(names()):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    facts, results = machine(), []
    for name in chosen:
        began = time.monotonic()
        print(f"bench: {name} …", file=sys.stderr, flush=True)
        results += run_one(name)
        print(f"bench: {name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    Console(width=None if sys.stdout.isatty() else 140).print(table(results))
    RESULTS.write_text(json.dumps({"machine": facts, "rows": results}, indent=2) + "\n")
    return int(any("error" in row for row in results))


if __name__ == "__main__":
    sys.exit(main())
