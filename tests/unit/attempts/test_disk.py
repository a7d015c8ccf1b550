"""What agents leave on the disk is weighed, and the room on it is kept: whoever goes over is stopped, with the figure."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from pathlib import Path

import pytest

from shared import tasks
from shared.config import Config
from shared.errors import NotReady
from shared.store.models import Attempt, Task
from tests.unit.shared.conftest import board, config
from tests.unit.shared.played import WORKER, Board, commands_of, said
from workers import disk
from workers.disk import DiskWatch

__all__ = ["board", "config"]

ALL_THERE_IS = 1 << 40


def working(board: Board, folder: Path, **policy: int) -> Attempt:
    """A running attempt whose worktree holds 3 MiB."""
    folder.mkdir()
    (folder / "big").write_bytes(b"x" * (3 << 20))
    attempt = board.running(board.new(policy=policy, workspace=str(folder)))
    Task.update(execution_workspace=str(folder), worktree_path=str(folder)).where(
        Task.number == attempt.task_id
    ).execute()
    return attempt


def test_an_attempt_over_its_share_is_stopped_and_its_neighbour_is_not(
    board: Board, config: Config, tmp_path: Path
) -> None:
    over = working(board, tmp_path / "over", max_disk_mib=2)
    within = working(board, tmp_path / "within", max_disk_mib=9)
    DiskWatch(WORKER, config).round()
    (stop,) = commands_of(tasks.get(over.task.id))
    assert stop.body == {"reason": "disk-exceeded"}
    assert "It takes 3 MiB on the disk, and may take 2" in said(over.task)[-1][1]
    assert commands_of(within.task) == []


def test_folders_are_not_walked_again_at_once(board: Board, config: Config, tmp_path: Path) -> None:
    attempt = working(board, tmp_path / "here", max_disk_mib=4)
    watch = DiskWatch(WORKER, config)
    watch.round()
    (tmp_path / "here/more").write_bytes(b"x" * (3 << 20))
    watch.round()
    assert commands_of(attempt.task) == []
    DiskWatch(WORKER, config).round()
    assert len(commands_of(attempt.task)) == 1


def test_where_the_disk_is_full_agents_are_stopped_and_none_starts(
    board: Board, config: Config, tmp_path: Path
) -> None:
    attempt = working(board, tmp_path / "here")
    full = dataclasses.replace(config, min_free_mib=ALL_THERE_IS)
    DiskWatch("worker-2", full).round()
    assert commands_of(attempt.task) == [], "another worker's"
    watch = DiskWatch(WORKER, full)
    watch.round()
    (stop,) = commands_of(attempt.task)
    assert stop.body == {"reason": "disk-full"}
    watch.round()
    assert len([line for line in said(attempt.task) if "left on the disk" in line[1]]) == 1
    with pytest.raises(NotReady, match="OPENRUNTIME_MIN_FREE_MIB"):
        disk.refuse_full(full)
    disk.refuse_full(config)


def test_what_folders_take_is_their_blocks_and_not_their_holes_or_links(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x" * (3 << 20))
    with (tmp_path / "a/sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "a/link").symlink_to(tmp_path / "a/b/file")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    assert disk.used_mib([tmp_path / "a", tmp_path / "gone"]) == 3


def test_folders_nested_deeper_than_a_program_may_call_itself_are_weighed_too(tmp_path: Path) -> None:
    here = os.path.join(tmp_path, "a")
    for _ in range(1100):
        os.mkdir(here)
        here += "/d"
    Path(here).write_bytes(b"x" * (3 << 20))
    try:
        assert disk.used_mib([tmp_path / "a"]) >= 3
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "a"], check=True)
