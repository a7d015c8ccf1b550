"""What an agent swaps, links or plants is neither read nor written through for it outside its sandbox."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import GitFailed
from tests.integration.repository.conftest import Desk, shell
from workers.attempts import homes
from workers.repository import capture
from workers.runners import claude, codex
from workers.runners.conformance import context
from workers.sessions import carry

SECRET = "the key of the person"
OWN = "the work of the agent"
SESSION = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file of the person's that no agent can see."""
    (tmp_path / "person").mkdir()
    path = tmp_path / "person/key"
    path.write_text(SECRET)
    return path


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    folder = tmp_path / "repo"
    folder.mkdir()
    shell(
        folder,
        "git init -q -b main; mkdir way; echo a > a.txt; echo w > way/key; git add -A; git commit -qm first",
    )
    return Desk(tmp_path, folder, tmp_path / "data" / "worktrees", tmp_path / "data" / "repositories")


#: Exchanges two names as fast as the kernel can, as a program of an agent would.
SWAPPER = """
import ctypes, os, sys
exchange = ctypes.CDLL(None, use_errno=True).renameat2
here = os.open(sys.argv[1], os.O_RDONLY)
pairs = [[os.fsencode(name) for name in pair.split(":")] for pair in sys.argv[2:]]
while True:
    for own, evil in pairs:
        exchange(here, own, here, evil, 2)
"""


@pytest.fixture
def swapping(desk: Desk, key: Path) -> Iterator[None]:
    """An agent at work: a file, and a folder of one, are links to the key half of the time."""
    tree = desk.create().path
    (tree / "report").write_text(OWN)
    (tree / "way/key").write_text(OWN)
    (tree / "link").symlink_to(key)
    (tree / "folders").symlink_to(key.parent)
    words = [sys.executable, "-c", SWAPPER, str(tree), "report:link", "way:folders"]
    with subprocess.Popen(words) as program:
        yield
        program.kill()


@pytest.mark.parametrize("captures", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_a_live_capture_never_holds_what_a_swapped_link_leads_to(
    desk: Desk, swapping: None, captures: int
) -> None:
    worktree = desk.create()
    for _ in range(captures):
        with contextlib.suppress(GitFailed):  # the tree may go on changing under it
            capture.take(worktree, refresh=True)
    found = shell(worktree.capture_git_directory, "git cat-file --batch-all-objects --batch")
    assert OWN in found, "something was captured"
    assert SECRET not in found


def test_a_live_capture_is_the_same_tree_as_one_at_the_end(desk: Desk) -> None:
    tree = desk.create().path
    shell(
        tree,
        "echo b >> a.txt; rm way/key; ln -s a.txt way/link; mkdir n; echo x > n/x; chmod +x n/x; mkfifo p",
    )
    live = capture.take(desk.create(), refresh=True)
    assert {file.path: file.new_mode for file in live.files} == {
        "a.txt": "100644",
        "n/x": "100755",
        "way/key": None,
        "way/link": "120000",
    }
    assert capture.take(desk.create(), refresh=True).tree_oid == live.tree_oid
    assert capture.take(desk.create()).tree_oid == live.tree_oid


def test_a_link_an_agent_put_into_its_home_is_not_shown_to_the_next_one(tmp_path: Path, key: Path) -> None:
    home = tmp_path / "home/.claude"
    home.mkdir(parents=True)
    (home / ".claude.json").symlink_to(key)
    env = {"HOME": str(tmp_path / "home"), "CLAUDE_CONFIG_DIR": str(home)}
    start = claude.start(context(contained=True))
    found = homes.prepare(start, env, private=None, copies=tmp_path / "copies")
    assert found.writable == ((home, home),)
    assert not any(SECRET in path.read_text() for path in (tmp_path / "copies").rglob("*") if path.is_file())


def test_a_persons_own_link_beside_its_home_is_followed(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").write_text('{"mine": 1}')
    (tmp_path / ".claude.json").symlink_to("dotfiles")
    start = claude.start(context(contained=True))
    found = homes.prepare(start, {"HOME": str(tmp_path)}, private=None, copies=tmp_path / "copies")
    copies = {target.name: source for source, target in found.writable}
    assert copies[".claude.json"].read_text() == '{"mine": 1}'


def session(home: Path) -> Path:
    path = home / "projects/-elsewhere" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("said\n")
    return path


def test_a_session_is_not_carried_through_links_that_an_agent_planted(tmp_path: Path, key: Path) -> None:
    own = session(tmp_path / "home")
    (own.with_suffix("") / "subagents").mkdir(parents=True)
    (own.with_suffix("") / "subagents/agent-1.jsonl").symlink_to(key)
    place = carry.project_of(tmp_path / "home", "/w")
    place.mkdir(parents=True)
    (place / f"{SESSION}.part").symlink_to(key)
    assert carry.bring(SESSION, "/w", tmp_path / "home")
    assert key.read_text() == SECRET, "nothing was written through the link"
    assert (place / SESSION / "subagents/agent-1.jsonl").is_symlink(), "nothing was read through the link"


def test_a_session_is_not_carried_into_a_folder_outside_the_home(tmp_path: Path) -> None:
    session(tmp_path / "home")
    (tmp_path / "elsewhere").mkdir()
    place = carry.project_of(tmp_path / "home", "/w")
    place.symlink_to(tmp_path / "elsewhere")
    assert not carry.bring(SESSION, "/w", tmp_path / "home")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_nothing_is_written_through_what_an_attempt_left_in_its_own_home(tmp_path: Path, key: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    for name in ("auth.json", "config.toml"):
        (private / name).symlink_to(key)
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex/config.toml").write_text("model = 'm'")
    start = codex.start(context(contained=True))
    env = {"HOME": str(tmp_path), "OPENAI_API_KEY": "the-api-key"}
    homes.prepare(start, env, private=private, copies=tmp_path / "copies")
    assert key.read_text() == SECRET
    assert "the-api-key" in (private / "auth.json").read_text()
    assert (private / "auth.json").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_through_what_an_agent_left_in_its_git_directory(desk: Desk, key: Path) -> None:
    made = desk.create()
    (made.agent_git_directory / "index").unlink()
    (made.agent_git_directory / "index").symlink_to(key)
    shutil.rmtree(made.path)
    again = desk.create()
    assert key.read_text() == SECRET
    assert (again.agent_git_directory / "index").read_bytes()[:4] == b"DIRC"


def test_nothing_is_written_through_drafts_an_agent_guessed(desk: Desk, key: Path) -> None:
    made = desk.create()
    for name in (f".git.{os.getpid()}.new", ".git.new"):
        (made.path / name).symlink_to(key)
    (made.path / ".git").write_text("gitdir: elsewhere")
    desk.create()
    assert key.read_text() == SECRET
    assert (made.path / ".git").read_text() == f"gitdir: {made.admin_directory}\n"
