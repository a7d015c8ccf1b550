"""The application: every part of the web side put together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flask_openapi import Info, OpenAPI

from broker.wakeup import Wakeup
from shared import backlog, doorbell
from shared.config import Config
from shared.costs import ledger
from shared.secrets import kept
from shared.version import VERSION
from web import api, metrics, pages, problems, security, sockets, strict_json
from web.api.results import Problem
from web.hub import Hub, Listener
from web.rules import LazyRule
from web.services import KEY, Services
from web.throttle import Throttle

THREADS = 64
FORM_BYTES, FORM_PARTS = 512 << 10, 64


class Application(OpenAPI):
    """Flask with OpenAPI, and JSON read strictly."""

    request_class = strict_json.StrictRequest
    url_rule_class = LazyRule


def create_app(
    config: Config,
    *,
    on_ring: doorbell.Listener | None = None,
    listener: Callable[[], Listener] | None = None,
    home: Path | None = None,
    threads: int = THREADS,
) -> Application:
    """The application for `config`, whose port is the real one. The store must be open; the hub is not started.

    `on_ring` hears this process's doorbell; `listener` makes the bell the hub waits on; `home` is the folder
    relative workspaces start at, the current one unless given.
    """
    app = Application(
        "web",
        info=Info(title="openRuntime", version=VERSION),
        doc_ui=False,
        validation_error_model=Problem,
        validation_error_callback=problems.refuse_shape,
        static_folder=str(Path(__file__).parent / "static"),
        template_folder=str(Path(__file__).parent / "templates"),
    )
    app.config.update(
        MAX_CONTENT_LENGTH=strict_json.BODY_BYTES + 1,  # the one more tells a body that was cut
        MAX_FORM_MEMORY_SIZE=FORM_BYTES,
        MAX_FORM_PARTS=FORM_PARTS,
        PROPAGATE_EXCEPTIONS=False,
    )
    ledger.use_prices(config.data)
    kept.use_key(config)
    hub = Hub(listener or Wakeup(config.data / "bells" / "changes", watch=config.database).listener)
    folder = Path.cwd() if home is None else home
    app.extensions[KEY] = Services(
        config,
        folder.resolve(),
        hub,
        throttle=Throttle(config.wrong_credentials_per_minute),
        writes=Throttle(config.writes_per_minute),
    )
    backlog.bound(config.max_queued)
    if on_ring is not None:
        doorbell.listen(on_ring)
    problems.install(app)
    metrics.install(app)
    security.install(app, config)
    api.install(app)
    pages.install(app)
    sockets.install(app, threads)
    return app
