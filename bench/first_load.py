"""The first load of the board with 25 tasks: bytes over the wire, font and all, and requests."""

from __future__ import annotations

import itertools
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page

from bench import dashboard
from bench.samples import Row, row
from shared.lifecycle import Status
from shared.store.models import Task
from tests.browser import chromium, story
from tests.installation import Installation

TASKS = 25
KILOBYTES, REQUESTS = 200, 30
SETTLED_MS = 1_000
STATUSES = (
    Status.RUNNING, Status.NEEDS_INPUT, Status.READY_FOR_REVIEW, Status.COMPLETED, Status.FAILED,
)  # fmt: skip
STATIC = Path(__file__).resolve().parents[1] / "web/static"


def measure() -> list[Row]:
    """Two rows: what Chromium received with an empty cache, headers included, beside the same answers unpacked."""
    with dashboard.told() as running:
        for number, status in zip(range(TASKS), itertools.cycle(STATUSES), strict=False):
            made, _ = story.task(f"Fix the flaky login test, number {number}", status=status)
            if status not in (Status.RUNNING, Status.NEEDS_INPUT):
                Task.update(live_attempt=None).where(Task.number == made.number).execute()
        received, unpacked, requests = loaded(running)
    name = f"first load: board, {TASKS} tasks"
    return [
        row(
            f"{name}, transferred", received / 1000, "kB", yardstick=unpacked / 1000,
            bar=f"<= {KILOBYTES} kB with the font", ok=received <= KILOBYTES * 1000,
        ),
        row(f"{name}, requests", len(requests), "", bar=f"<= {REQUESTS}", ok=len(requests) <= REQUESTS),
    ]  # fmt: skip


def loaded(running: Installation) -> tuple[int, int, list[str]]:
    """(bytes received, bytes of the files and the page as they lie, paths asked for) of one load, nothing cached."""
    with chromium.launched() as browser:
        context = chromium.context(browser)
        page = context.new_page()
        page.goto(running.post("/login/links").body["url"])
        page.wait_for_url(f"http://{running.address}/")
        page.goto("about:blank")
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.setCacheDisabled", {"cacheDisabled": True})
        sizes: dict[str, float] = {}
        paths: dict[str, str] = {}
        network.on(
            "Network.requestWillBeSent",
            lambda told: paths.update({told["requestId"]: told["request"]["url"]}),
        )
        network.on(
            "Network.loadingFinished",
            lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]}),
        )
        page.goto(f"http://{running.address}/")
        page.wait_for_selector("#connection[data-state=live]")
        page.wait_for_selector(".card")
        page.wait_for_timeout(SETTLED_MS)
        asked = [urlsplit(paths[id]).path for id in sizes if urlsplit(paths[id]).scheme == "http"]
        whole = sum(_unpacked(page, path) for path in asked)
        context.close()
    return int(sum(sizes.values())), whole, asked


def _unpacked(page: Page, path: str) -> int:
    """A file's size on disk, or the body of what the server makes."""
    file = STATIC / "/".join(path.split("/")[3:]) if path.startswith("/static/") else None
    if file is not None and file.is_file():
        return file.stat().st_size
    return len(page.request.get(urlsplit(page.url)._replace(path=path).geturl()).body())


if __name__ == "__main__":
    for found in measure():
        print(found)
