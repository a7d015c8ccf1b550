"""The policies a task can begin with."""

from __future__ import annotations

from flask import Response

from shared.policy import PRESETS
from web import answers
from web.api import results
from web.resource import Resource
from web.security import Authority, authority

api = Resource("presets", __name__)


@api.get("/presets", responses={200: results.Presets})
@authority(Authority.CLIENT)
def presets() -> Response:
    """Each preset's name and the whole policy it stands for; `custom` is every other policy."""
    return answers.value({name: policy.to_json() for name, policy in PRESETS.items()})
