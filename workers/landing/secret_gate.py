"""The gate against secrets: nothing that looks like one, or is one we know, lands unless a person says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from shared.secrets.scan import Finding, Scanner
from workers.repository.capture import Capture
from workers.repository.difference import DIFF_SECONDS, RENAMES
from workers.repository.git import git

#: Of a diff, or of the agent's own commits: what is beyond is said to be unseen.
MAX_BYTES = 64 << 20
PLAIN = (
    "-U0",
    "--text",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
UNQUOTED = {"core.quotePath": "false"}
MOST_FINDINGS, MOST_IN_A_FILE = 500, 10
UNSEEN = "The change is too large to be looked through for secrets."


def find(scanner: Scanner, capture: Capture, history: str | None) -> list[Finding]:
    """Secrets in what would land, in its place: the whole change, and each commit and message of the agent's own."""
    found = list(_in_diff(scanner, capture.git_directory, capture.base_oid, capture.tree_oid))
    if history is not None:
        found += _in_history(scanner, capture.git_directory, capture.base_oid, history)
    return _first_of_each(sorted(set(found)))


def _first_of_each(found: list[Finding]) -> list[Finding]:
    """A file full of secrets must not crowd out the names of the others."""
    counted: Counter[str] = Counter()
    kept = []
    for one in found:
        counted[one.path] += 1
        if counted[one.path] <= MOST_IN_A_FILE:
            kept.append(one)
    return kept[:MOST_FINDINGS]


def _in_diff(scanner: Scanner, git_directory: Path, old: str, new: str) -> Iterator[Finding]:
    words = ("diff-tree", "-r", "-p", *RENAMES, *PLAIN, old, new)
    yield from _looked_through(scanner, git_directory, words)


def _in_history(scanner: Scanner, git_directory: Path, old: str, tip: str) -> Iterator[Finding]:
    words = ("log", "-p", "-m", "--format=", *RENAMES, *PLAIN, f"{old}..{tip}")
    yield from _looked_through(scanner, git_directory, words)
    said = git("log", "--format=%H%x00%B%x00", f"{old}..{tip}", git_dir=git_directory, max_bytes=MAX_BYTES)
    fields = said.stdout.split(b"\0")
    for oid, message in zip(fields[::2], fields[1::2], strict=False):
        for rule in scanner.rules_in(message):
            yield Finding(f"message of commit {oid.strip().decode()[:10]}", 0, rule)


def _looked_through(scanner: Scanner, git_directory: Path, words: tuple[str, ...]) -> Iterator[Finding]:
    done = git(
        *words, git_dir=git_directory, config=UNQUOTED, max_bytes=MAX_BYTES, timeout_seconds=DIFF_SECONDS
    )
    yield from scanner.findings(done.stdout)
    if done.truncated:
        yield Finding("", 0, UNSEEN)
