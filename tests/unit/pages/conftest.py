"""The pages over a real store, as a signed-in browser sees them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared.access import accounts
from shared.config import Config
from tests.unit.web.conftest import HOST, PORT, api, app, client, config, running, worker
from web.app import Application

__all__ = ["api", "app", "client", "config", "running", "worker"]


class Visitor:
    """A browser without scripts: keeps its cookie and sends forms with the token of their page."""

    def __init__(self, client: FlaskClient) -> None:
        cookie, self.csrf = accounts.sign_in()
        self.client = client
        client.set_cookie(f"openruntime_{PORT}", cookie, domain="127.0.0.1")

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={"Host": HOST, **headers})

    def send(self, path: str, fields: Mapping[str, object] | None = None, **headers: str) -> TestResponse:
        data = {"csrf_token": self.csrf, **(fields or {})}
        return self.client.post(path, data=data, headers={"Host": HOST, **headers})

    def upgraded(self, path: str, fields: Mapping[str, object] | None = None) -> TestResponse:
        """The same form, sent by htmx."""
        return self.send(path, fields, **{"HX-Request": "true"})


@pytest.fixture
def visitor(app: Application, config: Config) -> Visitor:
    return Visitor(app.test_client())
