"""Where a runner's program is found, its launcher or the native one behind it."""

from __future__ import annotations

from pathlib import Path

from workers.attempts import programs
from workers.runners import codex, shell


def installed(folder: Path, native: str) -> str:
    """A PATH with npm's launcher of codex, and its native program where this release of npm puts it."""
    launcher = folder / "node_modules/@openai/codex/bin/codex.js"
    binary = folder / "node_modules/@openai/codex" / native
    for path in (launcher, binary):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    bin = folder / "node_modules/.bin"
    bin.mkdir()
    (bin / "codex").symlink_to("../@openai/codex/bin/codex.js")
    return str(bin)


def test_the_native_program_beside_its_launcher_is_run(tmp_path: Path) -> None:
    path = installed(tmp_path, "../codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
    found = programs.find(codex, path)
    assert found == str(
        tmp_path / "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"
    )


def test_or_the_one_installed_below_it(tmp_path: Path) -> None:
    path = installed(tmp_path, "node_modules/@openai/codex-linux-arm64/vendor/arm/bin/codex")
    assert str(programs.find(codex, path)).endswith("codex-linux-arm64/vendor/arm/bin/codex")


def test_without_one_the_launcher_is_run(tmp_path: Path) -> None:
    path = installed(tmp_path, "elsewhere/codex")
    assert programs.find(codex, path) == f"{path}/codex"


def test_a_program_that_is_not_there_is_none(tmp_path: Path) -> None:
    assert programs.find(codex, str(tmp_path)) is None
    assert programs.find(shell, None) == "/bin/sh"
