"""The page of a 250,000-event task beside a 100-event one: the server's answer, the first frame, and 200 events/s live."""

from __future__ import annotations

import threading
import time

from bench import dashboard
from bench.samples import Row, row
from shared.store.database import close
from shared.store.models import Attempt, Task
from tests.browser import chromium, story

EVENTS, FEW = 250_000, 100
RATE, BATCH, LIVE_SECONDS = 200, 8, 10
SERVER_MS, FRAME_MS, FRAMES, HEAP_MB, NODES = 300, 500, 55, 30, 12_000
WATCH = """() => {
  window.seen = {frames: 0, long: 0, since: performance.now()};
  const next = () => { window.seen.frames += 1; requestAnimationFrame(next); };
  requestAnimationFrame(next);
  new PerformanceObserver(list => { window.seen.long += list.getEntries().length; }).observe({type: 'longtask'});
}"""
READ = """() => ({fps: window.seen.frames / (performance.now() - window.seen.since) * 1000, long: window.seen.long,
  nodes: document.querySelectorAll('*').length, heap: performance.memory.usedJSHeapSize / 1e6})"""


def measure(events: int = EVENTS) -> list[Row]:
    """Six rows; times are medians of seven."""
    with dashboard.told() as running:
        long, attempt = story.task("Long", "shell")
        story.flood(long, attempt, events)
        short, other = story.task("Short", "shell")
        story.flood(short, other, FEW)
        paths = [f"/ui/tasks/{task.id}" for task in (long, short)]
        server, little = (dashboard.server_ms(running, path) for path in paths)
        with dashboard.page(running) as page:
            frame, small = (dashboard.first_frame_ms(page, running, path) for path in paths)
            page.goto(f"http://{running.address}{paths[0]}")
            page.wait_for_selector("#connection[data-state=live]")
            seen, delivered = _live(page, long, attempt)
    name = f"open: {events:,} events"
    return [
        row(
            f"{name}, server", server, "ms", yardstick=little, bar=f"≤ {SERVER_MS} ms", ok=server <= SERVER_MS
        ),
        row(
            f"{name}, first frame", frame, "ms", yardstick=small, bar=f"≤ {FRAME_MS} ms", ok=frame <= FRAME_MS
        ),
        row(
            f"{name}, {RATE}/s live",
            seen["fps"],
            "fps",
            bar=f"≥ {FRAMES}",
            ok=seen["fps"] >= FRAMES and delivered,
        ),
        row(f"{name}, long tasks in {LIVE_SECONDS} s", seen["long"], "", bar="≤ 5", ok=seen["long"] <= 5),
        row(f"{name}, heap", seen["heap"], "MB", bar=f"≤ {HEAP_MB} MB", ok=seen["heap"] <= HEAP_MB),
        row(f"{name}, nodes", seen["nodes"], "", bar=f"≤ {NODES:,}", ok=seen["nodes"] <= NODES),
    ]


def _live(page: chromium.Page, task: Task, attempt: Attempt) -> tuple[dict[str, float], bool]:
    """What the page did while lines came in, and whether the last of them is there."""
    last = f"live line {RATE * LIVE_SECONDS - 1}"
    page.evaluate(WATCH)
    writer = threading.Thread(target=_write, args=(task, attempt))
    writer.start()
    while writer.is_alive():
        page.wait_for_timeout(500)
    writer.join()
    seen = page.evaluate(READ)
    page.wait_for_timeout(1_000)
    return seen, last in page.locator("#timeline .line").last.inner_text()


def _write(task: Task, attempt: Attempt) -> None:
    began = time.monotonic()
    for number in range(0, RATE * LIVE_SECONDS, BATCH):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        story.lines(task, attempt, [f"\x1b[36mlive\x1b[0m line {number + place}" for place in range(BATCH)])
    close()


if __name__ == "__main__":
    for found in measure():
        print(found)
