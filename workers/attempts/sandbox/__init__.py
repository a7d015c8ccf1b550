"""Containment of an agent: what this host can enforce, and how a command is wrapped in it."""

from collections.abc import Sequence

from shared.config import Config
from shared.errors import NotReady
from shared.policy import Policy
from workers.attempts.sandbox import bubblewrap, landlock
from workers.attempts.sandbox.bounds import Bounds, Confined, Tier
from workers.attempts.sandbox.limits import Limits
from workers.attempts.sandbox.probe import tier

__all__ = ["Bounds", "Confined", "Limits", "Tier", "chosen", "confine", "tier"]


def chosen(policy: Policy, config: Config) -> Tier:
    """The tier for a task under this policy. Raises NotReady where one was asked for by name and does not work here."""
    found = tier(config.containment)
    if policy.contained and not found.works and config.containment in ("bubblewrap", "landlock"):
        raise NotReady(f"OPENRUNTIME_CONTAINMENT asks for {config.containment}. {found.detail}")
    return found


def confine(argv: Sequence[str], bounds: Bounds, tier_name: str = "bubblewrap") -> Confined:
    """`argv` so that it runs within `bounds`, by the means of a tier. Raises SandboxFailed where that cannot be."""
    return landlock.confine(argv, bounds) if tier_name == "landlock" else bubblewrap.confine(argv, bounds)
