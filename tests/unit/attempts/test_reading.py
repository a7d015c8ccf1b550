"""Frames become lines whatever bytes are in them, wherever they are cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from workers.attempts.reading import MESSAGE_BYTES, PIECE_BYTES, LineReader


def whole(reader: LineReader, chunks: list[bytes]) -> list[str]:
    found: list[str] = []
    for chunk in chunks:
        found += reader.feed("stdout", chunk)[0]
    return found


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_where_the_bytes_are_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    one, many = LineReader(None, pieces=True), LineReader(None, pieces=True)
    assert [*whole(many, pieces), many.rest("stdout")] == [*whole(one, [data]), one.rest("stdout")]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_a_reader_made_from_stored_state_goes_on_where_the_other_was(chunks: list[bytes]) -> None:
    straight, found = LineReader(None, pieces=True), []
    expected = whole(straight, chunks)
    state = None
    for chunk in chunks:
        reader = LineReader(state, pieces=True)
        found += reader.feed("stdout", chunk)[0]
        state = reader.state()
    assert found == expected


def test_invalid_utf8_becomes_the_replacement_character_and_the_rest_stays() -> None:
    lines, _ = LineReader(None, pieces=True).feed("stdout", b"a\xffb\n\x00nul\n")
    assert lines == ["a\ufffdb", "\x00nul"]


def test_a_character_cut_in_two_is_whole_again() -> None:
    reader = LineReader(None, pieces=True)
    reader.feed("stdout", "é".encode()[:1])
    assert reader.tail("stdout") == ""
    assert reader.feed("stdout", "é".encode()[1:] + b"\n")[0] == ["é"]


def test_an_endless_line_of_output_comes_in_pieces() -> None:
    reader = LineReader(None, pieces=True)
    lines, pieces = reader.feed("stdout", b"x" * (3 * PIECE_BYTES + 5))
    assert lines == []
    assert [len(piece) for piece in pieces] == [PIECE_BYTES] * 3
    assert reader.feed("stdout", b"\n")[0] == ["x" * 5]


def test_an_endless_protocol_message_is_cut_and_the_next_one_read() -> None:
    reader = LineReader(None, pieces=False)
    for _ in range(9):
        assert reader.feed("stdout", b"x" * (MESSAGE_BYTES // 8)) == ([], [])
    assert reader.feed("stdout", b'tail\n{"type":"next"}\n')[0] == ["…", '{"type":"next"}']


def test_the_streams_do_not_mix() -> None:
    reader = LineReader(None, pieces=True)
    reader.feed("stdout", b"out")
    reader.feed("stderr", b"err")
    assert reader.feed("stdout", b"put\n")[0] == ["output"]
    assert reader.rest("stderr") == "err"
