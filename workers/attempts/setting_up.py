"""Makes a new worktree ready for its first agent, once: the person's own files, then the set-up command."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from shared import attempts, timeline, worktree_setup
from shared.agents import trust
from shared.config import Config
from shared.errors import AgentLost, GitFailed, NotReady, SandboxFailed
from shared.events import Category, Draft, Kind
from shared.store.models import Attempt, Task
from shared.worktree_setup import INCLUDE, Setup
from workers import beneath
from workers.attempts import errand
from workers.attempts.errand import Done, Errand
from workers.attempts.place import Place, repository_of, worktree_of
from workers.repository.git import git
from workers.repository.worktree import Worktree, replace_file
from workers.runners import registry

#: Beside our git directories of the worktree, and gone with them.
DONE = "set-up.json"
SETTINGS = ".openruntime.toml"
SETTINGS_BYTES = 64 << 10
INCLUDED_FILES = 1_000
INCLUDED_BYTES = 200 << 20
LIST_SECONDS = 60
NAMED = 20
LAST_LINES = 5


def is_long(task: Task, config: Config) -> bool:
    """Whether a start must first run a set-up command, which may take minutes."""
    wanted = worktree_setup.of(task)
    if not (wanted.command or wanted.from_repository):
        return False
    worktree = worktree_of(task, config)
    return worktree is None or not (worktree.in_place or (worktree.home / DONE).exists())


def set_up(task: Task, attempt: Attempt, place: Place, config: Config) -> bool:
    """Do what is left to do in a worktree that no agent has seen yet; False when the task was stopped meanwhile.

    A worker that takes over waits for the command that another one began. Raises NotReady when a required command
    fails; the next start tries it again.
    """
    worktree = place.worktree
    if worktree is None or (worktree.home / DONE).exists():
        return True
    wanted = _with_repository(worktree_setup.of(task), worktree)
    if wanted.include and _is_trusted(task):
        _tell(attempt, _included(task, worktree, config))
    if wanted.command and not _has_run(task, attempt, place, wanted, config):
        return False
    kept = {"teardown": wanted.teardown, "set_up": bool(wanted.command)}
    replace_file(worktree.home / DONE, json.dumps(kept).encode())
    return True


def tear_down(task: Task, worktree: Worktree, config: Config) -> None:
    """Run the teardown command that stood beside the set-up command; its failure is an event, and stops nothing."""
    kept = _kept(worktree)
    if not kept.get("teardown") or not worktree.is_there:
        return
    place = Place(str(worktree.path), str(worktree.execution_path), worktree)
    try:
        done = _errand(
            task, place, str(kept["teardown"]), "teardown", worktree_setup.TEARDOWN_SECONDS, config
        )
        drafts = _drafts("Teardown command", done)
    except (NotReady, SandboxFailed, AgentLost) as error:
        drafts = [Draft(Kind.ERROR, f"The teardown command could not be run: {error}", _about())]
    timeline.append(task.number, drafts)


def _kept(worktree: Worktree) -> dict[str, Any]:
    try:
        return dict(json.loads((worktree.home / DONE).read_bytes()))
    except (OSError, ValueError):
        return {}


def _has_run(task: Task, attempt: Attempt, place: Place, wanted: Setup, config: Config) -> bool:
    """Run the command to its end; False when the task was stopped before that. Raises NotReady as `set_up` does."""
    _tell(attempt, [Draft(Kind.LIFECYCLE, f"Setting up the worktree: {wanted.command}", _about())])
    try:
        done = _errand(
            task,
            place,
            str(wanted.command),
            "set-up",
            wanted.seconds,
            config,
            is_over=lambda: attempts.stop_of(attempt) is not None,
        )
    except AgentLost as error:
        raise NotReady(f"The set-up command was lost: {error}") from error
    _tell(attempt, _drafts("Set-up command", done))
    if attempts.stop_of(attempt) is not None:
        return False
    if wanted.required and _failure(done):
        last = " ".join(done.output.strip().splitlines()[-LAST_LINES:])
        raise NotReady(f"The set-up command {_failure(done)}{': ' if last else ''}{last[-500:]}")
    return True


def _errand(
    task: Task,
    place: Place,
    command: str,
    kind: str,
    seconds: float,
    config: Config,
    is_over: Callable[[], bool] | None = None,
) -> Done:
    worktree = place.worktree
    assert worktree is not None  # noqa: S101 -- both callers have one
    id = str(uuid5(NAMESPACE_OID, "\0".join((task.id, kind, command))))
    wanted = Errand(
        id=id,
        command=command,
        folder=worktree.path,
        cwd=worktree.execution_path,
        objects=worktree.objects_directories,
        seconds=seconds,
        git_mount=(worktree.agent_git_directory, worktree.admin_directory),
        variables=worktree_setup.variables(task),
    )
    directory = worktree.home / kind
    try:
        return errand.run(wanted, directory, task, config, is_over=is_over)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _failure(done: Done) -> str | None:
    if done.timed_out:
        return f"took longer than it may ({done.millis / 1000:.0f} s)"
    if done.error:
        return f"could not be run: {done.error}"
    return None if done.code == 0 else f"failed with exit code {done.code}"


def _drafts(name: str, done: Done) -> list[Draft]:
    told = [Draft(Kind.STDOUT, done.output, _about())] if done.output else []
    failure = _failure(done)
    kind = Kind.ERROR if failure else Kind.LIFECYCLE
    return [*told, Draft(kind, f"{name} {failure or f'done in {done.millis / 1000:.1f} s'}", _about())]


def _about(**more: Any) -> dict[str, Any]:
    return {"category": Category.SET_UP, **more}


def _tell(attempt: Attempt, drafts: list[Draft]) -> None:
    if drafts:
        attempts.note(attempt, drafts)


def _with_repository(wanted: Setup, worktree: Worktree) -> Setup:
    """The commands of the base commit's `.openruntime.toml`, where the workspace says so and names none itself."""
    if not wanted.from_repository:
        return wanted
    text = _of_base(worktree, SETTINGS)
    try:
        said = tomllib.loads(text.decode()) if text is not None else {}
    except ValueError as error:
        raise NotReady(f"{SETTINGS} of the base commit cannot be read: {error}.") from error
    named = {name: said.get(name) for name in ("setup", "teardown")}
    if not all(value is None or isinstance(value, str) for value in named.values()):
        raise NotReady(f"In {SETTINGS} of the base commit, setup and teardown are each one line of shell.")
    return replace(
        wanted, command=wanted.command or named["setup"], teardown=wanted.teardown or named["teardown"]
    )


