"""Containment of an agent: what this host can enforce, and how a command is wrapped in it."""

from workers.attempts.sandbox.bounds import Bounds, Confined, Limits, Tier
from workers.attempts.sandbox.bubblewrap import confine
from workers.attempts.sandbox.probe import tier

__all__ = ["Bounds", "Confined", "Limits", "Tier", "confine", "tier"]
