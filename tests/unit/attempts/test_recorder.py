"""The log writer: redacted before it is on disk, bounded, exact about what it lacks."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from workers.attempts import log
from workers.shim.frames import NOTE, STDERR, STDIN, STDOUT
from workers.shim.recorder import Recorder


def recorder(path: Path, **limits: int) -> Recorder:
    one = Recorder({"S": "hunter2hunter2"}, rules=True, **limits)
    one.open(str(path))
    return one


def text(path: Path, stream: int) -> bytes:
    return b"".join(frame.payload for frame in log.read(path, 0, 1 << 30)[0] if frame.stream == stream)


def notes(path: Path) -> list[dict[str, object]]:
    return [json.loads(frame.payload) for frame in log.read(path, 0, 1 << 30)[0] if frame.stream == NOTE]


def test_no_secret_is_ever_in_the_file_however_it_is_split(tmp_path: Path) -> None:
    line = b"say hunter2hunter2 now\n"
    for cut in range(len(line)):
        path = tmp_path / f"log{cut}"
        one = recorder(path)
        for stream in (STDOUT, STDERR):
            one.output(stream, line[:cut])
            one.output(stream, line[cut:])
        one.input(b"my hunter2hunter2")
        one.close()
        assert b"hunter2" not in path.read_bytes()
        assert text(path, STDOUT) == text(path, STDERR) == b"say [redacted] now\n"
        assert text(path, STDIN) == b"my [redacted]"


def test_a_flood_keeps_its_head_and_its_tail_and_counts_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "log"
    one = recorder(path, head_bytes=100_000, tail_bytes=10_000)
    written = b"".join(b"line %07d\n" % number for number in range(100_000))
    for at in range(0, len(written), 5000):
        one.output(STDOUT, written[at : at + 5000])
    one.input(b"still recorded\n")
    one.close()
    stored = text(path, STDOUT)
    head = stored[: -one.dropped[STDERR] - 10_000]
    assert written.startswith(head)
    assert written.endswith(stored[-10_000:])
    assert len(stored) + one.dropped[STDOUT] == len(written) == one.seen[STDOUT]
    assert text(path, STDIN) == b"still recorded\n"
    assert [note["note"] for note in notes(path)] == ["capped", "dropped"]
    assert notes(path)[1]["bytes"] == one.dropped[STDOUT]
    assert path.stat().st_size < 115_000


def test_a_full_disk_ends_the_log_behind_a_whole_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    one = recorder(path)
    one.output(STDOUT, b"before\n")
    real = os.writev

    def full(descriptor: int, buffers: tuple[bytes, ...]) -> int:
        real(descriptor, (buffers[0], buffers[1][:3]))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    one.output(STDOUT, b"does not fit\n")
    one.output(STDOUT, b"nor this\n")
    monkeypatch.setattr(os, "writev", real)
    assert one.failed == "disk-full"
    assert one.dropped[STDOUT] == 22
    assert text(path, STDOUT) == b"before\n"
    assert path.stat().st_size == one.size_bytes
    one.close()
