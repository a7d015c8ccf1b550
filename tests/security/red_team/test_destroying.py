"""S20: whatever a command is called, contained it destroys nothing outside its worktree. What the words catch is only told."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from shared import policy
from tests.integration.sandbox.conftest import Place, place
from tests.security.red_team.destroying import CASES
from workers.shim import landlock

__all__ = ["place"]

pytestmark = pytest.mark.sandbox


def targets(folder: Path) -> list[Path]:
    made = [folder / f"target-{number}" for number in range(len(CASES))]
    for path in made:
        path.mkdir(parents=True)
        (path / "file").write_text("precious")
    return made


def survived(target: Path) -> bool:
    file = target / "file"
    return file.is_file() and not file.is_symlink() and file.read_text() == "precious"


def script(made: list[Path]) -> str:
    """Every case in a folder of its own, one after the other; a failing one stops nothing."""
    lines = [
        f"mkdir -p c{number} && (cd c{number} && T={shlex.quote(str(target))} timeout 10 sh -c {shlex.quote(case)})"
        for number, (case, target) in enumerate(zip(CASES, made, strict=True))
    ]
    return "\n".join(["export T", *lines, "echo tried"])


def test_each_of_them_destroys_where_nothing_contains_it(tmp_path: Path) -> None:
    """Else the cases below would prove nothing."""
    made = targets(tmp_path / "outside")
    words = ["sh", "-c", script(made)]
    subprocess.run(
        words, cwd=tmp_path, env={**os.environ, "T": ""}, capture_output=True, check=True, timeout=60
    )
    assert [case for case, target in zip(CASES, made, strict=True) if survived(target)] == []


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
def test_contained_none_of_them_destroys_anything(
    place: Place, tier: str, record_property: pytest.RecordProperty
) -> None:
    if tier == "landlock" and not landlock.version():
        pytest.skip("this kernel has no Landlock")
    made = targets(place.home / "precious")
    scratch = place.data / "attempts/scratch"
    scratch.mkdir(parents=True)
    place.tier = tier
    place.bounds = replace(place.bounds, scratch=scratch, agent_home=[], read_only=[])
    (place.worktree / "all.sh").write_text(script(made))
    code, out, err = place.sh("sh all.sh")
    assert (code, out.split()[-1]) == (0, "tried"), err
    assert [case for case, target in zip(CASES, made, strict=True) if not survived(target)] == []
    caught = [case for case in CASES if policy.evaluate(policy.Policy(), command=case, workspace="/")]
    record_property("caught by words", f"{len(caught)} of {len(CASES)}")
    print(f"the words of the default policy catch {len(caught)} of {len(CASES)}")
