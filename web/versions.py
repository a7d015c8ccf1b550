"""Kept versions of changed files as they leave the server: pictures with headers that let them do nothing, and texts."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response

from shared.commands import CommandKind
from shared.errors import NotFound, Unavailable
from shared.review import landings, versions
from shared.review.versions import DRAWN_PIXELS, TEXT
from shared.store.models import KeptVersion, Task
from web import effects

SVG = "image/svg+xml"
#: An agent wrote these bytes. Opened by itself a drawing is a page: this one runs nothing, loads nothing and is nobody's.
PICTURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "inline",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Text:
    """The lines of a version; `is_cut` where only its beginning is kept, `is_bare` without a newline at its end."""

    lines: list[str]
    is_cut: bool
    is_bare: bool


def is_drawn(version: KeptVersion) -> bool:
    """Whether a picture is shown beside the other version: one that would unpack to too much is only linked."""
    return version.media_type == SVG or (version.width or 0) * (version.height or 0) <= DRAWN_PIXELS


def picture(task: Task, blob: str | None) -> Response:
    """The bytes of a kept picture. Raises NotFound."""
    found = versions.find(task, blob)
    if found is None or found.media_type == TEXT:
        raise NotFound("No picture of this version is kept.")
    return Response(bytes(found.content), content_type=found.media_type, headers=PICTURE_HEADERS)


def text(task: Task, blob: str | None) -> Text | None:
    """A text that is kept; None where it is not, or is a picture of pixels."""
    found = versions.find(task, blob)
    if found is None or found.media_type not in (TEXT, SVG):
        return None
    lines = bytes(found.content).decode("utf-8", "backslashreplace").split("\n")
    is_bare = bool(lines[-1])
    return Text(lines if is_bare else lines[:-1], bool(found.is_cut), is_bare)


def require_text(task: Task, blob: str | None) -> Text:
    """The same, read by a worker where it is not kept. Raises NotFound, Unavailable, and what the worker refuses it with."""
    if not blob:
        raise NotFound("The file has no such version.")
    found = text(task, blob)
    if found is None:
        command = landings.request_work(task, CommandKind.FILE, {"blob": blob})
        effects.carried_out(command, effects.STEER_SECONDS)
        found = text(task, blob)
    if found is None:
        raise Unavailable("No worker has read this file yet; try again in a moment.")
    return found
