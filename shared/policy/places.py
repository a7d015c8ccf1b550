"""Which folders a policy may name: absolute, without tricks, and no place where keys lie."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.errors import WrongShape

#: Below HOME: keys, logins and cookies. A folder above one of them shows it too.
SECRET_PLACES = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    ".password-store",
    ".mozilla",
    ".claude",
    ".codex",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials.toml",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/google-chrome",
    ".config/chromium",
    ".local/share/keyrings",
    ".local/share/openruntime",
)


def check(policy: Mapping[str, Any], home: Path | None = None) -> None:
    """Raise WrongShape, naming the field, for a folder that these keys of a policy may not name.

    A task that may have secrets (`allow_secrets`) may name a place of keys too: a person said so twice.
    """
    home = home or Path.home()
    for text in policy.get("allowed_workspaces") or ():
        _absolute(text, "allowed_workspaces", home)
    _check_home(policy.get("home_paths") or (), home, lenient=bool(policy.get("allow_secrets")))


def _check_home(given: Sequence[str], home: Path, *, lenient: bool) -> None:
    root = Path(os.path.realpath(home))
    for text in given:
        path = _absolute(text, "home_paths", home)
        for place in (path, Path(os.path.realpath(path))):
            inside = next(
                (place.relative_to(above) for above in (home, root) if place.is_relative_to(above)), None
            )
            if inside is None or not inside.parts:
                raise WrongShape(f"home_paths: {text!r} is not a folder in your home.", field="home_paths")
            secret = _secret(inside)
            if secret and not lenient:
                raise WrongShape(
                    f"home_paths: {text!r} shows ~/{secret}, where keys lie; only a policy with allow_secrets may.",
                    field="home_paths",
                )


def _secret(inside: Path) -> str | None:
    """The place of keys that a folder below HOME is, lies in, or holds."""
    for name in SECRET_PLACES:
        known = Path(name)
        if inside.is_relative_to(known) or known.is_relative_to(inside):
            return name
    return None


def _absolute(text: str, field: str, home: Path) -> Path:
    whole = f"{home}{text[1:]}" if text == "~" or text.startswith("~/") else text
    if "\0" in whole or not whole.startswith("/") or ".." in Path(whole).parts:
        raise WrongShape(
            f"{field}: {text!r} is no folder; write it from the root (/…) or from your home (~/…), without `..`.",
            field=field,
        )
    return Path(whole)
