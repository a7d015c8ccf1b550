"""The door: one check before every request, deny by default, in the order of contract 4."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from flask import Flask, Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from shared import audit
from shared.access import accounts, bounds, tokens
from shared.audit import Actor
from shared.config import Config
from shared.errors import Forbidden, TooManyRequests, Unauthenticated
from shared.store.database import database
from shared.store.models import ApiToken, Login, Task
from web import hosts, reading
from web.services import services

Handler = TypeVar("Handler", bound=Callable[..., Any])
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWNER = "owner"
CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf_token"
OWN_SITE = ("none", "same-origin")

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
#: Referrer-Policy is not no-referrer: with that, Chromium sends `Origin: null` on our own forms (web.md 5).
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key",
}
EXPOSED = "Link, Retry-After"


class Authority(StrEnum):
    """What a route asks for: a listed Host, the owner or a token they minted, the owner, the owner's browser."""

    PUBLIC = "public"
    CLIENT = "client"
    OWNER = "owner"
    PAGE = "page"


@dataclass(frozen=True)
class Credential:
    """Who speaks: the owner, by their token or a browser's login, or a program with a minted token."""

    config: Config
    secret: str
    login: Login | None = None
    api_token: ApiToken | None = None

    @property
    def is_person(self) -> bool:
        return self.api_token is None

    @property
    def key(self) -> str:
        """What its requests are counted under; no secret."""
        if self.api_token is not None:
            return f"token:{self.api_token.id}"
        return OWNER if self.login is None else f"login:{self.login.hash}"

    @property
    def actor(self) -> str:
        """Who acts, in the audit log's words."""
        if self.api_token is not None:
            return f"token:{self.api_token.name}"
        return Actor.BEARER if self.login is None else Actor.BROWSER

    def stands(self) -> bool:
        """Whether it would still be accepted."""
        if self.api_token is not None:
            return tokens.find(self.secret) is not None
        if self.login is not None:
            return accounts.login(self.secret) is not None
        return accounts.is_owner(self.config, self.secret)


def authority(level: Authority) -> Callable[[Handler], Handler]:
    """Declare what a view asks for; a view that declares nothing is closed."""

    def declare(view: Handler) -> Handler:
        view.authority = level  # type: ignore[attr-defined]
        return view

    return declare


def writes(view: Handler) -> Handler:
    """Declare that a GET view may record something (a capture asked for)."""
    view.writes = True  # type: ignore[attr-defined]
    return view


def require_within(task: Task) -> None:
    """Before words or a start reach `task`: a minted token acts only within the workspace's own policy."""
    if not credential().is_person:
        bounds.require_task(task)


def credential() -> Credential:
    """The credential of this request; only behind a route that asks for one."""
    found: Credential = g.credential
    return found


def cookie_name(config: Config) -> str:
    """Cookies ignore ports: with the port in the name, two installations do not overwrite each other."""
    return f"openruntime_{config.port}"


def install(app: Flask, config: Config) -> None:
    """Guard every route of the application."""
    names = hosts.names(config)
    authority(Authority.PUBLIC)(app.view_functions["static"])

    @app.before_request
    def guard() -> BaseResponse | None:
        host = names.require_host(request.environ.get("HTTP_HOST"), request.environ.get("RAW_URI", ""))
        origin = request.headers.get("Origin")
        names.require_origin(origin)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=204)
        view = app.view_functions.get(request.endpoint or "")
        level = getattr(view, "authority", None)
        if level is Authority.PUBLIC:
            _require_own_site(names, origin)
        else:
            found = _credential(config, names, origin)
            if found is None:
                return _signed_out(level)
            g.credential = found
            audit.speak_as(found.actor)
            if found.login is not None:
                _require_own_page(found.login, names, host, origin)
            if request.endpoint and level is None:
                raise Forbidden("This address has no declared authority.")
            _count_write(found)
            if not found.is_person and request.endpoint and level is not Authority.CLIENT:
                raise Forbidden("An API token cannot do this; only the owner can.")
        reading.allow_writes(request.method not in SAFE_METHODS or getattr(view, "writes", False))
        return None

    @app.teardown_request
    def reopen(error: BaseException | None) -> None:
        audit.speak_as(Actor.SYSTEM)  # the thread serves others next
        if not database.is_closed():
            reading.allow_writes(True)

    @app.after_request
    def add_headers(answer: Response) -> Response:
        for name, value in HEADERS.items():
            answer.headers.setdefault(name, value)
        answer.headers.setdefault("Cache-Control", "no-store")
        origin = request.headers.get("Origin")
        if origin in names.cors_origins and request.endpoint != "live":
            _allow(answer, str(origin))
        return answer


def _allow(answer: Response, origin: str) -> None:
    answer.headers["Access-Control-Allow-Origin"] = origin
    answer.headers.add("Vary", "Origin")
    if request.method == "OPTIONS":
        answer.headers.update(PREFLIGHT)
    else:
        answer.headers["Access-Control-Expose-Headers"] = EXPOSED


def _credential(config: Config, names: hosts.Names, origin: str | None) -> Credential | None:
    """The valid credential, or None. A wrong bearer is counted, and never falls back to the cookie.

    Raises TooManyRequests after too many wrong ones.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        found = _bearer(config, token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            count_failure()
        return found
    cookie = request.cookies.get(cookie_name(config))
    if not cookie or (origin is not None and origin not in names.own_origins):
        return None
    login = accounts.login(cookie)
    return None if login is None else Credential(config, cookie, login=login)


def _bearer(config: Config, secret: str) -> Credential | None:
    if accounts.is_owner(config, secret):
        return Credential(config, secret)
    row = tokens.find(secret)
    if row is None:
        return None
    tokens.note_use(row)
    return Credential(config, secret, api_token=row)


def count_failure() -> None:
    """Note a wrong credential of this address; raises TooManyRequests when it is one too many."""
    _require_patience(services().throttle.count(request.remote_addr or ""), "wrong credentials")


def _count_write(found: Credential) -> None:
    if request.method not in SAFE_METHODS:
        _require_patience(services().writes.count(found.key), "writes with this credential")


def _require_patience(wait: int, what: str) -> None:
    if wait:
        raise TooManyRequests(f"Too many {what}; wait {wait} seconds.", headers={"Retry-After": str(wait)})


def _signed_out(level: Authority | None) -> BaseResponse:
    if level is Authority.PAGE and request.method == "GET":
        return redirect("/login", 303)
    raise Unauthenticated(
        "Send the owner's token as a bearer, or sign in with the link that `openruntime login` prints.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _require_own_page(login: Login, names: hosts.Names, host: str, origin: str | None) -> None:
    """What only our own pages can do with a browser's login."""
    _require_own_site(names, origin)
    if request.headers.get("Upgrade", "").lower() == "websocket":
        if origin not in (f"http://{host}", f"https://{host}") or origin not in names.own_origins:
            raise Forbidden("A live stream with a browser's login must come from our own page.")
        return
    if request.method in SAFE_METHODS:
        return
    presented = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD, "")
    if not hmac.compare_digest(presented.encode(), login.csrf.encode()):
        raise Forbidden(f"Send the page's CSRF token in the header {CSRF_HEADER}.")


def _require_own_site(names: hosts.Names, origin: str | None) -> None:
    """Fetch metadata says whether a browser sends this for a page of another site."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site in OWN_SITE or origin in names.cors_origins:
        return
    if request.method in ("GET", "HEAD") and request.headers.get("Sec-Fetch-Mode") == "navigate":
        return
    raise Forbidden("Requests from other sites are not allowed.")
