"""Writes docs/screenshots: every page from seeded real tasks, light and dark, wide and narrow.

Run by `make screenshots`; look at each picture.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests import conftest
from tests.browser import chromium, pictured, seed
from tests.installation import Installation, installed

TARGET = Path(__file__).resolve().parents[2] / "docs/screenshots"
PAGES = {
    "board": "/",
    "inbox": "/ui/inbox",
    "sessions": "/ui/sessions",
    "transcript": seed.TRANSCRIPT,
    "workspaces": "/ui/workspaces",
    "runners": "/ui/runners",
    "audit": "/ui/audit?verify=1",
    "search": "/ui/search?q=test",
}


def main(names: list[str]) -> int:
    """Write the pictures named, or all."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="or-shots-") as folder,
        _home(Path(folder)),
        chromium.launched() as browser,
    ):
        with installed(Path(folder, "first"), HOME=f"{folder}/first") as fresh:
            for look in _looks():
                with _opened(browser, fresh, **look) as page:
                    _take(page, "first-run", "/", look, names)
                _sign_in_page(browser, fresh, look, names)
        with installed(Path(folder, "work"), HOME=f"{folder}/work") as here:
            shop, notes = seed.workspaces(Path(folder, "work/src"))
            seed.sessions(here, {"webshop": shop, "notes": notes})
            ids = seed.tasks(here, shop, notes)
            group = seed.group(here, shop)
            pages = {
                **PAGES,
                "merge": f"/ui/tasks/{ids['review']}/changes?merge",
                "merged": f"/ui/tasks/{ids['merged']}/changes",
                "group": f"/ui/groups/{group}",
                "group-diff": f"/ui/groups/{group}/diff",
                "delete": f"/ui/tasks/{ids['review']}/delete",
            }
            for look in _looks():
                with _opened(browser, here, **look) as page:
                    for name, path in pages.items():
                        _take(page, name, path, look, names)
        with installed(Path(folder, "told"), workers=0) as here:
            pages = pictured.pages(here)
            for look in _looks():
                pictured.refreshed(here)
                with _opened(browser, here, **look) as page:
                    for name, path in pages.items():
                        _take(page, name, path, look, names)
    return 0


def _looks() -> Iterator[dict[str, bool]]:
    for dark in (False, True):
        for narrow in (False, True):
            yield {"dark": dark, "narrow": narrow}


@contextmanager
def _opened(browser: Browser, here: Installation, **look: bool) -> Iterator[Page]:
    context = chromium.context(browser, **look)
    try:
        page = context.new_page()
        page.goto(here.post("/login/links").body["url"])
        page.wait_for_url(f"http://{here.address}/")
        yield page
    finally:
        context.close()


def _sign_in_page(browser: Browser, here: Installation, look: dict[str, bool], names: list[str]) -> None:
    context = chromium.context(browser, **look)
    try:
        page = context.new_page()
        page.goto(f"http://{here.address}/")
        _save(page, "login", look, names)
    finally:
        context.close()


def _take(page: Page, name: str, path: str, look: dict[str, bool], names: list[str]) -> None:
    if names and name not in names:
        return
    page.goto(f"{page.url.split('/', 3)[0]}//{page.url.split('/', 3)[2]}{path}")
    page.wait_for_selector("#connection[data-state=live]")
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    page.wait_for_timeout(900)
    _save(page, name, look, names)


def _save(page: Page, name: str, look: dict[str, bool], names: list[str]) -> None:
    if names and name not in names:
        return
    width = "390" if look["narrow"] else "wide"
    theme = "dark" if look["dark"] else "light"
    page.screenshot(path=TARGET / f"{name}-{width}-{theme}.png")


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """The tests' git identity, and none of the person's settings."""
    import os

    kept = dict(os.environ)
    home = folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(conftest.GIT_CONFIG)
    os.environ.update(HOME=str(home), GIT_CONFIG_GLOBAL=str(home / ".gitconfig"), GIT_CONFIG_NOSYSTEM="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
