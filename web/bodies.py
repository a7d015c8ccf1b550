"""What views say of the bodies they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])


def body_optional(view: Handler) -> Handler:
    """Declare that an absent body counts as `{}`; one that is sent must be JSON all the same."""
    view.body_optional = True  # type: ignore[attr-defined]
    return view


def verbatim(view: Handler) -> Handler:
    """Declare that words are taken as they were sent, kept secrets among them."""
    view.verbatim = True  # type: ignore[attr-defined]
    return view
