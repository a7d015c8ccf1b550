"""Which runners work on this machine: their programs, versions, and how to get what is missing."""

from __future__ import annotations

import dataclasses
import logging
import re
import subprocess
from collections.abc import Mapping

from shared import fleet
from shared.errors import Refused
from shared.fleet import RunnerState
from workers.attempts import programs, sandbox
from workers.runners import Runner, registry

log = logging.getLogger(__name__)
VERSION_SECONDS = 10.0
VERSION = re.compile(r"\d+(?:\.\d+)+[\w.-]*")


def publish(environment: Mapping[str, str]) -> None:
    """Look for every runner and say so in the store: first what is there, then which versions and what contains them."""
    path = environment.get("PATH")
    found = [_look(name, path) for name in registry.names()]
    fleet.publish_runners([state for state, _ in found])
    known = [
        _with_version(state, runner, environment) for state, runner in found if runner and state.available
    ]
    containment = {"containment": dataclasses.asdict(sandbox.tier())}
    fleet.publish_runners(
        [
            dataclasses.replace(state, capabilities={**(state.capabilities or {}), **containment})
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
        said = subprocess.run(  # noqa: S603 — the program the adapter names, found on PATH
            [state.command, *runner.version_arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            stdin=subprocess.DEVNULL,
            env={**environment, "DISABLE_AUTOUPDATER": "1"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return dataclasses.replace(state, available=False, detail=f"{state.command} does not run: {error}")
    match = VERSION.search(said.stdout)
    return dataclasses.replace(state, version=match.group() if match else None)
