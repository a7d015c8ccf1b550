"""The inventory of agents' sessions: 5,000 transcripts of Claude, 1 GB, read cold, looked through again, and in how much memory."""

from __future__ import annotations

import json
import resource
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from bench.places import home
from bench.samples import Row, median, row
from shared.agents import sessions
from shared.config import from_env
from shared.store.database import close, open_store
from workers import inventory

FILES, LINES, TEXT_BYTES = 5_000, 100, 1_850
COLD_RATIO, WARM_MS, RSS_MB = 1.5, 200.0, 200.0
ROUNDS = 5


def measure(files: int = FILES) -> list[Row]:
    """Cold in seconds beside `json.loads` of every line; warm as the median of five; the process's peak memory."""
    with home() as folder:
        claude = folder / ".claude"
        total = _write(claude, files)
        open_store(from_env({}, data=folder / "data"))
        environment = {
            "HOME": str(folder),
            "CLAUDE_CONFIG_DIR": str(claude),
            "CODEX_HOME": str(folder / "none"),
        }
        loaded = _timed(lambda: _load_all(claude))
        cold = _timed(lambda: inventory.look_through(environment, lambda: False))
        found = len(sessions.listed(runner=None, text=None, limit=files + 1, after=None))
        warm = [
            1000 * _timed(lambda: inventory.look_through(environment, lambda: False, settled=True))
            for _ in range(ROUNDS)
        ]
        close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = f"inventory: {files:,} transcripts, {total / 1e9:.1f} GB"
    whole = found == files
    quick = median(warm)
    return [
        row(f"{name}, cold", cold, "s", yardstick=loaded, bar=f"<= {COLD_RATIO:g} x", ok=whole and cold <= COLD_RATIO * loaded),
        row(f"{name}, warm", quick, "ms", bar=f"<= {WARM_MS:g} ms", ok=whole and quick <= WARM_MS),
        row(f"{name}, peak memory", peak, "MB", bar=f"<= {RSS_MB:g} MB", ok=peak <= RSS_MB),
    ]  # fmt: skip


def _write(claude: Path, files: int) -> int:
    """So many sessions in fifty projects; returns their bytes."""
    total = 0
    for number in range(files):
        id = str(uuid.UUID(int=number))
        path = claude / f"projects/-work-{number % 50}/{id}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(_line(id, place) for place in range(LINES))
        total += path.write_text(text)
    return total


def _line(session: str, place: int) -> str:
    kind = "assistant" if place % 2 else "user"
    message = {
        "role": kind,
        "id": f"m{place}",
        "content": [{"type": "text", "text": "word " * (TEXT_BYTES // 5)}],
    }
    about = {"type": kind, "sessionId": session, "cwd": "/work", "uuid": f"u{place}", "isSidechain": False}
    return json.dumps({**about, "timestamp": "2026-11-01T10:00:00.000Z", "message": message}) + "\n"


def _load_all(claude: Path) -> None:
    for path in sorted(claude.rglob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                json.loads(line)


def _timed(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began
