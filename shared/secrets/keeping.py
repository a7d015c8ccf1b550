"""What a person does with secrets: keep one under a name, forget it, grant it to a task or to all of a workspace."""

from __future__ import annotations

from collections.abc import Iterable

from shared import audit, fleet, workspaces
from shared.audit import Act
from shared.clock import now
from shared.errors import BadRequest, ConfigError, Conflict, NotFound
from shared.secrets import kept
from shared.secrets.forms import check_secret
from shared.store.database import transaction
from shared.store.models import Secret, Task

MOST_SECRETS = 100
#: Bytes of all values together: each is looked for in everything an agent prints, in 20 forms.
MOST_BYTES = 256 << 10


def keep(name: str, value: str) -> Secret:
    """Keep a value under a name, in place of an earlier one.

    Raises BadRequest for an unusable value, Conflict beyond the bounds or without a usable key.
    """
    size = len(check_secret(name, value))
    if "\0" in value:
        raise BadRequest("A secret with a NUL character cannot stand in an environment.")
    try:
        sealed = kept.sealed(value)
    except ConfigError as error:
        raise Conflict(str(error)) from error
    with transaction():
        others = {known: text for known, text in kept.values().items() if known != name}
        if len(others) >= MOST_SECRETS:
            raise Conflict(f"{MOST_SECRETS} secrets are kept already; remove one first.")
        if size + sum(len(text.encode()) for text in others.values()) > MOST_BYTES:
            raise Conflict(f"All secrets together may have {MOST_BYTES} bytes.")
        at = now()
        Secret.insert(name=name, sealed=sealed, created_at=at, updated_at=at).on_conflict(
            conflict_target=[Secret.name], update={Secret.sealed: sealed, Secret.updated_at: at}
        ).execute()
        audit.record(Act.KEEP_SECRET, "secret", name)
        return Secret.get_by_id(name)


def remove(name: str) -> None:
    """Forget a secret. Raises NotFound."""
    with transaction():
        if not Secret.delete().where(Secret.name == name).execute():
            raise NotFound(f"No secret is named {name}.")
        audit.record(Act.FORGET_SECRET, "secret", name)


def granted_names(task: Task) -> list[str]:
    """What a task may be given: what it names itself and what its workspace grants every task, as of now."""
    shared = workspaces.defaults_for(task.workspace).get("env") or []
    return list(dict.fromkeys([*shared, *task.options.get("env", [])]))


def refusal(task: Task) -> str | None:
    """Why a start must be refused: a grant that neither a secret nor any worker's environment resolves.

    Without a live worker its environment is unknown, and the worker that takes the attempt decides.
    """
    alive = fleet.live_workers()
    known = {*kept.values(), *(name for worker in alive for name in worker.variables)}
    missing = [name for name in granted_names(task) if name not in known] if alive else []
    return unresolved(missing) if missing else None


def unresolved(names: Iterable[str]) -> str:
    """One sentence about grants that cannot be resolved."""
    named = ", ".join(names)
    return (
        f"The task is granted {named}, which is neither a kept secret (`openruntime secret set`) nor a variable of "
        "6 bytes to 64 KiB in the worker's environment."
    )
