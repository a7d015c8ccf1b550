"""Who may speak: the owner's token, one-time sign-in links, and browser logins."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path

from shared import audit
from shared.audit import Act, Actor
from shared.clock import now
from shared.config import Config
from shared.store.database import prepare_folder, transaction
from shared.store.models import Login, LoginLink

LINK_SECONDS = 5 * 60
LOGIN_DAYS = 30


def owner_token(config: Config) -> str:
    """The owner's bearer token, made at first start; 256 bits in a file only the owner can read."""
    try:
        return _read(config.token_file)
    except FileNotFoundError:
        prepare_folder(config.data)
        handle, draft = tempfile.mkstemp(prefix="token.", dir=config.data)  # made with mode 0600
        with os.fdopen(handle, "w") as file:
            file.write("or_owner_" + secrets.token_urlsafe(32) + "\n")
        try:
            #: A link, not a rename: of two processes that start together, the first one's token stays.
            os.link(draft, config.token_file)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
        return _read(config.token_file)


def is_owner(config: Config, presented: str) -> bool:
    """Whether `presented` is the owner's token, in constant time."""
    return hmac.compare_digest(digest(presented), digest(owner_token(config)))


def mint_link() -> str:
    """A token for one sign-in within five minutes; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    with transaction():
        LoginLink.delete().where(LoginLink.expires_at < now()).execute()
        LoginLink.create(hash=digest(token), expires_at=now() + timedelta(seconds=LINK_SECONDS))
        audit.record(Act.SIGN_IN_LINK, "login")
    return token


def redeem(token: str) -> bool:
    """Use up a sign-in link; False when it is unknown, used or expired."""
    with transaction():
        used = LoginLink.delete().where(LoginLink.hash == digest(token), LoginLink.expires_at > now())
        return bool(used.execute())


def sign_in() -> tuple[str, str]:
    """Open a browser login; returns its cookie value and its CSRF token."""
    cookie, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with transaction():
        Login.delete().where(Login.expires_at < now()).execute()
        Login.create(
            hash=digest(cookie), csrf=csrf, created_at=now(), expires_at=now() + timedelta(days=LOGIN_DAYS)
        )
        audit.record(Act.SIGN_IN, "login", shown(cookie), actor=Actor.BROWSER)
    return cookie, csrf


def login(cookie: str) -> Login | None:
    """The live login behind a cookie."""
    return Login.get_or_none(Login.hash == digest(cookie), Login.expires_at > now())


def sign_out(cookie: str) -> None:
    with transaction():
        if Login.delete().where(Login.hash == digest(cookie)).execute():
            audit.record(Act.SIGN_OUT, "login", shown(cookie))


def shown(cookie: str) -> str:
    """A login's name in the audit log: enough of its hash to tell it from others."""
    return digest(cookie)[:8]


def logins() -> list[Login]:
    """The browsers that are signed in, newest first."""
    return list(Login.select().where(Login.expires_at > now()).order_by(Login.created_at.desc()))


def sign_out_others(kept: Login | None) -> int:
    """End every login but one; how many there were."""
    with transaction():
        others = Login.delete() if kept is None else Login.delete().where(Login.hash != kept.hash)
        count = int(others.execute())
        if count:
            audit.record(Act.SIGN_OUT, "login", others=count)
    return count


def digest(token: str) -> str:
    """SHA-256: enough for secrets of 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> str:
    text = path.read_text().strip()
    if not text:
        path.unlink()
        raise FileNotFoundError(path)
    return text
