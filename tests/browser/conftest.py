"""One browser for all, one installation per file, and pages that may complain about nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests import conftest
from tests.browser import chromium
from tests.browser.chromium import Complaints
from tests.installation import Installation, installed

expect.set_options(timeout=20_000)
Open = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def here() -> Iterator[Installation]:
    """A real installation with a worker, whose HOME holds nothing but a git identity."""
    with tempfile.TemporaryDirectory(prefix="or-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / ".gitconfig").write_text(conftest.GIT_CONFIG)
        with installed(folder, HOME=name, GIT_CONFIG_GLOBAL=f"{name}/.gitconfig") as found:
            yield found


@pytest.fixture
def src(tmp_path: Path) -> Path:
    folder = tmp_path / "src"
    folder.mkdir()
    return folder


@pytest.fixture
def contexts() -> Iterator[list[BrowserContext]]:
    found: list[BrowserContext] = []
    yield found
    for context in found:
        context.close()


@pytest.fixture
def visit(browser: Browser, here: Installation, contexts: list[BrowserContext]) -> Iterator[Open]:
    """Open a page signed in; `look` and further options as `chromium.context` takes them.

    At the end no page may have complained; a test that expects complaints clears `page.complaints`.
    """
    opened: list[Page] = []

    def go(path: str = "/", *, signed_in: bool = True, **look: object) -> Page:
        context = chromium.context(browser, **look)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.complaints = Complaints(page)  # type: ignore[attr-defined]
        opened.append(page)
        if signed_in:
            sign_in(here, context)
        page.goto(f"http://{here.address}{path}")
        return page

    yield go
    assert [said for page in opened for said in page.complaints] == []  # type: ignore[attr-defined]


def sign_in(here: Installation, context: BrowserContext) -> None:
    """Redeem a link as a form would, so that also a browser without scripts is signed in."""
    token = here.post("/login/links").body["url"].partition("#token=")[2]
    answer = context.request.post(f"http://{here.address}/login", form={"token": token}, max_redirects=0)
    assert answer.status == 303, answer.text()


def is_live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def send(button: Locator) -> None:
    """Send a form without scripts, and wait until its answer is the page: a reload on the way would race with it."""
    with button.page.expect_navigation():
        button.click()
