"""The socket under a websocket, and a subscriber's queue."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from web import subscriber
from web.subscriber import Frame, Subscriber
from web.wire import SlowConsumer, Wire, text_frame

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a TCP connection with small buffers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(listening.getsockname())
            ours, _ = listening.accept()
            with ours:
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
                yield ours, peer


def frames(data: bytes) -> list[bytes]:
    """The payloads of whole text frames; fails on anything else."""
    found = []
    while data:
        assert data[0] == 0x81
        head, size = 2, data[1]
        if size == 126:
            head, size = 4, struct.unpack("!H", data[2:4])[0]
        elif size == 127:
            head, size = 10, struct.unpack("!Q", data[2:10])[0]
        assert len(data) >= head + size
        found.append(data[head : head + size])
        data = data[head + size :]
    return found


def read_all(peer: socket.socket) -> bytes:
    found = b""
    while piece := peer.recv(65536):
        found += piece
    return found


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 100_000])
def test_a_text_frame_says_its_size(size: int) -> None:
    assert frames(text_frame(b"x" * size)) == [b"x" * size]


def test_frames_of_many_writers_stay_whole(pair: Pair) -> None:
    ours, peer = pair
    wire = Wire(ours)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_all(peer)))
    reader.start()

    def write(mark: bytes) -> None:
        for number in range(40):
            frame = text_frame(mark * (1 + number * 777))
            if number % 2 or not wire.offer(frame):
                wire.send(frame)

    writers = [threading.Thread(target=write, args=(mark,)) for mark in (b"a", b"b", b"c")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    wire.flush()
    ours.shutdown(socket.SHUT_WR)
    reader.join()
    found = frames(got[0])
    assert len(found) == 120
    assert all(len(set(payload)) == 1 for payload in found)


def test_an_offer_never_waits_and_its_rest_goes_first(pair: Pair) -> None:
    ours, peer = pair
    wire = Wire(ours)
    large = text_frame(b"a" * 200_000)
    assert wire.offer(large)
    assert wire.partial
    assert not wire.offer(text_frame(b"b"))
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(read_all(peer)))
    reader.start()
    wire.send(text_frame(b"c"))
    assert not wire.partial
    ours.shutdown(socket.SHUT_WR)
    reader.join()
    assert frames(got[0]) == [b"a" * 200_000, b"c"]


def test_a_peer_that_never_reads_is_given_up_at_the_deadline(pair: Pair) -> None:
    ours, _ = pair
    wire = Wire(ours, deadline_seconds=0.2)
    with pytest.raises(SlowConsumer) as middle:
        wire.send(text_frame(b"x" * 5_000_000))
    assert not middle.value.whole
    with pytest.raises(BrokenPipeError):
        wire.send(b"x")
    assert not wire.offer(b"x")


def test_giving_up_between_two_frames_leaves_room_for_the_closing_one(pair: Pair) -> None:
    ours, peer = pair
    wire = Wire(ours, deadline_seconds=0.2)
    frame = text_frame(b"x" * 1000)
    with pytest.raises(SlowConsumer) as caught:
        for _ in range(10_000):
            wire.send(frame)
    assert caught.value.whole
    wire.send_last(b"\x88\x02\x03\xf5")
    ours.shutdown(socket.SHUT_WR)
    got = read_all(peer)
    assert got.endswith(b"\x88\x02\x03\xf5")
    assert set(frames(got[:-4])) == {b"x" * 1000}


def frame(number: int, size: int = 10) -> Frame:
    return Frame("t", number, number, b"x" * size)


@pytest.mark.parametrize(
    ("size", "most"), [(1, subscriber.QUEUE_FRAMES), (2**20, subscriber.QUEUE_BYTES // 2**20)]
)
def test_a_full_queue_is_dropped_whole_and_says_so_once(size: int, most: int) -> None:
    member = Subscriber(threading.Event())
    assert all(member.offer(frame(number, size)) for number in range(most))
    assert not member.offer(frame(most, size))
    assert not member.offer(frame(most + 1, 1))
    assert member.take() == []
    assert member.overflowed()
    assert not member.overflowed()
    assert member.offer(frame(1))


def test_a_frame_is_delivered_at_once_only_when_none_waits_before_it() -> None:
    member = Subscriber(threading.Event())
    delivered: list[int] = []

    def deliver(given: Frame) -> bool:
        delivered.append(given.first)
        return given.first != 2

    member.deliver = deliver
    for number in (1, 2, 3):
        member.offer(frame(number))
    assert delivered == [1, 2]
    assert [waiting.first for waiting in member.take()] == [2, 3]
