"""What configures an agent is found in a commit and on disk alike, without running any of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from shared.errors import NotReady
from workers.attempts import configured
from workers.runners import claude, codex

CLAUDE = claude.capabilities.configured_by


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repo"
    made.mkdir()
    return made


def wrote(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture(params=["commit", "disk"])
def seen(request: pytest.FixtureRequest, folder: Path):
    """What is found for Claude Code in `prefix`, once in the commit of everything and once in the folder."""

    def look(prefix: str = "", globs=CLAUDE):
        if request.param == "disk":
            return configured.files(configured.OnDisk(folder), prefix, globs)
        env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"}
        script = (
            "git init -q; git add -Af; git -c user.name=a -c user.email=a@b commit -qm x; git rev-parse HEAD"
        )
        done = subprocess.run(["sh", "-ec", script], cwd=folder, env=env, capture_output=True, check=True)
        tree = configured.InCommit(folder / ".git", done.stdout.decode().split()[-1])
        return configured.files(tree, prefix, globs)

    return look


def test_what_the_program_runs_is_listed_and_what_a_model_reads_is_not(folder: Path, seen) -> None:
    listed = (".mcp.json", ".claude/settings.json", ".claude/settings.local.json", ".claude/skills/x/run.sh")
    wrote(folder, **dict.fromkeys(listed, "{}"))
    text = (
        "CLAUDE.md",
        ".claude/CLAUDE.md",
        ".claude/rules/style.md",
        "AGENTS.md",
        ".vscode/tasks.json",
        "package.json",
    )
    wrote(folder, **dict.fromkeys((*text, ".envrc", ".husky/pre-commit", "sub/.mcp.json"), "text"))
    found = seen()
    assert [file.path for file in found] == sorted(listed)
    assert {file.digest for file in found} == {hashlib.sha256(b"{}").hexdigest()}
    assert {(file.content, file.problem) for file in found} == {("{}", None)}


def test_a_workspace_below_the_root_is_configured_from_there_up(folder: Path, seen) -> None:
    wrote(
        folder,
        **{".mcp.json": "{}", "a/.claude/settings.json": "{}", "a/b/.mcp.json": "{}", "c/.mcp.json": "{}"},
    )
    wrote(folder, **{"a/b/d/.mcp.json": "{}"})
    assert [file.path for file in seen("a/b")] == [".mcp.json", "a/.claude/settings.json", "a/b/.mcp.json"]


def test_a_link_counts_with_what_it_leads_to(folder: Path, seen) -> None:
    wrote(folder, **{"tools/settings.json": "{}", "tools/hooks/run.sh": "x", "tools/loop": "x"})
    (folder / ".claude").symlink_to("tools")
    (folder / ".mcp.json").symlink_to("/etc/hostname")
    found = {file.path: file for file in seen()}
    assert sorted(found) == [
        ".claude",
        ".mcp.json",
        "tools/hooks/run.sh",
        "tools/loop",
        "tools/settings.json",
    ]
    assert found[".claude"].content == "a link to tools"
    assert "leads out" in (found[".mcp.json"].problem or "")


def test_links_in_a_circle_end(folder: Path, seen) -> None:
    (folder / ".claude").mkdir()
    (folder / ".claude/hooks").symlink_to("skills")
    (folder / ".claude/skills").symlink_to("hooks")
    assert [file.path for file in seen()] == [".claude/hooks", ".claude/skills"]


@pytest.mark.parametrize(
    "text",
    ['{"env": {"ANTHROPIC_BASE_URL": "http://x"}}', r'{"env": {"\u0041nthropic_base_url": "http://x"}}'],
)
def test_a_file_that_names_another_model_server_cannot_be_trusted(folder: Path, seen, text: str) -> None:
    wrote(folder, **{".claude/settings.json": text})
    (file,) = seen()
    assert "another model server" in (file.problem or "")


def test_what_is_too_large_to_be_read_cannot_be_trusted(folder: Path, seen) -> None:
    wrote(folder, **{".mcp.json": "x" * (configured.MAX_FILE_BYTES + 1)})
    (file,) = seen()
    assert "larger than" in (file.problem or "")


def test_a_pipe_on_disk_is_no_plain_file_and_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / ".mcp.json")
    assert configured.files(configured.OnDisk(folder), "", CLAUDE) == []
    (folder / ".claude").mkdir()
    os.mkfifo(folder / ".claude/settings.json")
    (file,) = configured.files(configured.OnDisk(folder), "", CLAUDE)
    assert "not a plain file" in (file.problem or "")


def test_codex_is_configured_by_its_folder(folder: Path, seen) -> None:
    wrote(folder, **{".codex/config.toml": "", ".codex/hooks.json": "{}", ".mcp.json": "{}", "AGENTS.md": ""})
    found = seen(globs=codex.capabilities.configured_by)
    assert [file.path for file in found] == [".codex/config.toml", ".codex/hooks.json"]


def test_a_link_to_everything_is_too_much_to_look_at(folder: Path, seen) -> None:
    wrote(folder, **{f"many/{number}": "" for number in range(configured.MAX_FILES + 1)})
    (folder / ".claude").mkdir()
    (folder / ".claude/skills").symlink_to("../many")
    with pytest.raises(NotReady, match="start it without them"):
        seen()
