"""Captures as they are kept in the store: without a secret in them, for whatever needed one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any

from shared.config import Config
from shared.errors import NotReady
from shared.review.landings import CaptureRecord, keep_capture
from shared.secrets import masking
from shared.secrets.redaction import Redactor
from shared.secrets.scan import Scanner
from shared.store.models import Capture, Task
from workers.attempts import file_globs, granting
from workers.repository import capture as captures
from workers.repository.difference import ChangedFile
from workers.repository.snapshot import Flag
from workers.repository.worktree import Worktree
from workers.versions import keeping

MOST_LEAKS = 20


def take(
    task: Task,
    worktree: Worktree,
    config: Config,
    attempt_id: str | None = None,
    *,
    why: str,
    live: bool = False,
) -> Capture:
    """Capture the worktree now and keep it in the store, redacted like everything else that is stored.

    `live`: somebody may be working in it. `why` as `keep_capture` has it.
    Raises NotReady when the folder is gone: what was captured before stays the latest word.
    """
    taken = captures.take(worktree, refresh=live)
    if any(flag.kind == "worktree-missing" for flag in taken.flags):
        raise NotReady("The worktree's folder is gone; start the task again to bring back its last state.")
    return store(taken, task, config, attempt_id, why=why)


def store(
    taken: captures.Capture, task: Task, config: Config, attempt_id: str | None = None, *, why: str
) -> Capture:
    """Keep a capture, and what a page shows beside its patch; returns the latest."""
    keeping.keep(task, taken, config)
    return keep_capture(task, record_of(taken, task, config), attempt_id, why)


def record_of(taken: captures.Capture, task: Task, config: Config) -> CaptureRecord:
    """A capture as the store keeps it: without a secret in its patch, its names or its warnings.

    A secret in the change is a warning of its own; what refuses a landing is the gate, which looks again.
    """
    found = Scanner(granting.masked_of(task, config)).findings(taken.patch)
    redactor = granting.redactor(task, config)
    if any(redactor.redact(file.path) != file.path for file in taken.files):
        (taken.git_directory / "index").unlink(missing_ok=True)  # git's list of names, which it makes anew
    leaks = [Flag("secret", one.path, one.told()) for one in islice(found, MOST_LEAKS)]
    clean = partial(masking.throughout, change=redactor.redact)
    return CaptureRecord(
        base_oid=taken.base_oid,
        head_oid=taken.head_oid,
        tree_oid=taken.tree_oid,
        stat=redactor.redact(taken.stat),
        files=files_of(task, taken.files, redactor),
        patch=redactor.feed(taken.patch) + redactor.flush(final=True),
        truncated=taken.truncated,
        flags=[clean(dataclasses.asdict(flag)) for flag in (*leaks, *taken.flags)],
    )


def files_of(task: Task, files: Iterable[ChangedFile], redactor: Redactor) -> list[dict[str, Any]]:
    """Changed files as the store keeps them, those flagged that the task's policy does not allow."""
    return [masking.throughout(_file(file), redactor.redact) for file in file_globs.judged(task, files)]


def _file(file: ChangedFile) -> dict[str, Any]:
    found = dataclasses.asdict(file)
    return {name: value for name, value in found.items() if name != "path_b64" or value is not None}
