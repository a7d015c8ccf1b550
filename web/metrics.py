"""Figures for Prometheus: what the store holds, and how requests went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from shared import backlog, fleet, timeline
from shared.lifecycle import Status
from shared.store.database import raw
from web.reading import snapshot
from web.resource import Resource
from web.security import Authority, authority

KEY = "openruntime-metrics"
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"})
#: A socket's request lasts as long as the socket.
STREAM = "/ws"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)

api = Resource("metrics", __name__)


class Store(Collector):
    """Read from the store when it is asked for; nothing is kept in memory."""

    def collect(self) -> Iterator[Any]:
        with snapshot():
            yield _by_status("openruntime_tasks", "Tasks by status.", "task WHERE deleted_at IS NULL")
            yield _by_status("openruntime_attempts", "Attempts by status.", "attempt")
            yield GaugeMetricFamily(
                "openruntime_queue_depth", "Attempts that wait for a slot.", value=backlog.queued()
            )
            open_commands = raw().execute("SELECT count(*) FROM command WHERE state IN ('accepted', 'taken')")
            yield GaugeMetricFamily(
                "openruntime_commands_open",
                "Commands that have not ended.",
                value=open_commands.fetchone()[0],
            )
            yield GaugeMetricFamily(
                "openruntime_workers", "Workers heard of lately.", value=len(fleet.live_workers())
            )
            yield CounterMetricFamily(
                "openruntime_events", "Events ever stored.", value=timeline.newest_position()
            )

    def describe(self) -> list[Any]:
        """Nothing: registering must not read the store."""
        return []


class Metrics:
    """One application's registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Store())
        self.requests = Counter(
            "openruntime_http_requests",
            "Answers by kind of address, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "openruntime_http_request_seconds",
            "Seconds until the answer was ready, by kind of address.",
            ("route",),
            buckets=BUCKETS,
            registry=self.registry,
        )


def install(app: Flask) -> None:
    """Count and time every request; before the door, so that refusals count."""
    metrics = app.extensions[KEY] = Metrics()

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def count(answer: Response) -> Response:
        route = route_class()
        method = request.method if request.method in METHODS else "other"
        metrics.requests.labels(route, method, str(answer.status_code)).inc()
        began = g.get("began")
        if began is not None and route != "stream":
            metrics.seconds.labels(route).observe(time.perf_counter() - began)
        return answer


def route_class() -> str:
    """api, page, static, stream or unknown: addresses with ids in them would be a series each."""
    if request.url_rule is None:
        return "unknown"
    rule = request.url_rule.rule
    if rule.startswith("/static/"):
        return "static"
    if rule == STREAM:
        return "stream"
    return "page" if rule in ("/", "/login", "/logout") or rule.startswith("/ui/") else "api"


@api.get("/metrics", responses={200: {"description": "Prometheus text.", "content": {"text/plain": {}}}})
@authority(Authority.CLIENT)
def metrics() -> Response:
    """Figures in Prometheus' text form."""
    found: Metrics = current_app.extensions[KEY]
    return Response(exposition.generate_latest(found.registry), content_type=exposition.CONTENT_TYPE_LATEST)


def _by_status(name: str, text: str, table: str) -> GaugeMetricFamily:
    """Every status has a series, also where none has it."""
    rows = dict(raw().execute(f"SELECT status, count(*) FROM {table} GROUP BY status").fetchall())  # noqa: S608
    family = GaugeMetricFamily(name, text, labels=["status"])
    for status in Status:
        family.add_metric([status], rows.get(status, 0))
    return family
