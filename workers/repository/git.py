"""The only caller of the git program: fixed configuration, scrubbed environment, bounded time and output."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from shared.errors import GitFailed, NotReady
from workers.repository import time_limit

OLDEST = (2, 38)  # the first with `merge-tree --write-tree`
MAX_OUTPUT_BYTES = 1 << 30
MAX_STDERR_BYTES = 64 * 1024
CHUNK_BYTES = 1 << 18

# Everything a repository's own configuration could make git start, switched off. Filters, textconv and merge
# drivers have free names and cannot be listed: whatever reads file content uses a git directory of our own.
SAFE = {
    "safe.directory": "*",
    "safe.bareRepository": "explicit",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "core.splitIndex": "false",
    "core.pager": "cat",
    "core.editor": "/bin/false",
    "core.sshCommand": "/bin/false",
    "core.askPass": "/bin/false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.quotePath": "false",
    "core.trustctime": "true",
    "core.bigFileThreshold": "16m",
    "credential.helper": "",
    "diff.external": "",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "diff.ignoreSubmodules": "none",
    "color.ui": "false",
    "protocol.allow": "never",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "merge.autoStash": "false",
    "merge.verifySignatures": "false",
    "submodule.recurse": "false",
    "advice.detachedHead": "false",
    "advice.addEmbeddedRepo": "false",
    "advice.graftFileDeprecated": "false",
}

ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    "GIT_SSH_COMMAND": "/bin/false",
    "GIT_EDITOR": "/bin/false",
    "GIT_PAGER": "cat",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_PROTOCOL_FROM_USER": "0",
    "LC_ALL": "C.UTF-8",
}
PASSED_ON = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "USER", "LOGNAME")


@dataclass(frozen=True)
class Completed:
    """One finished command. `truncated`: stdout was cut at `max_bytes` and the program ended by us."""

    stdout: bytes
    stderr: str
    code: int
    truncated: bool = False

    @property
    def text(self) -> str:
        """stdout without its last newline; bytes that are not UTF-8 survive as surrogates."""
        return os.fsdecode(self.stdout.removesuffix(b"\n"))


def environment(
    config: Mapping[str, str | None] | None = None, extra: Mapping[str, str | None] | None = None
) -> dict[str, str]:
    """The whole environment of a git process; a value of None removes a variable of `extra`, or a setting of SAFE."""
    env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env.update(ENVIRONMENT)
    # The environment, not `-c`: safe.directory is honoured only from command scope, and argv stays readable.
    settings = [(key, value) for key, value in {**SAFE, **(config or {})}.items() if value is not None]
    env["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (key, value) in enumerate(settings):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    for name, override in (extra or {}).items():
        if override is None:
            env.pop(name, None)
        else:
            env[name] = override
    return env


def git(
    *args: str | Path,
    git_dir: Path | None = None,
    work_tree: Path | None = None,
    index: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    config: Mapping[str, str | None] | None = None,
    input: bytes | IO[bytes] | None = None,
    output: IO[bytes] | None = None,
    timeout_seconds: float = 60,
    max_bytes: int | None = None,
    check: bool = True,
    keep_open: Sequence[int] = (),
) -> Completed:
    """Run one git command and return what it printed.

    `config` adds settings over SAFE; `max_bytes` cuts stdout instead of failing; `output` receives stdout;
    `keep_open` are descriptors the program inherits. An agent's tree is named by `git_dir` and `work_tree`
    together, never found by walking up from `cwd`.
    Raises GitFailed on a non-zero exit (unless `check` is false) and when the time is over.
    """
    extra: dict[str, str | None] = dict(env or {})
    for name, place in (("GIT_DIR", git_dir), ("GIT_WORK_TREE", work_tree), ("GIT_INDEX_FILE", index)):
        if place is not None:
            extra[name] = str(place)
    argv = ["git", *(str(arg) for arg in args)]
    folder = cwd or work_tree or git_dir
    timeout_seconds = time_limit.shortened(timeout_seconds)
    with tempfile.TemporaryFile() as errors, _as_file(input) as source:
        try:
            process = subprocess.Popen(  # noqa: S603 -- an argument list of ours, no shell
                argv,
                stdin=source,
                stdout=output if output is not None else subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                env=environment(config, extra),
                start_new_session=True,
                pass_fds=tuple(keep_open),
            )
        except OSError as failure:
            raise GitFailed(argv[1:], None, f"git could not be started: {failure}") from failure
        limit = MAX_OUTPUT_BYTES if max_bytes is None else max_bytes
        try:
            printed, truncated = _read(process, limit, time.monotonic() + timeout_seconds)
        except TimeoutError as late:
            raise GitFailed(argv[1:], None, f"no answer within {timeout_seconds:g} seconds") from late
        finally:
            _end(process)
        errors.seek(0)
        stderr = errors.read(MAX_STDERR_BYTES).decode("utf-8", "replace")
    if truncated and max_bytes is None:
        raise GitFailed(argv[1:], None, f"more than {limit} bytes of output")
    code = 0 if truncated else process.returncode
    if check and code:
        raise GitFailed(argv[1:], code, stderr)
    return Completed(printed, stderr, code, truncated)


@functools.cache
def version() -> tuple[int, ...]:
    """The version of the git program, such as (2, 39, 5).

    Raises NotReady with one sentence when git is missing or older than 2.38.
    """
    try:
        printed = git("version").text
    except GitFailed as failure:
        raise NotReady("git is not installed: install git 2.38 or newer.") from failure
    found = re.search(r"(\d+(?:\.\d+)+)", printed)
    numbers = tuple(int(part) for part in found.group(1).split(".")) if found else ()
    if numbers < OLDEST:
        raise NotReady(f"git 2.38 or newer is needed, and this is {printed!r}: upgrade git.")
    return numbers


class _as_file:
    """A file to read `input` from: bytes are spooled, so that no thread has to feed a pipe."""

    def __init__(self, source: bytes | IO[bytes] | None) -> None:
        self._source = source
        self._spooled: IO[bytes] | None = None

    def __enter__(self) -> IO[bytes] | int:
        if not self._source:
            return subprocess.DEVNULL
        if not isinstance(self._source, bytes):
            return self._source
        self._spooled = tempfile.TemporaryFile()
        self._spooled.write(self._source)
        self._spooled.seek(0)
        return self._spooled

    def __exit__(self, *_: object) -> None:
        if self._spooled is not None:
            self._spooled.close()


def _read(process: subprocess.Popen[bytes], limit: int, deadline: float) -> tuple[bytes, bool]:
    """stdout up to `limit` bytes, and whether there was more."""
    if process.stdout is None:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as late:
            raise TimeoutError from late
        return b"", False
    pieces: list[bytes] = []
    size = 0
    poller = select.poll()
    poller.register(process.stdout, select.POLLIN)
    while size <= limit:
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            raise TimeoutError
        piece = os.read(process.stdout.fileno(), CHUNK_BYTES)
        if not piece:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired as late:
                raise TimeoutError from late
            return b"".join(pieces), False
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)[:limit], True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program and its children when it still runs, then reap it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
