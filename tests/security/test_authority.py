"""S6: every route with every credential, generated from what is really served and held against authority.txt."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import g
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.access import accounts, tokens
from shared.clock import now
from shared.config import Config
from shared.store.database import raw
from shared.store.models import ApiToken
from tests.unit.web.conftest import HOST, PORT
from web.app import Application
from web.security import Authority, authority
from web.services import KEY
from web.throttle import Throttle

EXPECTED = Path(__file__).with_name("authority.txt")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
OWN, FOREIGN = f"http://{HOST}", "https://evil.example"
#: Who is let in where; everybody else is refused as `refusal` says.
LET_IN = {
    "public": {"nothing", "garbage", "expired", "revoked", "minted", "owner", "cookie", "cookie and csrf"},
    "client": {"minted", "owner", "cookie and csrf"},
    "owner": {"owner", "cookie and csrf"},
    "page": {"owner", "cookie and csrf"},
}
KINDS = (*sorted(LET_IN["public"]), "owner, foreign origin", "cookie, foreign origin")
#: Where the others take the same way through the door, and answers are whole pages.
FEWER = ("nothing", "garbage", "minted", "owner", "cookie", "cookie and csrf", "cookie, foreign origin")
KNOWN = ("minted", "owner", "cookie", "cookie and csrf")


def declared(app: Application) -> dict[str, str]:
    """`METHOD route` to the level it declares, with `writes` where a GET may record something."""
    found = {}
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            level = getattr(view, "authority", "undeclared")
            mark = " writes" if method == "GET" and getattr(view, "writes", False) else ""
            found[f"{method} {rule.rule}"] = f"{level}{mark}"
    return found


def expected() -> dict[str, str]:
    lines = [line for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#")]
    return {route.strip(): level.strip() for route, _, level in (line.partition("=") for line in lines)}


def test_every_route_has_the_authority_that_was_agreed_on(app: Application) -> None:
    """A new route: add its line, after thinking about who may use it."""
    assert declared(app) == expected()


def test_few_routes_are_public(app: Application) -> None:
    public = {route for route, level in declared(app).items() if level == Authority.PUBLIC}
    assert public == {"GET /health", "GET /login", "POST /login", "GET /static/<path:filename>"}


@pytest.fixture
def unthrottled(app: Application) -> FlaskClient:
    """Hundreds of wrong credentials in a minute are the point here."""
    app.extensions[KEY] = dataclasses.replace(app.extensions[KEY], throttle=Throttle(limit=100_000))
    return app.test_client(use_cookies=False)


class Credentials:
    """Headers for each kind of caller."""

    def __init__(self, config: Config) -> None:
        self._login = accounts.sign_in()
        self._owner = accounts.owner_token(config)
        self._minted = tokens.mint("good", None)[1]
        row, self._expired = tokens.mint("old", None)
        ApiToken.update(expires_at=now() - timedelta(days=1)).where(ApiToken.id == row.id).execute()
        row, self._revoked = tokens.mint("gone", None)
        tokens.revoke(row.id)

    def of(self, kind: str) -> dict[str, str]:
        if kind.startswith("cookie"):
            if accounts.login(self._login[0]) is None:  # a route before this one ended it
                self._login = accounts.sign_in()
            cookie, csrf = self._login
            headers = {
                "Cookie": f"openruntime_{PORT}={cookie}",
                "Origin": OWN,
                "Sec-Fetch-Site": "same-origin",
            }
            return {**headers, "X-CSRF-Token": csrf} if kind == "cookie and csrf" else headers
        secret = {
            "garbage": "x",
            "expired": self._expired,
            "revoked": self._revoked,
            "minted": self._minted,
            "owner": self._owner,
        }.get(kind)
        return {} if secret is None else {"Authorization": f"Bearer {secret}"}


def cases(app: Application) -> Iterator[tuple[str, str, str, str]]:
    """(method, route, path, level) with HEAD wherever there is GET."""
    for route, level in declared(app).items():
        method, _, rule = route.partition(" ")
        path = re.sub("<[^>]+>", UNKNOWN, rule)
        for verb in ("GET", "HEAD") if method == "GET" else (method,):
            yield verb, route, path, level.split()[0]


def refusal(kind: str, method: str, level: str) -> int:
    """What someone who is not let in is answered."""
    if kind in KNOWN:
        return 403
    return 303 if level == "page" and method == "GET" else 401


def is_let_in(answer: TestResponse, path: str) -> bool:
    to_sign_in = answer.headers.get("Location", "").startswith("/login") and path != "/logout"
    return answer.status_code not in (401, 403) and not to_sign_in


def test_every_route_treats_every_credential_as_its_level_says(
    app: Application, config: Config, unthrottled: FlaskClient
) -> None:
    credentials, wrong, count = Credentials(config), [], 0
    for method, route, path, level in cases(app):
        for kind in KINDS if method != "HEAD" and level != "page" else FEWER:
            who, _, origin = kind.partition(", ")
            headers = credentials.of("cookie and csrf" if origin and who == "cookie" else who)
            if origin:
                headers["Origin"] = FOREIGN
            answer = unthrottled.open(path, method=method, headers={"Host": HOST, **headers})
            count += 1
            safe = method in ("GET", "HEAD") and who == "cookie"
            if origin:
                right = answer.status_code == 403
            elif kind in LET_IN[level] or (safe and path != "/ws"):
                right = is_let_in(answer, path)
            elif path == "/ws" and kind == "cookie":
                right = answer.status_code in (400, 403)  # no upgrade was asked for
            else:
                right = answer.status_code == refusal(kind, method, level)
            if not right or (answer.status_code >= 500 and answer.status_code != 501):
                wrong.append((method, route, kind, answer.status_code))
    assert wrong == []
    assert count > 900


def test_what_only_reads_cannot_write(app: Application, config: Config) -> None:
    """SQLite itself refuses: the connection of a GET is read-only, but for those that say they record something."""
    seen: dict[str, bool] = {}

    @app.before_request
    def look() -> None:
        (only_reads,) = raw().execute("PRAGMA query_only").fetchone()
        g.only_reads = bool(only_reads)

    @app.after_request
    def note(answer: TestResponse) -> TestResponse:
        seen[app.current_case] = bool(g.get("only_reads"))  # type: ignore[attr-defined]
        return answer

    client = app.test_client(use_cookies=False)
    owner = Credentials(config).of("owner")
    routes = declared(app)
    for method, route, path, _ in cases(app):
        if method in ("GET", "HEAD"):
            app.current_case = route  # type: ignore[attr-defined]
            client.open(path, method=method, headers={"Host": HOST, **owner})
    assert {route for route, only in seen.items() if not only} == {
        route for route, level in routes.items() if level.endswith("writes")
    }
    assert sum(seen.values()) > 30


def test_a_get_that_writes_all_the_same_is_refused_by_the_store(
    app: Application, config: Config, client: FlaskClient
) -> None:
    app.add_url_rule("/writes", "writes", authority(Authority.OWNER)(accounts.mint_link))
    before = "\n".join(raw().iterdump())
    headers = {"Host": HOST, "Authorization": f"Bearer {accounts.owner_token(config)}"}
    assert client.get("/writes", headers=headers).status_code == 503
    assert "\n".join(raw().iterdump()) == before


def test_a_route_without_authority_is_closed_even_to_the_owner(
    app: Application, config: Config, client: FlaskClient
) -> None:
    app.add_url_rule("/undeclared", "undeclared", lambda: "seen")
    headers = {"Host": HOST, "Authorization": f"Bearer {accounts.owner_token(config)}"}
    assert client.get("/undeclared", headers=headers).status_code == 403
