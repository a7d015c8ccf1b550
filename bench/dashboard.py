"""A signed-in Chromium and an installation with told tasks, for the benchmarks of pages."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.places import home
from bench.samples import median
from tests.browser import chromium, story
from tests.installation import Installation, installed

ROUNDS = 7
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


@contextmanager
def told() -> Iterator[Installation]:
    """A web process alone, and its store open here: nothing else writes while a page is measured."""
    with home() as folder, installed(folder, workers=0) as running:
        story.open_here(running)
        story.worker_and_runners()
        try:
            yield running
        finally:
            story.close_here()


def server_ms(running: Installation, path: str) -> float:
    """The median time of a page's answer, read whole."""
    times = []
    for _ in range(ROUNDS + 1):
        connection = http.client.HTTPConnection(running.address, timeout=60)
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {running.token}"})
        with connection.getresponse() as answer:
            answer.read()
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer.status
        connection.close()
    return median(times[1:])


@contextmanager
def page(running: Installation, path: str = "/") -> Iterator[chromium.Page]:
    """A page, signed in; `first_frame_ms` opens others."""
    with chromium.launched() as browser:
        context = chromium.context(browser)
        opened = context.new_page()
        opened.goto(running.post("/login/links").body["url"])
        opened.wait_for_url(f"http://{running.address}/")
        opened.goto(f"http://{running.address}{path}")
        yield opened
        context.close()


def first_frame_ms(opened: chromium.Page, running: Installation, path: str) -> float:
    """The median time from asking for a page to its first contentful paint."""
    times = []
    for _ in range(ROUNDS + 1):
        opened.goto(f"http://{running.address}{path}")
        opened.wait_for_function(f"() => ({PAINT})() > 0")
        times.append(float(opened.evaluate(PAINT)))
        opened.goto("about:blank")
    return median(times[1:])
