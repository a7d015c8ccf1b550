"""Secrets a person keeps by name: sealed in the store, opened where an agent is started or text is masked.

The key is in a file of its own, made with the first secret. What that protects is said in docs/security.md.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from shared import fleet, workspaces
from shared.clock import now
from shared.config import Config
from shared.errors import BadRequest, ConfigError, Conflict, NotFound
from shared.secret_forms import check_secret
from shared.store.database import raw, transaction
from shared.store.models import Secret, Task

if TYPE_CHECKING:
    from cryptography.fernet import Fernet  # loaded with the first secret: it costs 40 ms

MOST_SECRETS = 200
#: Bytes of all values together: each is looked for in everything an agent prints, in 20 forms.
MOST_BYTES = 256 << 10

_key_file: Path | None = None
_opened: tuple[list[tuple[str, bytes]], dict[str, str]] = ([], {})


def use_key(config: Config) -> None:
    """Open this process's secrets with the key of these settings."""
    global _key_file, _opened
    _key_file, _opened = config.secrets_key_file, ([], {})


def keep(name: str, value: str) -> Secret:
    """Keep a value under a name, in place of an earlier one. Raises BadRequest, Conflict."""
    size = len(check_secret(name, value))
    if "\0" in value:
        raise BadRequest("A secret with a NUL character cannot stand in an environment.")
    sealed = _cipher(make=True).encrypt(value.encode())
    with transaction():
        others = {known: text for known, text in values().items() if known != name}
        if len(others) >= MOST_SECRETS:
            raise Conflict(f"{MOST_SECRETS} secrets are kept already; remove one first.")
        if size + sum(len(text.encode()) for text in others.values()) > MOST_BYTES:
            raise Conflict(f"All secrets together may have {MOST_BYTES} bytes.")
        at = now()
        Secret.insert(name=name, sealed=sealed, created_at=at, updated_at=at).on_conflict(
            conflict_target=[Secret.name], update={Secret.sealed: sealed, Secret.updated_at: at}
        ).execute()
        return Secret.get_by_id(name)


def remove(name: str) -> None:
    """Forget a secret. Raises NotFound."""
    with transaction():
        if not Secret.delete().where(Secret.name == name).execute():
            raise NotFound(f"No secret is named {name}.")


def listed() -> list[Secret]:
    """Every kept secret, by name; the values stay sealed."""
    return list(Secret.select().order_by(Secret.name))


def values() -> Mapping[str, str]:
    """The values by name, of those that this process's key opens."""
    global _opened
    rows = [(name, bytes(sealed)) for name, sealed in raw().execute("SELECT name, sealed FROM secret")]
    if rows != _opened[0]:
        _opened = (rows, _unsealed(rows))
    return _opened[1]


def last_read() -> Mapping[str, str]:
    """The values as this process read them last, for where the store cannot be asked."""
    return _opened[1]


def granted_names(task: Task) -> list[str]:
    """What a task may be given: what it names itself and what its workspace grants every task, as of now."""
    shared = workspaces.defaults_for(task.workspace).get("env") or []
    return list(dict.fromkeys([*shared, *task.options.get("env", [])]))


def refusal(task: Task) -> str | None:
    """Why a start must be refused: a grant that neither a secret nor any worker's environment resolves.

    Without a live worker its environment is unknown, and the worker that takes the attempt decides.
    """
    alive = fleet.live_workers()
    known = {*values(), *(name for worker in alive for name in worker.variables)}
    missing = [name for name in granted_names(task) if name not in known] if alive else []
    return unresolved(missing) if missing else None


def unresolved(names: Iterable[str]) -> str:
    """One sentence about grants that cannot be resolved."""
    named = ", ".join(names)
    return (
        f"The task is granted {named}, which is neither a kept secret (`openruntime secret set`) nor a variable of "
        "6 bytes to 64 KiB in the worker's environment."
    )


def _unsealed(rows: list[tuple[str, bytes]]) -> dict[str, str]:
    from cryptography.fernet import InvalidToken

    found: dict[str, str] = {}
    try:
        cipher = _cipher() if rows else None
    except ConfigError:
        return found
    for name, sealed in rows:
        try:
            found[name] = cipher.decrypt(sealed).decode() if cipher else ""
        except InvalidToken:
            continue
    return found


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
