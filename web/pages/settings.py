"""Settings: kept secrets by name, and who may come in: browsers that are signed in, and the tokens of programs."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared.access import accounts, tokens
from shared.clock import now
from shared.secrets import kept
from shared.store.models import ApiToken
from web.pages import forms, frame
from web.security import Authority, authority, credential

PATH = "/ui/settings"
#: Days to choose from; none lives until it is revoked.
LIFETIMES = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "A year", "": "Until revoked"}
NAME = 100


def install(app: Flask) -> None:
    app.add_url_rule(PATH, "settings", page)
    app.add_url_rule(f"{PATH}/tokens", "mint_token", mint, methods=["POST"])
    app.add_url_rule(f"{PATH}/tokens/<id>/revoke", "revoke_token", revoke, methods=["POST"])
    app.add_url_rule(f"{PATH}/sign-out-others", "sign_out_others", sign_out_others, methods=["POST"])


@authority(Authority.PAGE)
def page() -> str:
    return _page()


def _page(minted: tuple[ApiToken, str] | None = None) -> str:
    own = credential().login
    return frame.page(
        "settings/page.html",
        minted=minted,
        secrets=kept.listed(),
        readable=kept.values(),
        tokens=tokens.listed(),
        is_expired=tokens.is_expired,
        lifetimes=LIFETIMES,
        default_lifetime=str(tokens.DAYS),
        logins=[(row, own is not None and row.hash == own.hash) for row in accounts.logins()],
    )


@forms.action("token")
def mint() -> str:
    """The page with the new token on it: the one time that it is shown, so there is no redirect."""
    days = forms.whole("days", None, 1, 3650)
    expires_at = None if days is None else now() + timedelta(days=days)
    return _page(tokens.mint(forms.field("name", NAME), expires_at))


@forms.action(lambda id: f"token:{id}")
def revoke(id: str) -> BaseResponse:
    tokens.revoke(id)
    return forms.leave(PATH)


@forms.action("logins")
def sign_out_others() -> BaseResponse:
    accounts.sign_out_others(credential().login)
    return forms.leave(PATH)
