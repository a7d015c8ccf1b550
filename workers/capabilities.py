"""Which runners work on this machine: their programs, versions, and how to get what is missing."""

from __future__ import annotations

import dataclasses
import logging
import re
import subprocess
from collections.abc import Mapping
from typing import Any

from shared import fleet
from shared.config import Config
from shared.errors import Refused
from shared.fleet import RunnerState
from workers.attempts import programs, reach, sandbox
from workers.runners import Runner, registry

log = logging.getLogger(__name__)
VERSION_SECONDS = 10.0
METHOD = re.compile(r'"authMethod": "([a-z_]+)"')
VERSION = re.compile(r"\d+(?:\.\d+)+[\w.-]*")


def publish(config: Config) -> None:
    """Look for every runner and say so in the store: first what is there, then which versions and what contains them."""
    environment = config.environment
    path = environment.get("PATH")
    found = [_look(name, path) for name in registry.names()]
    fleet.publish_runners([state for state, _ in found])
    known = [
        _with_version(state, runner, environment) for state, runner in found if runner and state.available
    ]
    tier = sandbox.tier(config.containment)
    containment = {"containment": dataclasses.asdict(tier)}
    separable = {
        state.name: reach.is_separable(runner, tier) for state, runner in found if runner and state.available
    }
    fleet.publish_runners(
        [
            dataclasses.replace(
                state,
                capabilities={
                    **(state.capabilities or {}),
                    **containment,
                    "own_network": separable.get(state.name, False),
                },
            )
            for state in known
        ]
    )


def _look(name: str, path: str | None) -> tuple[RunnerState, Runner | None]:
    try:
        runner = registry.get(name)
    except Refused as error:
        return RunnerState(name, False, name, detail=error.detail), None
    program = programs.find(runner, path)
    state = RunnerState(
        name=name,
        available=program is not None,
        command=program or runner.programs[0],
        detail=None if program else f"Not found on PATH. {runner.install}",
        capabilities={**dataclasses.asdict(runner.capabilities), "install": runner.install},
    )
    return state, runner


def _with_version(state: RunnerState, runner: Runner, environment: Mapping[str, str]) -> RunnerState:
    if not runner.version_arguments:
        return state
    try:
        said = _run([state.command, *runner.version_arguments], environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        return dataclasses.replace(state, available=False, detail=f"{state.command} does not run: {error}")
    match = VERSION.search(said.stdout)
    capabilities = {**(state.capabilities or {}), "login": _login(state.command, runner, environment)}
    return dataclasses.replace(state, version=match.group() if match else None, capabilities=capabilities)


def _login(program: str, runner: Runner, environment: Mapping[str, str]) -> dict[str, Any] | None:
    """{signed_in, detail, fix}, by the program's own word; None where it has none.

    An optional pair of a runner: `login_arguments`, which ends with 0 when signed in, and `login`, the command to sign in.
    A provider of the person's own may need no login, so this is said and forbids nothing.
    """
    arguments = getattr(runner, "login_arguments", ())
    if not arguments:
        return None
    fix = str(getattr(runner, "login", ""))
    try:
        said = _run([program, *arguments], environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"signed_in": False, "detail": str(error), "fix": fix}
    found = METHOD.search(said.stdout)
    detail = found[1] if found else next(iter((said.stdout or said.stderr).strip().splitlines()), "")
    return {"signed_in": said.returncode == 0, "detail": detail[:200], "fix": fix}


def _run(argv: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 — the program the adapter names, found on PATH
        argv,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=VERSION_SECONDS,
        stdin=subprocess.DEVNULL,
        env={**environment, "DISABLE_AUTOUPDATER": "1"},
        check=False,
    )
