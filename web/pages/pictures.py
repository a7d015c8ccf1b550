"""Changed pictures, the old version beside the new one, as the worker that captured them kept them."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, Response
from markupsafe import Markup

from shared import tasks
from shared.review import versions
from shared.store.models import KeptVersion, Task
from web.rendering.marks import spelled, visible
from web.security import Authority, authority
from web.versions import SVG, is_drawn, picture

KINDS = {
    "image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WebP", "image/avif": "AVIF",
    "image/bmp": "BMP", "image/x-icon": "ICO", SVG: "SVG",
}  # fmt: skip
SIDES = ("Old", "New")
SWITCH = Markup('<label class="inline"><input type="checkbox" class="differ"> Show what differs</label>')


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/changes/picture/<blob>", "changed_picture", one)


@authority(Authority.PAGE)
def one(id: str, blob: str) -> Response:
    """One kept picture of the task."""
    return picture(tasks.get(id), blob)


def beside(holders: Sequence[Task], name: str, blobs: tuple[str | None, str | None]) -> Markup | None:
    """Both versions of a changed file as pictures; None where neither is kept as one, with any of the tasks."""
    kept = versions.listed(holders, blobs)
    found = [kept.get(blob) if blob else None for blob in blobs]
    shown = [one for one in found if one is not None and one.media_type in KINDS]
    if not shown:
        return None
    figures = Markup("").join(
        _figure(side, name, version)
        for side, version, blob in zip(SIDES, found, blobs, strict=True)
        if blob is not None
    )
    is_comparable = len(shown) == 2 and _size(shown[0]) == _size(shown[1]) != "" and all(map(is_drawn, shown))
    return Markup('<div class="pictures">{}<div class="beside">{}</div></div>').format(
        SWITCH if is_comparable else "", figures
    )


def _figure(side: str, name: str, version: KeptVersion | None) -> Markup:
    if version is None or version.media_type not in KINDS:
        why = "This version is not shown: it is no picture, larger than 2 MiB, or holds a secret."
        return Markup('<figure><figcaption><b>{}</b></figcaption><p class="note">{}</p></figure>').format(
            side, why
        )
    told = [KINDS[version.media_type], _size(version), f"{version.size_bytes:,} bytes"]
    address = f"/ui/tasks/{version.task.id}/changes/picture/{version.blob}"
    return Markup(
        '<figure><figcaption><b>{}</b> <span class="quiet">{}</span></figcaption>{}</figure>'
    ).format(side, " · ".join(filter(None, told)), _drawn(address, side, name, version))


def _drawn(address: str, side: str, name: str, version: KeptVersion) -> Markup:
    if not is_drawn(version):
        return Markup(
            '<p class="note">It would take too much room here. <a class="link" href="{}">Open it by itself</a></p>'
        ).format(address)
    size = Markup(' width="{}" height="{}"').format(version.width, version.height) if version.width else ""
    return Markup(
        '<a class="backdrop" href="{}"><img src="{}"{} alt="{} version of {}" loading="lazy" decoding="async"></a>'
    ).format(address, address, size, side, spelled(name))


def _size(version: KeptVersion) -> str:
    return f"{version.width:,} × {version.height:,}" if version.width else ""


def preview(holders: Sequence[Task], name: str, blobs: tuple[str | None, str | None]) -> Markup:
    """A drawing's two versions, folded: what drawing it costs is the agent's choice, opening it the person's."""
    found = beside(holders, name, blobs)
    if found is None:
        return Markup("")
    return Markup('<details class="preview"><summary>Preview of {}</summary>{}</details>').format(
        visible(name.rpartition("/")[2]), found
    )
