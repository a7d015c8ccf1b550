"""Git directories of our own making: written file by file, trusted, borrowing a repository's objects."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from workers import beneath

MAX_ALTERNATES = 32
MAX_ALTERNATES_BYTES = 1 << 20
MAX_EXCLUDE_BYTES = 1 << 20

# Attributes as they come from a tree may name filters, hide changes or recode text; `!` takes each back.
EXACT_BYTES = "* !filter !ident !text !eol !crlf !working-tree-encoding !diff !merge !whitespace !conflict-marker-size\n"
# For a user's checkout: line endings as its attributes say, no filter.
NO_FILTERS = "* !filter\n"


def write(
    path: Path,
    *,
    object_format: str,
    alternates: Iterable[Path],
    head: str = "ref: refs/heads/none",
    bare: bool = True,
    settings: Mapping[str, str] | None = None,
    attributes: str | None = EXACT_BYTES,
    exclude: bytes = b"",
) -> Path:
    """Make (or make again) a git directory at `path`; its objects, refs and index are left alone.

    `settings` are `core.name` or `section.name` keys with plain values.
    """
    for folder in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "hooks"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    borrow(path, alternates)
    (path / "info/exclude").write_bytes(exclude)
    if attributes is not None:
        (path / "info/attributes").write_text(attributes)
    (path / "config").write_bytes(os.fsencode(_config(object_format, bare, settings or {})))
    (path / "HEAD").write_bytes(os.fsencode(head) + b"\n")
    return path


def borrow(path: Path, alternates: Iterable[Path]) -> None:
    """Let the git directory at `path` read the objects in these folders too."""
    (path / "objects/info").mkdir(parents=True, exist_ok=True)
    (path / "objects/info/alternates").write_bytes(alternates_file(alternates))


def alternates_file(places: Iterable[Path]) -> bytes:
    """The content of `objects/info/alternates` that borrows from these folders."""
    return b"".join(_alternate(place) for place in places)


def object_directories(objects: Path) -> tuple[Path, ...]:
    """`objects` and everything it borrows from, absolute, in git's order."""
    found: list[Path] = []
    waiting = [objects]
    while waiting and len(found) < MAX_ALTERNATES:
        place = Path(os.path.realpath(waiting.pop(0)))
        if place in found or not place.is_dir():
            continue
        found.append(place)
        waiting.extend(_borrowed(place))
    return tuple(found)


def _borrowed(objects: Path) -> list[Path]:
    try:
        lines = beneath.read_regular(objects / "info/alternates", MAX_ALTERNATES_BYTES).split(b"\n")
    except OSError:
        return []
    return [objects / os.fsdecode(line) for line in lines if line and not line.startswith((b"#", b'"'))]


def _alternate(place: Path) -> bytes:
    raw = os.fsencode(place)
    if b"\n" not in raw and not raw.startswith((b'"', b"#")):
        return raw + b"\n"
    quoted = b"".join(
        b"\\" + bytes([byte]) if byte in b'"\\' else b"\\%03o" % byte if byte < 32 else bytes([byte])
        for byte in raw
    )
    return b'"' + quoted + b'"\n'


def _config(object_format: str, bare: bool, settings: Mapping[str, str]) -> str:
    lines = ["[core]", f"\trepositoryformatversion = {0 if object_format == 'sha1' else 1}"]
    lines.append(f"\tbare = {str(bare).lower()}")
    if object_format != "sha1":
        lines += ["[extensions]", f"\tobjectformat = {object_format}"]
    for key, value in settings.items():
        section, _, name = key.rpartition(".")
        lines += [f"[{section}]", f"\t{name} = {_value(value)}"]
    return "\n".join(lines) + "\n"


def _value(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
