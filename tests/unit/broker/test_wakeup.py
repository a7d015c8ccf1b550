"""The bell between processes: rings, stale sockets, where the sockets live, and polling where none can be bound."""

from __future__ import annotations

import os
import select
import socket
import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from broker import wakeup
from broker.wakeup import Wakeup, runtime_folders
from tests.waiting import wait_until

SOON = 5.0

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


def test_a_ring_wakes_every_listener(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()) as one, closing(bell.listener()) as two:
        Wakeup(short_dir / "bell").notify()
        assert one.wait(SOON)
        assert two.wait(SOON)


def test_a_listener_can_be_selected_on_and_drained(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()) as listener:
        assert select.select([listener], [], [], 0)[0] == []
        for _ in range(3):
            bell.notify()
        assert select.select([listener], [], [], SOON)[0] == [listener]
        assert listener.drain()
        assert not listener.drain()
        assert select.select([listener], [], [], 0)[0] == []


def test_waiting_ends_without_a_ring(short_dir: Path) -> None:
    with closing(Wakeup(short_dir / "bell").listener()) as listener:
        assert not listener.wait(0.01)


def test_a_ring_ends_a_wait_that_has_begun(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()) as listener:
        before = time.monotonic()
        threading.Timer(0.05, bell.notify).start()
        assert listener.wait(SOON)
        assert time.monotonic() - before < SOON / 2


def test_the_ringer_can_leave_itself_out(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()) as own, closing(bell.listener()) as other:
        bell.notify(besides=own)
        assert other.wait(SOON)
        assert not own.drain()


def test_ringing_nobody_is_fine(short_dir: Path) -> None:
    Wakeup(short_dir / "never" / "made").notify()
    assert os.listdir(short_dir) == []


def test_ringing_never_blocks_when_a_listener_does_not_listen(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()) as listener:
        before = time.monotonic()
        for _ in range(2000):
            bell.notify()
        assert time.monotonic() - before < SOON
        assert listener.wait(0)
        assert not listener.drain()


def test_whoever_meets_the_socket_of_a_dead_process_removes_it(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()) as listener:
        stale = bell.directory / "123-dead.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as dead:
            dead.bind(str(stale))
        bell.notify()
        assert not stale.exists()
        assert listener.wait(SOON)


def test_a_closed_listener_leaves_no_socket_and_may_be_closed_again(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    listener = bell.listener()
    assert len(os.listdir(bell.directory)) == 1
    listener.close()
    listener.close()
    assert os.listdir(bell.directory) == []


def test_a_forked_child_does_not_take_its_parents_socket_away(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()) as listener:
        child = os.fork()
        if child == 0:
            listener.close()
            os._exit(0)
        os.waitpid(child, 0)
        bell.notify()
        assert listener.wait(SOON)


def test_the_sockets_are_private(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    with closing(bell.listener()):
        assert stat.S_IMODE(bell.directory.stat().st_mode) == 0o700


def test_a_long_path_gets_a_short_private_directory_and_leaves_nothing(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 40)
    bell = Wakeup(directory)
    with closing(bell.listener()) as listener:
        assert listener.path is not None
        assert len(os.fsencode(listener.path)) <= wakeup.MAX_SOCKET_PATH_BYTES
        for folder in runtime_folders(directory):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        Wakeup(directory).notify()
        assert listener.wait(SOON)
    assert not bell.directory.exists()


def test_different_bells_do_not_hear_each_other(tmp_path: Path) -> None:
    long = tmp_path / ("long" * 40)
    with closing(Wakeup(long / "a").listener()) as a, closing(Wakeup(long / "b").listener()) as b:
        Wakeup(long / "a").notify()
        assert a.wait(SOON)
        assert not b.drain()


def test_a_directory_others_may_write_to_is_not_used(short_dir: Path) -> None:
    bell = Wakeup(short_dir / "bell")
    bell.directory.mkdir()
    bell.directory.chmod(0o777)
    with closing(bell.listener()) as listener:
        assert listener.path is None
        assert os.listdir(bell.directory) == []


def test_a_link_in_place_of_the_directory_is_not_followed(short_dir: Path) -> None:
    (short_dir / "elsewhere").mkdir(mode=0o700)
    (short_dir / "bell").symlink_to(short_dir / "elsewhere")
    with closing(Wakeup(short_dir / "bell").listener()) as listener:
        assert listener.path is None
    assert os.listdir(short_dir / "elsewhere") == []


@pytest.fixture
def blocked(short_dir: Path) -> Path:
    """A directory that cannot be made, not even by root."""
    (short_dir / "bell").write_text("in the way")
    return short_dir / "bell"


def test_without_sockets_a_commit_of_another_process_rings(short_dir: Path, blocked: Path) -> None:
    with closing(sqlite3.connect(short_dir / "db", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t(x)")
        with closing(Wakeup(blocked, watch=short_dir / "db").listener()) as listener:
            assert listener.wait(SOON), "what was there before we looked"
            for number in range(3):
                wait_until(lambda: not listener.wait(0.1), what="silence")
                database.execute("INSERT INTO t VALUES (?)", (number,))
                assert listener.wait(SOON)


def test_without_sockets_the_file_may_come_later_or_be_replaced(short_dir: Path, blocked: Path) -> None:
    file = short_dir / "db"
    with closing(Wakeup(blocked, watch=file).listener()) as listener:
        assert not listener.wait(0.1)
        for _ in range(2):
            file.unlink(missing_ok=True)
            with closing(sqlite3.connect(file, isolation_level=None)) as database:
                database.execute("CREATE TABLE t(x)")
                assert listener.wait(SOON)
                wait_until(lambda: not listener.wait(0.1), what="silence")
                database.execute("INSERT INTO t VALUES (1)")
                assert listener.wait(SOON)


def test_without_sockets_and_a_file_waiting_just_ends(blocked: Path) -> None:
    bell = Wakeup(blocked)
    with closing(bell.listener()) as listener:
        bell.notify()
        assert not listener.wait(0.01)
        listener.poke()
        assert listener.wait(SOON)


def test_a_closed_polling_listener_leaves_no_thread(short_dir: Path, blocked: Path) -> None:
    before = threading.active_count()
    Wakeup(blocked, watch=short_dir / "db").listener().close()
    assert threading.active_count() == before


def test_many_listeners_come_and_go_under_a_long_path(tmp_path: Path) -> None:
    """The last one leaving removes the directory that the next one is about to use."""
    bell = Wakeup(tmp_path / ("long" * 40))
    unbound: list[bool] = []

    def come_and_go() -> None:
        for _ in range(50):
            with closing(bell.listener()) as listener:
                unbound.append(listener.path is None)

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(unbound)
    assert not bell.directory.exists()
