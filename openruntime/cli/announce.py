"""Waits beside the loop of `up` until the server answers, then tells the sign-in link."""

from __future__ import annotations

import threading
from http import HTTPStatus

from openruntime.cli.client import Client
from openruntime.cli.printing import Printer
from shared.config import Config
from shared.errors import OpenRuntimeError

LOOK_SECONDS = 0.05


class Announcement(threading.Thread):
    """Prints exactly one line with the link, and opens it in a browser if asked."""

    def __init__(self, config: Config, printer: Printer, *, open_browser: bool) -> None:
        super().__init__(name="announce", daemon=True)
        self._client, self._printer, self._open = Client(config), printer, open_browser
        self._given_up = threading.Event()

    def run(self) -> None:
        while not self._given_up.wait(LOOK_SECONDS):
            try:
                self._client.get("/health")
                link = str(self._client.post("/login/links").body["url"])
            except OpenRuntimeError as error:
                if getattr(error, "status", HTTPStatus.SERVICE_UNAVAILABLE) == HTTPStatus.SERVICE_UNAVAILABLE:
                    continue  # not up yet, or just restarting
                self._printer.error(f"No sign-in link: {error}")
                return
            self._tell(link)
            return

    def _tell(self, link: str) -> None:
        self._printer.link(link)
        if self._open:
            import webbrowser

            webbrowser.open(link)

    def give_up(self) -> None:
        """Called when `up` ends first."""
        self._given_up.set()
