"""The door: which request gets past which check, in which order."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from shared import doorbell
from shared.access import accounts
from shared.config import Config
from shared.store.models import Task
from tests.unit.web.conftest import HOST, PORT, Api
from web.app import create_app

GOOD_HOSTS = ["127.0.0.1:8080", "localhost:8080", "LOCALHOST:8080", "[::1]:8080"]
UNLISTED = [
    "evil.example", "evil.example:8080", "127.0.0.1.evil.example:8080", "localhost.evil.example:8080",
    "localhost.:8080", "0.0.0.0:8080", "127.1:8080", "0x7f000001:8080", "[::]:8080", "127.0.0.1:8081", "127.0.0.1",
    "localhost",
]  # fmt: skip
MALFORMED = [
    "", "user@127.0.0.1:8080", "127.0.0.1:8080,evil.example", "127.0.0.1:8080 evil", "127.0.0.1:8080/x", "a b",
    "127.0.0.1:http", "::1:8080", "http://127.0.0.1:8080",
]  # fmt: skip
FOREIGN = [
    "null", "", "https://evil.example", "http://127.0.0.1:8081", "https://127.0.0.1:8080", "http://127.0.0.1",
    "http://127.0.0.1:8080.evil.example", "http://localhost.evil.example:8080", "HTTP://127.0.0.1:8080",
    "http://127.0.0.1:8080/", "file://",
]  # fmt: skip


def raw(
    client: FlaskClient, host: str | None, method: str = "GET", path: str = "/health", **headers: str
) -> Any:
    environ = {"HTTP_HOST": host} if host is not None else {}
    return client.open(path, method=method, headers=headers, environ_overrides=environ)


@pytest.mark.parametrize("path", ["/health", "/tasks", "/", "/login", "/static/page.css", "/nowhere"])
@pytest.mark.parametrize(("hosts", "status"), [(UNLISTED, 421), (MALFORMED, 400)])
def test_other_hosts_are_refused_before_anything_else(
    client: FlaskClient, path: str, hosts: list[str], status: int
) -> None:
    assert {raw(client, host, path=path).status_code for host in hosts} == {status}
    assert {raw(client, host, "POST", "/tasks").status_code for host in hosts} == {status}


def test_our_names_are_answered(client: FlaskClient) -> None:
    assert {raw(client, host).status_code for host in GOOD_HOSTS} == {200}


def test_a_target_in_absolute_form_must_name_the_host(client: FlaskClient) -> None:
    def status(uri: str) -> int:
        return client.get("/health", environ_overrides={"HTTP_HOST": HOST, "RAW_URI": uri}).status_code

    assert status(f"http://{HOST}/health") == 200
    assert status("http://evil.example/health") == 400


def test_a_forwarded_host_is_ignored(client: FlaskClient) -> None:
    assert raw(client, "evil.example", **{"X-Forwarded-Host": HOST}).status_code == 421


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_is_refused_bearer_or_not(api: Api, client: FlaskClient, origin: str) -> None:
    answers = [
        api.get("/tasks", headers={"Origin": origin}),
        api.post("/tasks", {"title": "t"}, headers={"Origin": origin}),
        client.get("/tasks", headers={"Host": HOST, "Origin": origin}),
        client.post("/login", headers={"Host": HOST, "Origin": origin}, json={"token": "x"}),
        client.options(
            "/tasks", headers={"Host": HOST, "Origin": origin, "Access-Control-Request-Method": "POST"}
        ),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert not any("Access-Control" in name for answer in answers for name, _ in answer.headers)
    assert Task.select().count() == 0


def test_our_own_origin_gets_no_cors_header(api: Api) -> None:
    answer = api.get("/tasks", headers={"Origin": f"http://localhost:{PORT}"})
    assert answer.status_code == 200
    assert not any("Access-Control" in name for name, _ in answer.headers)


@pytest.fixture
def listed(config: Config, tmp_path: Path) -> FlaskClient:
    """A server with a listed foreign origin and a public name."""
    wider = dataclasses.replace(
        config, cors_origins=("https://app.example",), public_hosts=("runs.example",), behind_proxy=True
    )
    return create_app(wider, home=tmp_path).test_client(use_cookies=False)


def test_a_listed_origin_may_ask_before_and_read_the_answer(listed: FlaskClient, config: Config) -> None:
    origin = {"Host": HOST, "Origin": "https://app.example"}
    preflight = listed.options("/tasks", headers={**origin, "Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert preflight.headers["Access-Control-Allow-Headers"] == "authorization, content-type, idempotency-key"
    refused = listed.get("/tasks", headers=origin)
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (
        401,
        "https://app.example",
    )
    bearer = {"Authorization": f"Bearer {accounts.owner_token(config)}", "Sec-Fetch-Site": "cross-site"}
    answer = listed.get("/tasks", headers={**origin, **bearer})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Expose-Headers"] == "Link, Retry-After"
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_listed_origin_never_acts_with_the_browsers_login(listed: FlaskClient) -> None:
    cookie, csrf = accounts.sign_in()
    headers = {
        "Host": HOST,
        "Origin": "https://app.example",
        "Cookie": f"openruntime_{PORT}={cookie}",
        "X-CSRF-Token": csrf,
    }
    assert listed.get("/tasks", headers=headers).status_code == 401


def test_a_public_name_is_a_host_and_an_own_origin(listed: FlaskClient, config: Config) -> None:
    bearer = {"Authorization": f"Bearer {accounts.owner_token(config)}"}
    for origin in ("https://runs.example", "http://runs.example"):
        headers = {"Host": "runs.example", "Origin": origin, **bearer}
        assert listed.get("/tasks", headers=headers).status_code == 200
    assert listed.get("/health", headers={"Host": "other.example"}).status_code == 421


@pytest.mark.parametrize(
    "credential",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic eDp5",
        "bearer é".encode().decode("latin-1"),
        "Token {token}",
    ],
)
def test_without_the_owners_token_nothing_is_shown(
    client: FlaskClient, config: Config, credential: str | None
) -> None:
    headers = {"Host": HOST}
    if credential is not None:
        headers["Authorization"] = credential.format(token=accounts.owner_token(config))
    for path in ("/tasks", "/nowhere", "/openapi.json", "/runners", "/ws"):
        answer = client.get(path, headers=headers)
        assert answer.status_code in (401, 400 if path == "/ws" else 401), path
        assert answer.mimetype == "application/problem+json"
    assert client.post("/tasks", headers=headers, json={}).status_code == 401


def test_wrong_tokens_are_throttled_and_the_right_one_still_works(api: Api, client: FlaskClient) -> None:
    wrong = {"Host": HOST, "Authorization": "Bearer wrong"}
    statuses = [client.get("/tasks", headers=wrong).status_code for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2
    assert int(client.get("/tasks", headers=wrong).headers["Retry-After"]) > 0
    assert api.get("/tasks").status_code == 200


def test_every_answer_carries_the_browsers_fences(api: Api, client: FlaskClient) -> None:
    for answer in (
        api.get("/tasks"),
        client.get("/login", headers={"Host": HOST}),
        client.get("/tasks", headers={"Host": HOST}),
        client.get("/x", headers={"Host": "evil.example"}),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"


def test_templates_and_scripts_hold_nothing_inline() -> None:
    folder = Path(create_app.__code__.co_filename).parent
    for page in (folder / "templates").rglob("*.html"):
        text = page.read_text()
        assert "style=" not in text
        assert "onclick" not in text
        assert "<script>" not in text


def test_ringing_the_given_doorbell_reaches_it(config: Config, tmp_path: Path) -> None:
    rung: list[str] = []
    create_app(config, home=tmp_path, on_ring=lambda ring: rung.append(ring.bell))
    doorbell.ring(doorbell.Bell.CHANGE)
    assert rung == ["change"]
