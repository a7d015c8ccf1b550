"""What changed between two trees: files, line counts, a summary, and a patch that applies."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from workers.repository.git import git
from workers.repository.snapshot import display

MAX_PATCH_BYTES = 8 << 20
MAX_LISTING_BYTES = 16 << 20  # of files and counts before a patch, some 60,000 paths
DIFF_SECONDS = 300
SUMMARY_FILES = 500
GRAPH_CHARACTERS = 40
RENAMES = ("-M", "-l2000")
PATCH = (
    "-p", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color",
    "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--diff-algorithm=myers",
    "--no-indent-heuristic", "-U3", "--inter-hunk-context=0",
)  # fmt: skip
STATUSES = {
    "A": "added", "M": "modified", "D": "deleted", "R": "renamed", "C": "copied", "T": "type-changed",
}  # fmt: skip
_HEADER = re.compile(rb"^diff --git ", re.MULTILINE)


@dataclass(frozen=True)
class Touched:
    """One path a landing would change: its blob and mode before and after, None where it does not exist."""

    path: bytes
    old_blob: str | None
    new_blob: str | None
    old_mode: str
    new_mode: str


@dataclass(frozen=True)
class ChangedFile:
    """One changed path. `path` is as displayed; `path_b64` its bytes when they are not UTF-8 (`old_path_b64` alike).

    `additions` and `deletions` count lines, 0 when `binary`. Blobs are None where there is none; modes are six octal
    digits or None. `flags` are words such as `auto-executed`.
    """

    path: str
    path_b64: str | None
    old_path: str | None
    old_path_b64: str | None
    status: str
    additions: int
    deletions: int
    binary: bool
    old_blob: str | None
    new_blob: str | None
    old_mode: str | None
    new_mode: str | None
    flags: tuple[str, ...] = ()

    @property
    def raw_path(self) -> bytes:
        """The path as it is on disk."""
        return base64.b64decode(self.path_b64) if self.path_b64 else self.path.encode()

    @property
    def raw_old_path(self) -> bytes | None:
        """The path it had before a rename."""
        if self.old_path is None:
            return None
        return base64.b64decode(self.old_path_b64) if self.old_path_b64 else self.old_path.encode()

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ChangedFile:
        return cls(**{**values, "flags": tuple(values.get("flags", ()))})

    def flagged(self, *flags: str) -> ChangedFile:
        """The same file with more flags."""
        return replace(self, flags=(*self.flags, *flags))


#: Changed files, the patch, and whether that was cut.
Comparison = tuple[tuple[ChangedFile, ...], bytes, bool]


def compare(git_dir: Path, old: str, new: str) -> Comparison:
    """Every path that differs between two trees (or commits), renames detected, in git's order; the patch that
    `git apply` accepts; and whether that was cut: at 8 MiB, between two files where there is such a place.
    """
    words = (
        "diff-tree",
        "-r",
        "-z",
        *RENAMES,
        "--raw",
        "--numstat",
        "--no-commit-id",
        "--no-ext-diff",
        "--no-textconv",
    )
    limit = MAX_LISTING_BYTES + MAX_PATCH_BYTES
    done = git(*words, *PATCH, old, new, git_dir=git_dir, max_bytes=limit, timeout_seconds=DIFF_SECONDS)
    listing, separator, text = done.stdout.partition(b"\0\0")
    if not separator and done.truncated:
        listing = git(*words, old, new, git_dir=git_dir, timeout_seconds=DIFF_SECONDS).stdout
    return _files(listing.split(b"\0")), *_cut(text, truncated=done.truncated)


def _files(fields: list[bytes]) -> tuple[ChangedFile, ...]:
    found: list[ChangedFile] = []
    position = 0
    while position < len(fields) and fields[position].startswith(b":"):
        old_mode, new_mode, old_blob, new_blob, status = fields[position][1:].decode().split(" ")
        names = fields[position + 1 : position + (3 if status[0] in "RC" else 2)]
        position += 1 + len(names)
        found.append(_file(status[0], names, (old_blob, new_blob), (old_mode, new_mode)))
    counts = _counts(fields[position:])
    return tuple(replace(file, **counts.get(file.raw_path, {})) for file in found)


def touched(git_dir: Path, old: str, new: str) -> tuple[Touched, ...]:
    """Every path that differs between two trees, a rename being a deletion and an addition."""
    words = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-commit-id", old, new)
    fields = git(*words, git_dir=git_dir, timeout_seconds=DIFF_SECONDS).stdout.split(b"\0")
    found = []
    for position in range(0, len(fields) - 1, 2):
        old_mode, new_mode, old_blob, new_blob, _ = fields[position][1:].decode().split(" ")
        blobs = [blob if blob.strip("0") else None for blob in (old_blob, new_blob)]
        found.append(Touched(fields[position + 1], blobs[0], blobs[1], old_mode, new_mode))
    return tuple(found)


def patch(git_dir: Path, old: str, new: str, *paths: bytes) -> bytes:
    """The patch of a few whole paths, cut like `compare`'s."""
    only = [(b":(top,literal)" + path).decode("utf-8", "surrogateescape") for path in paths]
    words = ("diff-tree", "-r", *RENAMES, *PATCH, old, new, "--", *only)
    limit = MAX_PATCH_BYTES + 1
    done = git(*words, git_dir=git_dir, max_bytes=limit, timeout_seconds=DIFF_SECONDS)
    return _cut(done.stdout, truncated=done.truncated)[0]


