"""The gates of a landing: what is looked at before a task's work lands, and which of them a person may override.

A gate yields items `{kind, path, why, overridable}` that stand in `blocking` of a preview and of a refused merge,
beside what of the user's is in the way (kind `checkout`). Each gate's function is in `workers/landing/gates.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

#: What of the user's is in the way: no gate, and never overridden.
CHECKOUT = "checkout"


class GateKind(StrEnum):
    """Every gate, in the order they are looked at."""

    CHANGED_CONFIGURATION = "changed-configuration"
    FILE_GLOBS = "file-globs"
    SECRETS = "secrets"
    CONFLICT_MARKERS = "conflict-markers"
    MASS_DELETION = "mass-deletion"
    UNREVIEWED = "unreviewed"
    VERIFY = "verify"


#: A merge body's `override` may name these; the others must be mended.
OVERRIDABLE: frozenset[GateKind] = frozenset(
    {
        GateKind.CHANGED_CONFIGURATION,
        GateKind.FILE_GLOBS,
        GateKind.SECRETS,
        GateKind.CONFLICT_MARKERS,
        GateKind.MASS_DELETION,
        GateKind.UNREVIEWED,
        GateKind.VERIFY,
    }
)


def item(kind: GateKind, path: str, why: str) -> dict[str, Any]:
    """One objection: `path` is "" where it is about no file; `why` is one sentence or a few words, without secrets."""
    return {"kind": kind, "path": path, "why": why, "overridable": kind in OVERRIDABLE}


def refusing(found: Iterable[Mapping[str, Any]], override: Iterable[str]) -> list[dict[str, Any]]:
    """The items that still refuse the landing when a person overrides these kinds."""
    allowed = set(override)
    return [dict(one) for one in found if not (one["overridable"] and one["kind"] in allowed)]
