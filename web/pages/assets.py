"""Style sheets, scripts and fonts under addresses that change with their content, so a browser may keep them for good."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Flask, Response, send_from_directory

from web.security import Authority, authority

YEAR_SECONDS = 365 * 24 * 60 * 60


def digest_of(folder: Path) -> str:
    """One digest over all files: modules import each other by relative paths, so they change address together."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def install(app: Flask) -> None:
    """Serve `/static/<digest>/<file>` as immutable and `/static/<file>` for revalidation; templates call `asset()`."""
    folder = Path(str(app.static_folder))
    digest = digest_of(folder)

    @authority(Authority.PUBLIC)
    def static(filename: str) -> Response:
        head, _, rest = filename.partition("/")
        current = head == digest
        answer = send_from_directory(folder, rest if current else filename)
        kept = f"public, max-age={YEAR_SECONDS}, immutable" if current else "no-cache"
        answer.headers["Cache-Control"] = kept
        return answer

    def asset(name: str) -> str:
        return f"/static/{digest}/{name}"

    app.view_functions["static"] = static
    app.jinja_env.globals["asset"] = asset
