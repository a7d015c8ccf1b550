"""What an attempt is granted by name, and every value that must not be stored with it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from shared import tasks
from shared.config import Config
from shared.errors import NotReady
from shared.secrets import keeping
from shared.secrets import kept as kept_secrets
from shared.secrets.redaction import MAX_SECRET_BYTES, MIN_SECRET_BYTES, Redactor
from shared.store.models import Task

#: Contract 3: what every agent gets, and what none ever does.
ALLOWED = "PATH HOME USER SHELL LANG LC_* TERM TZ TMPDIR".split()
NEVER = "OPENRUNTIME_* GIT_* PYTHON* LD_* MANAGED_AGENTS_DB PORT".split()
#: Variables of the worker's own that are masked whether granted or not, from this length on: `CI_TOKEN=none` is none.
CREDENTIALS = ("_API_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
CREDENTIAL_BYTES = 16


def matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def variables(own: Mapping[str, str]) -> list[str]:
    """Names in a worker's environment that can be granted."""
    return sorted(name for name, value in own.items() if matches(name, ALLOWED) or _grantable(name, value))


def resolve(names: Iterable[str], own: Mapping[str, str]) -> dict[str, str]:
    """Values by name: of the kept secrets, then of the worker's own environment; what everyone gets is no grant.

    Raises NotReady that names what neither has.
    """
    kept = kept_secrets.values()
    found: dict[str, str] = {}
    missing = []
    for name in names:
        if name in kept and not matches(name, NEVER):
            found[name] = kept[name]
        elif name in own and _grantable(name, own[name]):
            found[name] = own[name]
        elif not matches(name, ALLOWED):
            missing.append(name)
    if missing:
        raise NotReady(keeping.unresolved(missing))
    return found


def to_mask(own: Mapping[str, str], granted: Mapping[str, str]) -> dict[str, str]:
    """Every value that may stand nowhere, by what it is called: kept, granted, or a credential of the worker's."""
    credentials = {
        owned(name): value
        for name, value in own.items()
        if name.endswith(CREDENTIALS) and CREDENTIAL_BYTES <= _size(value) <= MAX_SECRET_BYTES
    }
    return {**credentials, **{owned(name): value for name, value in granted.items()}, **kept_secrets.values()}


def owned(name: str) -> str:
    """What a worker's variable is called: a kept secret may have its name and another value."""
    return f"the worker's {name}"


def masked_of(task: Task, config: Config) -> dict[str, str]:
    """Every value that may stand nowhere in what is kept of a task, as they are now."""
    own = config.environment
    known = {*kept_secrets.values(), *variables(own)}
    granted = resolve([name for name in keeping.granted_names(task) if name in known], own)
    return to_mask(own, granted)


def redactor(task: Task, config: Config, *others: Task) -> Redactor:
    """A fresh redactor for what is captured of a task, as its shim's; of several tasks, for what none may show."""
    every = (task, *others)
    values = {name: value for one in every for name, value in masked_of(one, config).items()}
    return Redactor(values, rules=not all(tasks.policy_of(one).allow_secrets for one in every))


def _grantable(name: str, value: str) -> bool:
    fits = MIN_SECRET_BYTES <= _size(value) <= MAX_SECRET_BYTES
    return fits and not matches(name, [*NEVER, *ALLOWED])


def _size(value: str) -> int:
    return len(value.encode("utf-8", "surrogateescape"))
