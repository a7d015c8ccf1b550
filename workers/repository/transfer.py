"""Moving objects from a git directory of ours into a user's repository, checked on arrival."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

from workers.repository.git import git

UNPACK_BYTES = 4 << 20  # smaller packs become loose objects, as a fetch of few objects does
TRANSFER_SECONDS = 600


def send(oid: str, source: Path, target: Path, *, known: tuple[str, ...] = ()) -> None:
    """Give `target` the commit `oid` with all it needs; `known` are commits it has already.

    Every object that arrives is checked (fsck): a tree with `.git` inside or a harmful .gitmodules is refused.
    Raises GitFailed.
    """
    wanted = "\n".join([oid, *(f"^{have}" for have in known)]) + "\n"
    with tempfile.TemporaryFile() as pack:
        words = ("pack-objects", "--revs", "--stdout", "-q", "--delta-base-offset")
        git(*words, git_dir=source, input=wanted.encode(), output=pack, timeout_seconds=TRANSFER_SECONDS)
        size = pack.tell()
        pack.seek(0)
        if size < UNPACK_BYTES:
            git(
                "unpack-objects",
                "-q",
                "--strict",
                git_dir=target,
                input=pack,
                timeout_seconds=TRANSFER_SECONDS,
            )
        else:
            index_pack = ("index-pack", "--stdin", "--strict", "--fix-thin")
            git(*index_pack, git_dir=target, input=pack, timeout_seconds=TRANSFER_SECONDS)


def has(git_dir: Path, oid: str) -> bool:
    """Whether the object is there, without anything it refers to."""
    return git("cat-file", "-e", oid, git_dir=git_dir, check=False).code == 0


def missing(git_dir: Path, oids: Collection[str]) -> set[str]:
    """Those of the objects that are not there; one process for all of them."""
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    found = git("cat-file", "--batch-check", git_dir=git_dir, input=asked).stdout.decode()
    return {line.split(" ")[0] for line in found.splitlines() if line.endswith(" missing")}
