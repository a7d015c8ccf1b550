"""The changes page of 60 files and 5,600 diff lines beside one file: the server's answer and the first frame."""

from __future__ import annotations

from bench import dashboard
from bench.samples import Row, row
from tests.browser import captured, story

FILES, LINES = 60, 5_600
BAR_MS = 500


def measure() -> list[Row]:
    """Two rows; medians of seven. The first answer after a capture, which splits the patch, is not among them."""
    with dashboard.told() as running:
        many, _ = story.task("Many files", status="ready-for-review")
        captured.big_capture(many, FILES, LINES // FILES)
        one, _ = story.task("One file", status="ready-for-review")
        captured.big_capture(one, 1, LINES // FILES)
        paths = [f"/ui/tasks/{task.id}/changes" for task in (many, one)]
        server, little = (dashboard.server_ms(running, path) for path in paths)
        with dashboard.page(running) as page:
            frame, small = (dashboard.first_frame_ms(page, running, path) for path in paths)
    name = f"diff page: {FILES} files, {LINES:,} lines"
    return [
        row(f"{name}, server", server, "ms", yardstick=little, bar=f"≤ {BAR_MS} ms", ok=server <= BAR_MS),
        row(f"{name}, first frame", frame, "ms", yardstick=small, bar=f"≤ {BAR_MS} ms", ok=frame <= BAR_MS),
    ]


if __name__ == "__main__":
    for found in measure():
        print(found)
