"""Proof of life: locks within one process, and files left by the dead (other processes: the integration tier)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from broker.liveness import Owners

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def test_an_owner_lives_until_it_lets_go(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "run")
    lock = owners.take()
    assert owners.is_alive(lock.owner)
    lock.release()
    assert not owners.is_alive(lock.owner)
    assert os.listdir(tmp_path / "run") == []


def test_looking_at_a_lock_of_the_own_process_does_not_drop_it(tmp_path: Path) -> None:
    lock = Owners(tmp_path / "run").take()
    assert Owners(tmp_path / "run").is_alive(lock.owner)
    child = os.fork()
    if child == 0:
        os._exit(0 if Owners(tmp_path / "run").is_alive(lock.owner) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lock.release()


def test_a_child_does_not_keep_its_dead_parents_lock(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "run")
    lock = owners.take()
    ready, release = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready[1], b"x")
        os.read(release[0], 1)
        os._exit(0)
    try:
        os.read(ready[0], 1)
        lock.release()
        assert not owners.is_alive(lock.owner)
    finally:
        os.write(release[1], b"x")
        os.waitpid(child, 0)
        for end in (*ready, *release):
            os.close(end)


def test_an_owner_nobody_heard_of_is_dead(tmp_path: Path) -> None:
    assert not Owners(tmp_path / "run").is_alive("1-never")


def test_owners_never_share_a_name(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "run")
    locks = [owners.take() for _ in range(20)]
    assert len({lock.owner for lock in locks}) == 20
    for lock in locks:
        lock.release()


def test_files_of_the_dead_are_removed_and_those_of_the_living_stay(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "run")
    lock = owners.take()
    (tmp_path / "run" / "123-dead.lock").touch()
    (tmp_path / "run" / "123-other.sock").touch()
    owners.remove_dead()
    assert sorted(os.listdir(tmp_path / "run")) == sorted([f"{lock.owner}.lock", "123-other.sock"])
    assert owners.is_alive(lock.owner)
    lock.release()


def test_an_owner_whose_file_was_removed_proves_again_that_it_lives(tmp_path: Path) -> None:
    owners = Owners(tmp_path / "run")
    lock = owners.take()
    shutil.rmtree(tmp_path / "run")
    lock.keep()
    lock.keep()
    child = os.fork()
    if child == 0:
        os._exit(0 if owners.is_alive(lock.owner) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lock.release()
    assert os.listdir(tmp_path / "run") == []
