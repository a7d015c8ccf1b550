"""Containment of an agent: what this host can enforce, and how a command is wrapped in it."""

from collections.abc import Sequence

from workers.attempts.sandbox import bubblewrap, landlock
from workers.attempts.sandbox.bounds import Bounds, Confined, Tier
from workers.attempts.sandbox.limits import Limits
from workers.attempts.sandbox.probe import tier

__all__ = ["Bounds", "Confined", "Limits", "Tier", "confine", "tier"]


def confine(argv: Sequence[str], bounds: Bounds, tier_name: str = "bubblewrap") -> Confined:
    """`argv` so that it runs within `bounds`, by the means of a tier. Raises SandboxFailed where that cannot be."""
    return landlock.confine(argv, bounds) if tier_name == "landlock" else bubblewrap.confine(argv, bounds)
