"""Files an agent may have written are read below their folder, regular, without a link and without waiting."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from workers import beneath

SECRET = b"the key of the person"
MOST = 1 << 20


@pytest.fixture(params=["openat2", "walk"])
def tree(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent's tree beside a file it must not reach; with the kernel's call, and where there is none."""
    if request.param == "walk":
        monkeypatch.setattr(beneath, "OPENAT2", 1 << 20)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/key").write_bytes(SECRET)
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub/file").write_bytes(b"its own")
    return tree


def test_a_file_below_is_read_and_copied_with_its_mode(tree: Path, tmp_path: Path) -> None:
    (tree / "sub/file").chmod(0o750)
    assert beneath.read(tree, "sub/file", MOST) == b"its own"
    assert beneath.read(tree, b"sub//./file", MOST) == b"its own"
    made = beneath.copy(tree, "sub/file", tmp_path / "copy")
    assert (made.read_bytes(), made.stat().st_mode & 0o777) == (b"its own", 0o750)
    assert made.stat().st_mtime_ns == (tree / "sub/file").stat().st_mtime_ns


def listening(at: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(at))


def sparse(at: Path) -> None:
    at.touch()
    os.truncate(at, 1 << 40)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "link": lambda at: at.symlink_to("../outside/key"),
    "link to a sibling": lambda at: at.symlink_to("sub/file"),
    "absolute link": lambda at: at.symlink_to(at.parent.parent / "outside/key"),
    "link to a link of the kernel": lambda at: at.symlink_to("/proc/self/fd/0"),
    "dangling link": lambda at: at.symlink_to("nowhere"),
    "pipe": os.mkfifo,
    "socket": listening,
    "folder": Path.mkdir,
    "too large": lambda at: at.write_bytes(b"x" * (MOST + 1)),
    "holes of a terabyte": sparse,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_everything_else_is_an_error_at_once(tree: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)  # a socket's path is short
    HOSTILE[kind](Path("report") if kind == "socket" else tree / "report")
    with pytest.raises(OSError, match=r".") as failed:
        beneath.read(tree, "report", MOST)
    assert SECRET not in str(failed.value).encode()


@pytest.mark.parametrize(
    "name", ["../outside/key", "sub/../../outside/key", "/etc/passwd", "", ".", "sub/", "..", "sub/file/x"]
)
def test_no_name_leads_out(tree: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"."):
        beneath.read(tree, name, MOST)


def test_no_folder_on_the_way_may_be_a_link(tree: Path, tmp_path: Path) -> None:
    (tree / "way").symlink_to(tmp_path / "outside")
    (tree / "inside").symlink_to("sub")
    for name in ("way/key", "inside/file"):
        with pytest.raises(OSError, match=r"."):
            beneath.read(tree, name, MOST)
        with pytest.raises(OSError, match=r"."):
            beneath.read_link(tree, f"{name}/link")
    (tmp_path / "alias").symlink_to(tree)
    with pytest.raises(OSError, match=r"."):
        beneath.read(tmp_path / "alias", "sub/file", MOST)


def test_a_device_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="regular"):
        beneath.read("/dev", "zero", MOST)
    with pytest.raises(OSError, match=r"."):
        beneath.read("/proc/self/fd", "0", MOST)


def test_a_link_is_read_as_text(tree: Path) -> None:
    (tree / "sub/link").symlink_to("../../outside/key")
    assert beneath.read_link(tree, "sub/link") == b"../../outside/key"
    with pytest.raises(OSError, match=r"."):
        beneath.read_link(tree, "sub/file")


def test_a_copy_is_not_written_through_a_link(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "target").symlink_to(tmp_path / "outside/key")
    with pytest.raises(FileExistsError):
        beneath.copy(tree, "sub/file", tmp_path / "target")
    assert (tmp_path / "outside/key").read_bytes() == SECRET


@pytest.fixture
def swapping(tree: Path) -> Iterator[None]:
    """All the while somebody swaps `report` and the folder `way` between its own file and a link to the secret."""
    over = threading.Event()
    (tree / "link").symlink_to("../outside/key")
    (tree / "folders").symlink_to("../outside")
    (tree / "report").write_bytes(b"its own")
    (tree / "way").mkdir()
    (tree / "way/key").write_bytes(b"its own")

    def swap() -> None:
        while not over.is_set():
            for own, evil in (("report", "link"), ("way", "folders")):
                os.rename(tree / own, tree / "aside")
                os.rename(tree / evil, tree / own)
                os.rename(tree / own, tree / evil)
                os.rename(tree / "aside", tree / own)

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.mark.parametrize("tries", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_file_swapped_for_a_link_meanwhile_is_never_read_through(
    tree: Path, swapping: None, tries: int
) -> None:
    found = set()
    for name in ("report", "way/key") * (tries // 2):
        try:
            found.add(beneath.read(tree, name, MOST))
        except OSError:
            found.add(b"refused")
    assert SECRET not in found
    assert b"its own" in found