def _of_base(worktree: Worktree, path: str) -> bytes | None:
    """A file of the base commit; None when there is none of that name, or one too large."""
    words = ("cat-file", "blob", f"{worktree.base_commit}:{path}")
    done = git(*words, git_dir=worktree.capture_git_directory, max_bytes=SETTINGS_BYTES, check=False)
    return done.stdout if done.code == 0 and not done.truncated else None


def _is_trusted(task: Task) -> bool:
    """A shell runs what the person typed; an agent gets a person's own files only once they have seen which.

    They have, where the program's configuration is asked about: `.worktreeinclude` stands among it.
    """
    asked = registry.get(task.runner).capabilities.configured_by
    return task.runner == "shell" or bool(asked and not trust.is_ignoring(task))


def _included(task: Task, worktree: Worktree, config: Config) -> list[Draft]:
    """Copy the ignored files of the person's checkout that `.worktreeinclude` of the base commit names."""
    patterns = _of_base(worktree, INCLUDE)
    repository = repository_of(task, config) if patterns else None
    if not patterns or repository is None or repository.toplevel is None:
        return []
    try:
        wanted = _ignored(worktree, _named(worktree, repository.toplevel, patterns))
    except GitFailed as error:
        return [Draft(Kind.ERROR, f"{INCLUDE} could not be followed: {error}", _about())]
    copied, left = _copy(repository.toplevel, worktree.path, wanted)
    if not copied and not left:
        return []
    shown = ", ".join(copied[:NAMED]) + (f" and {len(copied) - NAMED} more" if len(copied) > NAMED else "")
    said = f"Copied what {INCLUDE} names: {shown}" if copied else f"Copied nothing of what {INCLUDE} names"
    if left:
        said += f"; left out {', '.join(left[:NAMED])}"
    return [Draft(Kind.LIFECYCLE, said, _about(copied=copied[:INCLUDED_FILES], left_out=left[:NAMED]))]


def _named(worktree: Worktree, checkout: Path, patterns: bytes) -> list[bytes]:
    """Untracked files of the checkout that match, as gitignore would; links are no files to copy."""
    rules = worktree.home / "include"
    replace_file(rules, patterns)
    words = ("ls-files", "-z", "-o", "-i", f"--exclude-from={rules}")
    done = git(
        *words,
        git_dir=worktree.capture_git_directory,
        work_tree=checkout,
        index=worktree.capture_git_directory / "index",
        timeout_seconds=LIST_SECONDS,
    )
    rules.unlink()
    return [path for path in done.stdout.split(b"\0") if path]


def _ignored(worktree: Worktree, paths: list[bytes]) -> list[bytes]:
    """Those that git ignores in the worktree, so that no capture ever takes them for the agent's work."""
    if not paths:
        return []
    done = git(
        "check-ignore",
        "-z",
        "--stdin",
        git_dir=worktree.capture_git_directory,
        work_tree=worktree.path,
        input=b"\0".join(paths) + b"\0",
        check=False,
        timeout_seconds=LIST_SECONDS,
    )
    return [path for path in done.stdout.split(b"\0") if path]


def _copy(source: Path, target: Path, paths: list[bytes]) -> tuple[list[str], list[str]]:
    """(copied, left out), as displayed: no link is followed on either side, and there is an end to it."""
    copied: list[str] = []
    left: list[str] = []
    room = INCLUDED_BYTES
    for path in paths:
        name = path.decode("utf-8", "replace")
        place = target / os.fsdecode(path)
        try:
            size = os.lstat(source / os.fsdecode(path)).st_size
            if len(copied) >= INCLUDED_FILES or size > room:
                left.append(name)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if os.path.realpath(place.parent) != str(place.parent):
                raise NotADirectoryError(place.parent)
            beneath.copy(source, path, place)
        except OSError:
            left.append(name)
            continue
        room -= size
        copied.append(name)
    return copied, left
