"""What is asked of a workspace's tasks before they land: the verify command, named checks, and the commit's words."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from pydantic import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from shared import workspaces
from shared.errors import WrongShape
from shared.review import marks
from shared.review.checks import DEFAULT_SECONDS, Mode
from web import problems
from web.api import schemas
from web.pages import forms

#: `lint: ruff check`, or `tests (required): pytest`.
LINE = re.compile(r"([^:()]+?)(?: \((required|advisory|off)\))?: *(\S.*)")


def install(app: Flask) -> None:
    app.add_url_rule("/ui/workspaces/<id>/checks", "workspace_checks_form", write, methods=["POST"])


def shown(defaults: dict[str, Any]) -> dict[str, Any]:
    """The workspace's checks as its form has them."""
    lines = []
    for one in defaults.get("checks") or []:
        mode = one.get("mode") or Mode.ADVISORY
        lines.append(f"{one['name']}{f' ({mode})' if mode != Mode.ADVISORY else ''}: {one['command']}")
    return {
        "verify": defaults.get("verify") or "",
        "verify_mode": defaults.get("verify_mode") or Mode.REQUIRED.value,
        "checks": "\n".join(lines),
        "seconds": defaults.get("verify_seconds") or DEFAULT_SECONDS,
        "review": defaults.get("review") == marks.REQUIRED,
        "co_authored_by": bool(defaults.get("co_authored_by")),
        "modes": {
            Mode.REQUIRED: "must pass before a task lands",
            Mode.ADVISORY: "is shown, and lands all the same",
            Mode.OFF: "is not run",
        },
    }


@forms.action("checks")
def write(id: str) -> BaseResponse:
    seconds = forms.field("seconds", 8)
    given = {
        "verify": forms.field("verify", schemas.PROMPT_BYTES) or None,
        "verify_mode": forms.field("verify_mode", 16) or None,
        "verify_seconds": int(seconds) if seconds.isdigit() else seconds,
        "checks": _parsed(forms.field("checks", schemas.PROMPT_BYTES)) or None,
        "review": marks.REQUIRED if forms.field("review", 8) else None,
        "co_authored_by": True if forms.field("co_authored_by", 8) else None,
    }
    try:
        schemas.Defaults.model_validate(given)
    except ValidationError as error:
        raise problems.shape(error) from None
    workspaces.change(id, given)
    return forms.leave(f"/ui/workspaces/{id}/setup")


def _parsed(text: str) -> list[dict[str, str]]:
    found = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        match = LINE.fullmatch(line)
        if match is None:
            raise WrongShape(f"Write a check as `name: command`, not {line!r}.", field="checks")
        name, mode, command = match.groups()
        found.append({"name": name.strip(), "command": command, **({"mode": mode} if mode else {})})
    return found
