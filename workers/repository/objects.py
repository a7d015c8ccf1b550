"""Reading blobs out of a git directory: how large they are, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from workers.repository.git import git

READ_SECONDS = 60
_HEAD_BYTES = 100  # of what git says before each blob


def sizes(git_dir: Path, blobs: Sequence[str]) -> dict[str, int]:
    """How many bytes each of these blobs has; without those that are not there. Raises GitFailed."""
    words = ("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)")
    printed = git(*words, git_dir=git_dir, input=_asked(blobs), timeout_seconds=READ_SECONDS).text
    heads = [line.split(" ") for line in printed.splitlines()]
    return {head[0]: int(head[2]) for head in heads if len(head) == 3 and head[1] == "blob"}


def contents(git_dir: Path, blobs: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """(blob, bytes) of blobs by their size, all of which are there. Raises GitFailed."""
    most = sum(size + _HEAD_BYTES for size in blobs.values())
    words = ("cat-file", "--batch")
    done = git(
        *words, git_dir=git_dir, input=_asked(list(blobs)), max_bytes=most, timeout_seconds=READ_SECONDS
    )
    place = 0
    for blob, size in blobs.items():
        place = done.stdout.index(b"\n", place) + 1
        yield blob, done.stdout[place : place + size]
        place += size + 1


def beginning(git_dir: Path, blob: str, most_bytes: int) -> bytes | None:
    """The first bytes of a blob; None where it is not there."""
    done = git("cat-file", "blob", blob, git_dir=git_dir, max_bytes=most_bytes, check=False)
    return None if done.code else done.stdout


def _asked(blobs: Sequence[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()
