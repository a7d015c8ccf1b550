"""Which policies a task can begin with: the built-in presets, a workspace's own, and what it begins with unasked.

`defaults` is a workspace's: `preset` and `policy` (keys over it) are what its tasks begin with unasked, `presets` are
policies of a person's own by name, `home_paths` and `network_hosts` are granted to every task.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from shared import policy
from shared.errors import WrongShape
from shared.policy import PRESETS, Policy, places

CUSTOM = "custom"
DEFAULT = "default"
MOST = 20
NAME = re.compile(r"[^\W_][\w .-]{0,39}")
GRANTS = ("home_paths", "network_hosts")
Defaults = Mapping[str, Any]


def of(defaults: Defaults) -> dict[str, Policy]:
    """Every preset of a workspace, the built-in ones first."""
    own = defaults.get("presets") or {}
    return {**PRESETS, **{name: policy.from_json(value) for name, value in own.items()}}


def base(defaults: Defaults, preset: str | None) -> Policy:
    """What a task's own policy keys change: the preset it names, or what its workspace begins with.

    Raises WrongShape for a name that is no preset here.
    """
    name = preset or default_name(defaults)
    known = of(defaults)
    if name not in known and name != CUSTOM:
        raise WrongShape(f"There is no preset {name!r}.", field="preset")
    found = known.get(name, Policy())
    if preset is None:
        found = policy.from_json(defaults.get("policy") or {}, found)
    granted = {field: _added(getattr(found, field), defaults.get(field) or ()) for field in GRANTS}
    return policy.from_json(granted, found)


def default_name(defaults: Defaults) -> str:
    return str(defaults.get("preset") or DEFAULT)


def _added(own: Sequence[str], granted: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((*own, *granted)))


def name_of(wanted: Policy, defaults: Defaults) -> str:
    """The preset this policy equals, with or without what its workspace grants; else `custom`."""
    known = of(defaults).items()
    return next((name for name, own in known if wanted in (own, base(defaults, name))), CUSTOM)


def check(defaults: Defaults) -> None:
    """Raise WrongShape, with the field, for defaults that no task could begin with."""
    own = defaults.get("presets") or {}
    if len(own) > MOST:
        raise WrongShape(f"presets: a workspace may have {MOST} presets of its own.", field="presets")
    for name in own:
        if not NAME.fullmatch(name) or name in (*PRESETS, CUSTOM):
            raise WrongShape(
                f"presets: {name[:60]!r} cannot name a preset. Use up to 40 letters, digits, spaces, dots and dashes,"
                " and no built-in name.",
                field="presets",
            )
    for given in (*own.values(), defaults.get("policy") or {}, {"home_paths": defaults.get("home_paths")}):
        places.check(given)
    base(defaults, None)


def nearest(wanted: Policy, defaults: Defaults) -> tuple[str, dict[str, Any]]:
    """The preset that differs from this policy in the fewest fields, and those fields as the policy has them."""
    found = [(name, differences(wanted, own)) for name, own in of(defaults).items()]
    return min(found, key=lambda pair: len(pair[1]))


def differences(wanted: Policy, start: Policy) -> dict[str, Any]:
    """The fields of `wanted` that are not as in `start`, as JSON."""
    theirs = start.to_json()
    return {name: value for name, value in wanted.to_json().items() if value != theirs[name]}
