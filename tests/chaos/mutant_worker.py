"""A worker with one promise taken out of it, for proving that the oracle notices: `mutant_worker.py NAME`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import openruntime  # noqa: F401 - makes the sources importable
from shared import attempts
from shared.config import from_env
from workers import main
from workers.attempts import process

#: The function, a piece of its source that must stand there once, and what stands there instead.
MUTANTS: dict[str, tuple[Callable[..., Any], str, str]] = {
    "no epoch guard": (attempts.record, "AND epoch = ?", "AND ? > 0"),
    "offset apart from its events": (attempts.record, "log_offset = ?", "log_offset = 0 * ?"),
    "agent before its commit": (
        process._handshake,
        "    if not commit(",
        '    leash.send(b"go\\n")\n    if not commit(',
    ),
}


def mutate(name: str) -> None:
    """Put the changed function in the place of the right one."""
    function, old, new = MUTANTS[name]
    source, module = inspect.getsource(function), sys.modules[function.__module__]
    if source.count(old) != 1:
        raise SystemExit(f"The mutant {name!r} does not fit the source any more.")
    changed = "from __future__ import annotations\n" + source.replace(old, new)
    exec(compile(changed, str(module.__file__), "exec"), vars(module))


if __name__ == "__main__":
    mutate(sys.argv[1])
    sys.exit(main.main(from_env()))
