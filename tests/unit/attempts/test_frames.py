"""Frames and the log reader: every byte comes back, whatever the pieces, and a torn end waits."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import AgentLost
from workers.attempts import log
from workers.shim import frames
from workers.shim.frames import Decoder, Frame

frame_lists = st.lists(
    st.builds(Frame, st.integers(0, 3), st.integers(0, 2**63), st.binary(max_size=200)), max_size=10
)


@given(frame_lists, st.integers(1, 50))
def test_frames_come_back_from_pieces_of_any_size(sent: list[Frame], size: int) -> None:
    data = b"".join(map(frames.encode, sent))
    decoder, found = Decoder(), []
    for at in range(0, len(data), size):
        found += decoder.feed(data[at : at + size])
    assert found == sent
    assert decoder.pending == 0


def test_a_torn_last_frame_waits_for_its_rest() -> None:
    whole = frames.encode(Frame(1, 5, b"hello"))
    decoder = Decoder()
    assert decoder.feed(whole + whole[:-2]) == [Frame(1, 5, b"hello")]
    assert decoder.feed(whole[-2:]) == [Frame(1, 5, b"hello")]


@pytest.mark.parametrize("bad", [b"\x02", b"\x01\x09"])
def test_bytes_no_shim_wrote_are_refused(bad: bytes) -> None:
    with pytest.raises(frames.DamagedLog):
        Decoder().feed(bad + bytes(frames.HEADER_BYTES))


def test_a_length_beyond_the_bound_is_refused_before_anything_is_kept() -> None:
    with pytest.raises(frames.DamagedLog):
        Decoder().feed(frames.header(1, 0, frames.MAX_PAYLOAD_BYTES + 1))


def test_a_log_is_read_on_from_any_returned_offset(tmp_path: Path) -> None:
    sent = [Frame(number % 4, number, b"x" * number) for number in range(60)]
    path = tmp_path / "log"
    path.write_bytes(b"".join(map(frames.encode, sent)))
    for limit in (1, 10, 100, 1 << 20):
        found, offset = [], 0
        while True:
            part, after = log.read(path, offset, limit)
            if not part:
                break
            assert after > offset
            found += part
            offset = after
        assert found == sent
        assert offset == path.stat().st_size


def test_a_frame_larger_than_the_limit_still_comes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(frames.encode(Frame(1, 1, b"y" * 3_000_000)))
    found, offset = log.read(path, 0, 1000)
    assert [len(frame.payload) for frame in found] == [3_000_000]
    assert offset == path.stat().st_size


def test_a_torn_or_missing_log_gives_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert log.read(path, 0) == ([], 0)
    whole = frames.encode(Frame(1, 1, b"abc"))
    path.write_bytes(whole + whole[:5])
    assert log.read(path, 0) == ([Frame(1, 1, b"abc")], len(whole))
    assert log.read(path, len(whole)) == ([], len(whole))


def test_a_damaged_log_says_where(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"nonsense that is no frame")
    with pytest.raises(AgentLost, match="damaged behind byte 0"):
        log.read(path, 0)