def _cut(text: bytes, *, truncated: bool) -> tuple[bytes, bool]:
    if not truncated and len(text) <= MAX_PATCH_BYTES:
        return text, False
    text = text[:MAX_PATCH_BYTES]
    place = text.rfind(b"\ndiff --git ") + 1
    return text[: place or text.rfind(b"\n") + 1], True


def section(text: bytes, listed: Sequence[ChangedFile], path: bytes) -> bytes | None:
    """One file's part of a stored whole patch; None when the file is not in it (unchanged, or cut off)."""
    starts = [found.start() for found in _HEADER.finditer(text)] + [len(text)]
    position = 0
    for file in listed:
        pieces = 2 if file.status == "type-changed" else 1  # git writes it as a deletion and an addition
        if path in (file.raw_path, file.raw_old_path):
            if position + pieces >= len(starts):
                return None
            return text[starts[position] : starts[position + pieces]]
        position += pieces
    return None


def summary(listed: Sequence[ChangedFile]) -> str:
    """The changes as `git diff --stat` shows them: one line a file, and the totals."""
    if not listed:
        return ""
    shown = [(_printable(file), file) for file in listed[:SUMMARY_FILES]]
    width = max(len(name) for name, _ in shown)
    most = max((file.additions + file.deletions for _, file in shown), default=0)
    lines = []
    for name, file in shown:
        if file.binary:
            lines.append(f" {name:<{width}} | Bin")
            continue
        changed = file.additions + file.deletions
        scale = GRAPH_CHARACTERS / most if most > GRAPH_CHARACTERS else 1
        graph = "+" * _scaled(file.additions, scale) + "-" * _scaled(file.deletions, scale)
        lines.append(f" {name:<{width}} | {changed:>{len(str(most))}} {graph}".rstrip())
    if len(listed) > len(shown):
        lines.append(f" and {len(listed) - len(shown)} more")
    added, deleted = sum(file.additions for file in listed), sum(file.deletions for file in listed)
    total = f" {len(listed)} file{'s' if len(listed) != 1 else ''} changed"
    total += f", {added} insertion{'s' if added != 1 else ''}(+)" if added else ""
    total += f", {deleted} deletion{'s' if deleted != 1 else ''}(-)" if deleted else ""
    return "\n".join([*lines, total])


def _file(status: str, names: list[bytes], blobs: tuple[str, str], modes: tuple[str, str]) -> ChangedFile:
    old_path = names[0] if len(names) == 2 else None
    return ChangedFile(
        path=display(names[-1]),
        path_b64=_b64(names[-1]),
        old_path=display(old_path) if old_path is not None else None,
        old_path_b64=_b64(old_path) if old_path is not None else None,
        status=STATUSES.get(status, "modified"),
        additions=0,
        deletions=0,
        binary=False,
        old_blob=blobs[0] if blobs[0].strip("0") else None,
        new_blob=blobs[1] if blobs[1].strip("0") else None,
        old_mode=modes[0] if modes[0].strip("0") else None,
        new_mode=modes[1] if modes[1].strip("0") else None,
    )


def _counts(fields: list[bytes]) -> dict[bytes, dict[str, Any]]:
    found: dict[bytes, dict[str, Any]] = {}
    position = 0
    while position < len(fields) and fields[position]:
        added, deleted, path = fields[position].split(b"\t", 2)
        if not path:  # a rename: the two names follow as fields of their own
            path = fields[position + 2]
            position += 2
        position += 1
        binary = added == b"-"
        found[path] = {
            "additions": 0 if binary else int(added),
            "deletions": 0 if binary else int(deleted),
            "binary": binary,
        }
    return found


def _b64(raw: bytes) -> str | None:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode()
    return None


def _printable(file: ChangedFile) -> str:
    name = f"{file.old_path} => {file.path}" if file.old_path else file.path
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name
    )


def _scaled(count: int, scale: float) -> int:
    return max(1, round(count * scale)) if count else 0
