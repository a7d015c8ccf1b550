"""The browser the tests drive: the machine's own Chromium, quiet on the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

QUIET = (
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-domain-reliability",
    "--no-first-run",
    "--metrics-recording-only",
    "--no-pings",
)
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
#: (dark, narrow): both themes and both widths each time, every combination in `make slow`.
LOOKS = [
    pytest.param(False, False, id="light-1440"),
    pytest.param(True, True, id="dark-390"),
    pytest.param(True, False, id="dark-1440", marks=pytest.mark.slow),
    pytest.param(False, True, id="light-390", marks=pytest.mark.slow),
]


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser; root needs it without Chromium's own sandbox."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    arguments = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def context(browser: Browser, *, dark: bool = False, narrow: bool = False, **more: object) -> BrowserContext:
    """A fresh profile; nothing moves, times are UTC."""
    return browser.new_context(
        viewport=NARROW if narrow else WIDE,
        color_scheme="dark" if dark else "light",
        has_touch=narrow,
        reduced_motion="reduce",
        locale="en-US",
        timezone_id="UTC",
        **more,  # type: ignore[arg-type]
    )


class Complaints(list[str]):
    """What a page complains about: console errors, uncaught exceptions, and what its content policy refused."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        page.on("console", lambda said: self.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.append(str(error)))
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e =>"
            " console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile))"
        )
