"""Signing in by link, and what a browser's login may do."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from shared.access import accounts
from shared.config import Config
from shared.store.models import Task
from tests.unit.web.conftest import HOST, PORT, Api
from web.app import Application


class Browser:
    """A browser on our own page: keeps the cookie, knows the CSRF token."""

    def __init__(self, app: Application) -> None:
        self.client = app.test_client()
        self.headers = {"Host": HOST, "Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
        self.csrf = ""

    def sign_in(self, token: str) -> Any:
        answer = self.client.post(
            "/login", json={"token": token}, headers=self.headers, base_url=f"http://{HOST}"
        )
        self.csrf = (answer.json or {}).get("csrf_token", "")
        return answer

    def __call__(self, method: str, path: str, **options: Any) -> Any:
        headers = {**self.headers, "X-CSRF-Token": self.csrf, **options.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        return self.client.open(path, method=method, headers=headers, base_url=f"http://{HOST}", **options)


@pytest.fixture
def browser(app: Application) -> Browser:
    found = Browser(app)
    assert found.sign_in(accounts.mint_link()).status_code == 200
    return found


def test_a_sign_in_link_is_in_the_fragment_and_works_once(api: Api, app: Application) -> None:
    made = api.post("/login/links").json
    base, _, token = made["url"].partition("#token=")
    assert base == f"http://{HOST}/login"
    first, second = Browser(app), Browser(app)
    answer = first.sign_in(token)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"openruntime_{PORT}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert first("GET", "/tasks").status_code == 200
    assert second.sign_in(token).status_code == 401
    assert second("GET", "/tasks").status_code == 401


def test_a_pasted_link_signs_in_by_form(app: Application) -> None:
    client = app.test_client()
    headers = {"Host": HOST, "Origin": f"http://{HOST}"}
    link = f"http://{HOST}/login#token={accounts.mint_link()}"
    answer = client.post("/login", data={"token": link}, headers=headers)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    again = client.post("/login", data={"token": link}, headers=headers)
    assert again.status_code == 401
    assert b"used up" in again.data


def test_the_owners_token_does_not_make_a_cookie(app: Application, config: Config) -> None:
    assert Browser(app).sign_in(accounts.owner_token(config)).status_code == 401


def test_sign_in_attempts_are_throttled(app: Application) -> None:
    browser = Browser(app)
    assert [browser.sign_in("x").status_code for _ in range(21)][-2:] == [401, 429]
    assert browser.sign_in(accounts.mint_link()).status_code == 200


def test_a_write_with_the_cookie_needs_the_csrf_token(browser: Browser) -> None:
    body = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}
    for token in (None, "", "x", "é"):
        assert browser("POST", "/tasks", json=body, headers={"X-CSRF-Token": token}).status_code == 403
    assert Task.select().count() == 0
    assert browser("POST", "/tasks", json=body).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_neither_write_nor_read_with_the_cookie(browser: Browser, site: str) -> None:
    assert browser("POST", "/tasks", json={}, headers={"Sec-Fetch-Site": site}).status_code == 403
    assert browser("GET", "/tasks", headers={"Sec-Fetch-Site": site}).status_code == 403
    navigation = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Origin": None}
    assert browser("GET", "/", headers=navigation).status_code == 200


@pytest.mark.parametrize(
    "mimetype", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_a_form_of_a_page_never_reaches_a_verb(browser: Browser, mimetype: str) -> None:
    task = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}
    for headers in ({"X-CSRF-Token": None}, {}):
        answer = browser("POST", "/tasks", data=str(task), headers={**headers, "Content-Type": mimetype})
        assert answer.status_code in (403, 415)
    assert Task.select().count() == 0


def test_signing_out_ends_the_login(browser: Browser) -> None:
    assert browser("GET", "/tasks").status_code == 200
    kept = browser.client.get_cookie(f"openruntime_{PORT}", "127.0.0.1")
    assert kept is not None
    assert browser("POST", "/logout").status_code == 204
    browser.client.set_cookie(f"openruntime_{PORT}", kept.value, domain="127.0.0.1")
    assert browser("GET", "/tasks").status_code == 401


def test_pages_lead_to_the_sign_in_and_show_nothing(client: FlaskClient, browser: Browser) -> None:
    answer = client.get("/", headers={"Host": HOST})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    page = browser("GET", "/")
    assert page.status_code == 200
    assert browser.csrf.encode() in page.data
    assert client.get("/login", headers={"Host": HOST}).status_code == 200


def test_titles_are_text_on_a_page(browser: Browser) -> None:
    title = "<script>alert(1)</script>"
    browser("POST", "/tasks", json={"title": title, "prompt": "p", "runner": "shell", "command": "true"})
    page = browser("GET", "/").text
    assert title not in page
    assert "&lt;script&gt;" in page
