"""S29: calls made up from the OpenAPI document, with ids of tasks that exist, by callers of every kind."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from shared.access import accounts, tokens
from shared.config import Config
from tests.security.test_authority import expected
from tests.unit.web.conftest import HOST, Api
from web.app import Application, create_app

CHECKS: list[CheckFunction] = [content_type_conformance, response_schema_conformance]
#: They wait for what nobody does here.
WAITING = ("wait", "refresh")
#: No dialog can be opened on a server (contract 5).
NOT_HERE = 501


class Fuzz:
    """One application, the tasks it came to hold, and what it answered."""

    def __init__(self, config: Config, home: Path) -> None:
        patient = dataclasses.replace(config, writes_per_minute=10**6, wrong_credentials_per_minute=10**6)
        self.app: Application = create_app(patient, home=home)
        self.callers = {
            "owner": accounts.owner_token(config),
            "minted": tokens.mint("fuzz", None)[1],
            "garbage": "x",
        }
        self.ids: list[str] = []
        self.answers: Counter[int] = Counter()
        self.levels = {
            route.replace("<", "{").replace(">", "}"): level for route, level in expected().items()
        }
        api = Api(self.app.test_client(use_cookies=False), self.callers["owner"])
        self.schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json)
        self.schema.app = self.app
        self.api = api

    def cases(self) -> st.SearchStrategy[Any]:
        """A call of any operation, valid or not."""
        modes = list(schemathesis.GenerationMode)
        found = [result.ok() for result in self.schema.get_all_operations()]
        return st.one_of(
            [operation.as_strategy(generation_mode=mode) for operation in found for mode in modes]
        )

    def call(self, case: Any, caller: str, known: int) -> None:
        """Send it, and hold the answer against the document and the caller's authority."""
        if "id" in (case.path_parameters or {}) and self.ids and known:
            case.path_parameters["id"] = self.ids[known % len(self.ids)]
        for name in WAITING:
            (case.query or {}).pop(name, None)
        headers = {"Host": HOST, "Authorization": f"Bearer {self.callers[caller]}"}
        answer = case.call(headers=headers, base_url=f"http://{HOST}")
        self.answers[answer.status_code] += 1
        assert answer.status_code < 500 or answer.status_code == NOT_HERE, (answer.status_code, answer.text)
        level = self.levels[f"{case.method.upper()} {case.path}"].split()[0]
        if caller == "garbage" and level != "public":
            assert answer.status_code == 401
        elif caller == "minted" and level == "owner":
            assert answer.status_code == 403
        else:
            assert answer.status_code != 401, case.path
            case.validate_response(answer, checks=CHECKS)
        if answer.status_code == 200 and (case.method.upper(), case.path) == ("POST", "/tasks"):
            self.ids.append(answer.json()["id"])


@pytest.fixture
def fuzz(config: Config, tmp_path: Path) -> Fuzz:
    found = Fuzz(config, tmp_path)
    for more in ({}, {"policy": {"require_approval": True}}, {"preset": "full-access"}):
        found.ids.append(found.api.new(**more)["id"])
    found.api.post(f"/tasks/{found.ids[0]}/start")
    return found


def run(fuzz: Fuzz, examples: int) -> None:
    @given(
        case=fuzz.cases(),
        caller=st.sampled_from(["owner"] * 6 + ["minted", "garbage"]),
        known=st.integers(0, 9),
    )
    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def calls(case: Any, caller: str, known: int) -> None:
        fuzz.call(case, caller, known)

    calls()


def test_made_up_calls_are_answered_as_the_document_says(fuzz: Fuzz) -> None:
    run(fuzz, 200)
    assert {200, 400, 401, 403, 404, 422} <= set(fuzz.answers)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_thousands_of_made_up_calls_are_answered_as_the_document_says(fuzz: Fuzz) -> None:
    run(fuzz, 5000)
    assert sum(fuzz.answers.values()) >= 5000
