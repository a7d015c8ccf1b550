"""Third parties register a runner by entry point, and a broken one is one sentence, not a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import NotReady
from workers.runners import registry
from workers.runners.conformance import CHECKS

PLUGIN = """
from openruntime.runners import Capabilities, Output, Replied, Start

name, label, programs, version_arguments = "echo", "Echo", ("/bin/cat",), ()
capabilities = Capabilities(reply="live")
install = "Install coreutils."

def start(context):
    return Start(argv=["/bin/cat"], first_input=context.goal.encode("utf-8", "replace") + b"\\n", close_input=True)

class Lines:
    partial_lines = True
    def feed(self, stream, lines, partial=False):
        return [Replied("\\n".join(lines))] if stream == "stdin" else [Output(stream, lines, partial)]
    def state(self):
        return None

def reader(state, context): return Lines()
def reply(text, state): return text.encode() + b"\\n"
def interrupt(state): return None
def answer(*, allowed, note, updated_input, question): return None
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Install a distribution with one runner named `echo`, as pip would."""

    def install(module: str, target: str) -> None:
        (tmp_path / "echo_runner.py").write_text(module)
        metadata = tmp_path / "echo_runner-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: echo-runner\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[{registry.GROUP}]\necho = {target}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(__import__("sys").modules, "echo_runner", raising=False)

    return install


def test_an_installed_package_adds_a_runner_that_conforms(
    install: Callable[[str, str], None], tmp_path: Path
) -> None:
    install(PLUGIN, "echo_runner")
    assert registry.names() == ["codex", "claude-code", "shell", "echo"]
    runner = registry.get("echo")
    for check in CHECKS.values():
        check(runner, tmp_path)


def test_a_runner_that_lacks_something_is_refused_in_one_sentence(
    install: Callable[[str, str], None],
) -> None:
    install("name = 'echo'", "echo_runner")
    with pytest.raises(NotReady, match="does not have everything"):
        registry.get("echo")


def test_a_runner_that_cannot_be_imported_is_refused_in_one_sentence(
    install: Callable[[str, str], None],
) -> None:
    install("raise RuntimeError('broken')", "echo_runner")
    with pytest.raises(NotReady, match="cannot be loaded: broken"):
        registry.get("echo")


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="No runner named 'nothing'"):
        registry.get("nothing")
