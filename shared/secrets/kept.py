"""Kept secrets as they lie in the store: sealed, and opened where an agent is started or text is masked.

The key is in a file of its own, made with the first secret. What that protects is said in docs/security.md.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from shared.config import Config
from shared.errors import ConfigError
from shared.store.database import raw
from shared.store.models import Secret

if TYPE_CHECKING:
    from cryptography.fernet import Fernet  # loaded with the first secret: it costs 40 ms

_key_file: Path | None = None
_opened: tuple[list[tuple[str, bytes]], dict[str, str]] = ([], {})


def use_key(config: Config) -> None:
    """Open this process's secrets with the key of these settings."""
    global _key_file, _opened
    _key_file, _opened = config.secrets_key_file, ([], {})


def listed() -> list[Secret]:
    """Every kept secret, by name; the values stay sealed."""
    return list(Secret.select().order_by(Secret.name))


def values() -> Mapping[str, str]:
    """The values by name, of those that this process's key opens."""
    global _opened
    rows = [(name, bytes(closed)) for name, closed in raw().execute("SELECT name, sealed FROM secret")]
    known = _opened
    if rows != known[0] or len(known[1]) < len(rows):  # a key that was missing may be there now
        known = _opened = (rows, _unsealed(rows))
    return known[1]


def last_read() -> Mapping[str, str]:
    """The values as this process read them last, for where the store cannot be asked."""
    return _opened[1]


def _unsealed(rows: list[tuple[str, bytes]]) -> dict[str, str]:
    from cryptography.fernet import InvalidToken

    found: dict[str, str] = {}
    try:
        cipher = _cipher() if rows else None
    except ConfigError:
        return found
    for name, closed in rows:
        try:
            found[name] = cipher.decrypt(closed).decode() if cipher else ""
        except InvalidToken:
            continue
    return found


def sealed(value: str) -> bytes:
    """A value as the store keeps it. Raises ConfigError without a usable key file."""
    return _cipher(make=True).encrypt(value.encode())


def _cipher(*, make: bool = False) -> Fernet:
    """Raises ConfigError without a usable key file."""
    from cryptography.fernet import Fernet

    if _key_file is None:
        raise ConfigError("No key file is set for the secrets.")
    try:
        if make and not _key_file.exists():
            _make_key(_key_file, Fernet.generate_key())
        return Fernet(_key_file.read_bytes().strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"The key of the secrets cannot be read from {_key_file}: {error}.") from error


def _make_key(path: Path, key: bytes) -> None:
    """Of two processes that make one at once, the first one's key stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)
