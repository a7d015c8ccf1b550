"""Sign-in links for the browser."""

from __future__ import annotations

from datetime import timedelta

from flask import Response

from shared.access import accounts
from shared.clock import now, rfc3339
from web import answers
from web.api import results, schemas
from web.bodies import body_optional
from web.resource import Resource
from web.security import Authority, authority
from web.services import services

api = Resource("access", __name__)


@api.post("/login/links", responses={200: results.Link})
@authority(Authority.OWNER)
@body_optional
def mint(body: schemas.NothingNeeded) -> Response:
    """A link that signs a browser in, once, within five minutes. The token is in the fragment: no log sees it."""
    expires = now() + timedelta(seconds=accounts.LINK_SECONDS)
    url = f"{services().config.url}/login#token={accounts.mint_link()}"
    return answers.value({"url": url, "expires_at": rfc3339(expires)})
