"""What of a capture's files is kept beside its patch: pictures, and the texts of files that somebody commented on."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator

from shared.config import Config
from shared.errors import Conflict, GitFailed
from shared.review import comments, versions
from shared.review.versions import PICTURE_BYTES, TASK_PICTURE_BYTES, TEXT_BYTES, Version
from shared.secrets.redaction import Redactor
from shared.store.models import Task
from workers.attempts import granting
from workers.repository import objects
from workers.repository.capture import Capture
from workers.repository.difference import ChangedFile
from workers.versions import pictures, texts

log = logging.getLogger(__name__)
#: Versions that one capture looks at; a picture is rarely called otherwise, so those come first.
MOST_PICTURES, MOST_TEXTS = 400, 100
NAMED_LIKE_PICTURES = re.compile(r"\.(png|jpe?g|gif|webp|avif|bmp|ico|svg)$", re.IGNORECASE)
DRAWING = re.compile(r"\.svg$", re.IGNORECASE)


def keep(task: Task, taken: Capture, config: Config) -> None:
    """Keep what a page shows of these files; what cannot be read is only not shown, and the capture stands."""
    try:
        pictured = _unique(_pictures(taken.files))[:MOST_PICTURES]
        commented = _unique(_commented(task, taken.files))[:MOST_TEXTS]
        if not pictured and not commented:
            return
        redactor = granting.redactor(task, config)
        known = versions.listed([task], [*pictured, *commented])
        found = [
            *_read_pictures(taken, [blob for blob in pictured if blob not in known], redactor),
            *_read_texts(taken, [blob for blob in commented if blob not in known], redactor),
        ]
        if found or known:
            versions.keep(task, found, in_use=known)
    except (GitFailed, OSError):
        log.warning("the pictures of task %s could not be kept", task.id, exc_info=True)


def _pictures(files: Iterable[ChangedFile]) -> Iterator[str | None]:
    for file in sorted(files, key=lambda file: NAMED_LIKE_PICTURES.search(file.path) is None):
        if file.binary or DRAWING.search(file.path):
            yield from _blobs(file)


def _commented(task: Task, files: Iterable[ChangedFile]) -> Iterator[str | None]:
    names = {comment.path for comment in comments.of(task)}
    for file in files:
        if not file.binary and (file.path_b64 or file.path) in names:
            yield from _blobs(file)


def _blobs(file: ChangedFile) -> Iterator[str | None]:
    """Both versions, where they are files: no links, no submodules."""
    for mode, blob in ((file.old_mode, file.old_blob), (file.new_mode, file.new_blob)):
        if mode and mode.startswith("100"):
            yield blob


def _unique(blobs: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(blob for blob in blobs if blob))


def _read_pictures(taken: Capture, blobs: list[str], redactor: Redactor) -> Iterator[Version]:
    if not blobs:
        return
    wanted, left = {}, TASK_PICTURE_BYTES
    for blob, size in objects.sizes(taken.git_directory, blobs).items():
        if 0 < size <= min(left, PICTURE_BYTES):
            wanted[blob], left = size, left - size
    for blob, content in objects.contents(taken.git_directory, wanted):
        if (found := picture(blob, content, redactor)) is not None:
            yield found


def picture(blob: str, content: bytes, redactor: Redactor) -> Version | None:
    """A file as a picture that may be shown; None where it is none, or holds a secret that no mask can cover."""
    if (found := pictures.read(content)) is not None:
        is_clean = redactor.redact_bytes(content) is content
        return Version(blob, content=content, **vars(found)) if is_clean else None
    if len(content) <= TEXT_BYTES and (found := pictures.drawing(content)) is not None:
        return Version(blob, content=redactor.redact_lines(content), **vars(found))
    return None


def _read_texts(taken: Capture, blobs: list[str], redactor: Redactor) -> Iterator[Version]:
    for blob in blobs:
        try:
            found = texts.read(taken.git_directory, blob, redactor)
        except Conflict:  # no text
            continue
        if found is not None:
            yield found
