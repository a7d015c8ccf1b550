"""The folder an agent keeps its own settings, logins and sessions in: the person's, guarded, or one of the task alone."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import NotReady
from workers import beneath
from workers.attempts import home_view
from workers.runners import Context, Home, Start
from workers.sessions import carry

#: A copy of what an agent rewrites but must not change for its person: gone with the attempt directory.
COPIES = "home"
SCRATCH = "scratch"
PRIVATE_MODE = 0o700
PARSERS: dict[str, Callable[[str], Any]] = {".json": json.loads, ".toml": tomllib.loads}


@dataclass(frozen=True)
class Prepared:
    """An agent's home as the containment shows it: writable and read-only (source, target), and its variable."""

    writable: tuple[tuple[Path, Path], ...] = ()
    read_only: tuple[tuple[Path, Path], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> Path | None:
        return self.writable[0][0] if self.writable else None


def prepare(
    start: Start, env: Mapping[str, str], *, private: Path | None, copies: Path, view: Path | None = None
) -> Prepared:
    """The home of an agent about to start; `private` is the folder of a task that wants its own.

    The person's is shared so that logins and resume go on working; what programs run from it (settings, hooks,
    plugins, servers) is read-only. What is missing of that is made, empty: else an agent could make it for everyone.
    Where nothing can be mounted the agent works in `view`, see home_view. Raises NotReady when a home of its own
    would be signed out.
    """
    if start.home is None:
        return Prepared()
    if private is not None:
        return _private(start.home, env, private)
    folder = _shared(start.home, env)
    folder.mkdir(parents=True, exist_ok=True)
    _make_guarded(start.home, folder)
    above = folder if env.get(start.home.variable) else Path(env["HOME"])
    if view is not None:
        beside = [above / name for name in start.home.copied]
        writable, read_only = home_view.lay_out(start.home, folder, view, beside)
        return Prepared(_as_they_are(writable), _as_they_are(read_only), ((start.home.variable, str(view)),))
    copies.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    shown: list[tuple[Path, Path]] = []
    for name in start.home.copied:
        shown += _copied(above / name, copies / name, is_agents=above == folder)
    for name in start.home.rewritten:
        (folder / name).mkdir(mode=PRIVATE_MODE, exist_ok=True)
        shutil.copytree(folder / name, copies / name, symlinks=True, dirs_exist_ok=True)
        shown.append((copies / name, folder / name))
    guarded = [(folder / name, folder / name) for name in start.home.read_only]
    return Prepared(((folder, folder), *shown), tuple(guarded))


def scratch(directory: Path) -> Path:
    """The folder for temporary files of an attempt that has none of its own at /tmp; made anew."""
    folder = directory / SCRATCH
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=PRIVATE_MODE, parents=True)
    return folder


def put_away(directory: Path, view: Path) -> None:
    """What an ended attempt needs no more: its temporary files, and its copies of logins."""
    shutil.rmtree(directory / SCRATCH, ignore_errors=True)
    home_view.give_back(view)


def bring_session(start: Start, context: Context, home: Prepared, env: Mapping[str, str]) -> None:
    """What a resumed agent looks for in its own folder's sessions may have been held in another one."""
    if start.home is None or home.folder is None or not start.home.by_folder:
        return
    if context.resume and context.session_id:
        carry.bring(context.session_id, context.cwd, home.folder, [_shared(start.home, env)])


def _as_they_are(paths: Sequence[Path]) -> tuple[tuple[Path, Path], ...]:
    return tuple((path, path) for path in paths)


def settings(start: Start, env: Mapping[str, str]) -> dict[str, Any]:
    """What the person's own settings files say, by file name: those an agent can read but not write."""
    if start.home is None:
        return {}
    folder = _shared(start.home, env)
    return {name: _parsed(folder / name) for name in start.home.settings if Path(name).suffix in PARSERS}


def _parsed(path: Path) -> dict[str, Any]:
    """Of a file that is no such thing, nothing: its program will say so."""
    try:
        found = PARSERS[path.suffix](path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _shared(home: Home, env: Mapping[str, str]) -> Path:
    """The person's own, as the program finds it."""
    return Path(env.get(home.variable) or Path(env["HOME"], home.folder))


def _make_guarded(home: Home, folder: Path) -> None:
    for name, text in home.read_only.items():
        path = folder / name
        if os.path.lexists(path):
            continue
        if text is None:
            path.mkdir(mode=PRIVATE_MODE, exist_ok=True)
        else:
            path.write_text(text)


def _copied(path: Path, copy: Path, *, is_agents: bool) -> list[tuple[Path, Path]]:
    """The copy with the path it is shown at, where there is such a file.

    In the folder an agent writes, a link may be its own: it would be shown what the link leads to, and is not.
    """
    copy.unlink(missing_ok=True)
    real = path if is_agents else Path(os.path.realpath(path))
    try:
        return [(beneath.copy(real.parent, real.name, copy), path)]
    except OSError:
        return []


def _private(home: Home, env: Mapping[str, str], folder: Path) -> Prepared:
    key = next((env[name] for name in home.keys if env.get(name)), None)
    if key is None:
        raise NotReady(f"An agent home of its own needs a key: set {' or '.join(home.keys)} for the worker.")
    folder.mkdir(mode=PRIVATE_MODE, parents=True, exist_ok=True)
    shared = _shared(home, env)
    for name in home.settings:
        if (shared / name).is_file():
            _renew(folder / name, (shared / name).read_bytes())
    if home.key_file:
        name, variable = home.key_file
        _renew(folder / name, json.dumps({variable: key}).encode())
    return Prepared(((folder, folder),), (), ((home.variable, str(folder)),))


def _renew(path: Path, content: bytes) -> None:
    """Write a file anew in a home that the task's earlier attempts wrote: what they put there is not written through."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
