"""A repository and a task that changed it in every way, ready for review."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installation import Installation, git, repository

EDIT = (
    "printf 'one\\ntwo\\nthree and a half\\n' > a.txt; mkdir -p src; printf 'def f(x):\\n    return x + 1\\n' > src/new.py;"
    " head -c 300 /dev/zero > blob.bin; for n in $(seq 1 500); do echo row $n; done > long.txt; chmod +x b.txt; git mv c.txt d.txt"
)


@pytest.fixture
def repo(src: Path) -> Path:
    place = repository(src / "repo")
    (place / "a.txt").write_text("one\ntwo\nthree\n")
    (place / "b.txt").write_text("b\n")
    (place / "c.txt").write_text("same\n" * 20)
    git(place, "add", "-A")
    git(place, "commit", "-qm", "more files")
    return place


def reviewed(here: Installation, repo: Path, command: str = EDIT, **more: object) -> str:
    id = here.run(command, repo, **{"title": "Edit some files", **more})
    assert here.until(id)["status"] == "ready-for-review"
    return id
