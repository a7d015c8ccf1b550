"""The globs of `allowed_file_globs`: where they start, and what their marks mean."""

from __future__ import annotations

import pytest

from shared.policy import globs

CASES = [
    # pattern, folder of the workspace, path, allowed
    ("src/**", ".", "src/a.py", True),
    ("src/**", ".", "src/a/b/c.py", True),
    ("src/**", ".", "srcs/a.py", False),
    ("src/*", ".", "src/a/b.py", False),
    ("src/", ".", "src/a/b.py", True),
    ("src", ".", "src/a.py", False),
    ("*.md", ".", "README.md", True),
    ("*.md", ".", "docs/deep/README.md", True),
    ("*.md", ".", "docs/README.md.py", False),
    ("./*.md", ".", "docs/README.md", False),
    ("**/test_*.py", ".", "test_x.py", True),
    ("**/test_*.py", ".", "a/b/test_x.py", True),
    ("docs/**/*.md", ".", "docs/a.md", True),
    ("**", ".", ".github/workflows/x.yml", True),
    ("*", ".", "deep/er/x", True),
    ("a.txt", ".", "A.txt", False),
    ("a?.txt", ".", "ab.txt", True),
    ("[ab].txt", ".", "b.txt", True),
    ("src/**", "packages/app", "packages/app/src/x", True),
    ("src/**", "packages/app", "src/x", False),
    ("*.md", "packages/app", "README.md", False),
    ("*.md", "packages/app", "packages/app/docs/a.md", True),
    ("/docs/**", "packages/app", "docs/x", True),
    ("/docs/**", "packages/app", "packages/app/docs/x", False),
    ("../other/**", "packages/app", "packages/other/x", True),
    ("**", "packages/app", "packages/other/x", False),
    ("x", "odd [a]*", "odd [a]*/x", True),
    ("x", "odd [a]*", "odd a1/x", False),
]


@pytest.mark.parametrize(("pattern", "folder", "path", "allowed"), CASES)
def test_a_pattern_means(pattern: str, folder: str, path: str, allowed: bool) -> None:
    assert globs.allows([pattern], path, folder) is allowed


def test_one_of_several_is_enough_and_none_allows_nothing() -> None:
    assert globs.allows(["docs/**", "src/**"], "src/x")
    assert not globs.allows([], "src/x")
