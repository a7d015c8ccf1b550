"""The OpenAPI document of what is really served, behind the same door as everything else."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from flask import Response
from flask_openapi import OpenAPI
from flask_openapi.models import OPENAPI3_REF_PREFIX

from web import answers
from web.problems import MIMETYPE
from web.resource import Resource
from web.security import Authority, authority

#: The newest version that today's client generators and checkers read.
VERSION = "3.1.0"


def install(app: OpenAPI, resources: Sequence[Resource]) -> None:
    described = functools.cache(lambda: spec(app, resources))

    @app.route("/openapi.json")
    @authority(Authority.CLIENT)
    def document() -> Response:
        return answers.value(described())


def spec(app: OpenAPI, resources: Sequence[Resource]) -> dict[str, Any]:
    """The document, with every error as a problem and optional bodies marked so."""
    described = OpenAPI(
        "document", info=app.info, doc_ui=False, validation_error_model=app.validation_error_model
    )
    described.openapi_version = VERSION
    for resource in resources:
        described.register_api(resource.described())
    found: dict[str, Any] = described.api_doc
    problem = {MIMETYPE: {"schema": {"$ref": f"{OPENAPI3_REF_PREFIX}/Problem"}}}
    optional = _optional_bodies(app)
    for path, item in found["paths"].items():
        for method, operation in item.items():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = {"description": "Refused, and why.", "content": problem}
            if "requestBody" in operation:
                operation["requestBody"]["required"] = (path, method.upper()) not in optional
    return found


def _optional_bodies(app: OpenAPI) -> set[tuple[str, str]]:
    found = set()
    for rule in app.url_map.iter_rules():
        if getattr(app.view_functions[rule.endpoint], "body_optional", False):
            path = rule.rule.replace("<", "{").replace(">", "}")
            found |= {(path, method) for method in rule.methods or ()}
    return found
