"""The changes page of 60 files and 5,600 diff lines, and of 2,700 files, beside one file: the server's answer and the
first frame.
"""

from __future__ import annotations

from bench import dashboard
from bench.samples import Row, row
from tests.browser import captured, story

FILES, LINES = 60, 5_600
BAR_MS = 500
MOST_FILES, MOST_LINES, MOST_BAR_MS = 2_700, 32_400, 1_000


def measure() -> list[Row]:
    """Two rows for each; medians of seven. The first answer after a capture, which splits the patch, is not among them."""
    with dashboard.told() as running:
        many, _ = story.task("Many files", status="ready-for-review")
        captured.big_capture(many, FILES, LINES // FILES)
        most, _ = story.task("A great many files", status="ready-for-review")
        captured.big_capture(most, MOST_FILES, MOST_LINES // MOST_FILES)
        one, _ = story.task("One file", status="ready-for-review")
        captured.big_capture(one, 1, LINES // FILES)
        paths = [f"/ui/tasks/{task.id}/changes" for task in (many, most, one)]
        servers = [dashboard.server_ms(running, path) for path in paths]
        with dashboard.page(running) as page:
            frames = [dashboard.first_frame_ms(page, running, path) for path in paths]
    sizes = [(FILES, LINES, BAR_MS), (MOST_FILES, MOST_LINES, MOST_BAR_MS)]
    rows = []
    for (files, lines, bar), server, frame in zip(sizes, servers, frames, strict=False):
        name = f"diff page: {files:,} files, {lines:,} lines"
        told = f"≤ {bar:,} ms"
        rows += [
            row(f"{name}, server", server, "ms", yardstick=servers[-1], bar=told, ok=server <= bar),
            row(f"{name}, first frame", frame, "ms", yardstick=frames[-1], bar=told, ok=frame <= bar),
        ]
    return rows


if __name__ == "__main__":
    for found in measure():
        print(found)
