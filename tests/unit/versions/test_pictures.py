"""Pictures are told by their bytes, and how large they are by their headers: of bytes that an agent chose."""

from __future__ import annotations

import random
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.versions import samples
from tests.unit.versions.samples import EVERY
from workers.versions import pictures

#: As much as one picture may have (`shared/review/versions.py`).
MOST_BYTES = 2 << 20


@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_is_told_by_its_bytes_with_its_size(kind: str) -> None:
    content, media_type, size = EVERY[kind]
    found = pictures.read(content)
    assert found is not None
    assert (found.media_type, (found.width, found.height)) == (media_type, size)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"BM", b"BMW is a car maker, and this is a text about it. " * 4, b"GIF89a", b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0", samples.png(0, 5), samples.gif(0, 0), b"\0\0\1\0\0\0", samples.ico(b"not a picture"),
        b"<html><script>alert(1)</script>", b"%PDF-1.7", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypisom" + b"\0" * 40,
        samples.ico(samples.png())[:30], samples.JPEG[:150], samples.SVG,
    ],
)  # fmt: skip
def test_what_is_malformed_or_none_is_no_picture(content: bytes) -> None:
    assert pictures.read(content) is None


@pytest.mark.parametrize(
    ("content", "size"),
    [
        (samples.bomb(), (30_000, 30_000)),
        (samples.ico(samples.bomb(), said=16), (30_000, 30_000)),
        (samples.gif(1, 1, frame=(60_000, 10, 5_000, 2)), (65_000, 12)),
        (samples.lossless_webp(16_384, 16_000), (16_384, 16_000)),
        (samples.webp(extended=True).replace(b"\x02\0\0\x01\0\0", b"\xff\xff\xff\xff\xff\xff", 1), (1 << 24, 1 << 24)),
        (samples.bmp()[:18] + struct.pack("<ii", 60_000, -50_000) + samples.bmp()[26:], (60_000, 50_000)),
        (samples.AVIF.replace(b"ispe\0\0\0\0\0\0\0\2", b"ispe\0\0\0\0\0\1\0\0"), (65_536, 2)),
    ],
)  # fmt: skip
def test_a_picture_that_unpacks_to_more_says_so_wherever_the_size_hides(
    content: bytes, size: tuple[int, int]
) -> None:
    found = pictures.read(content)
    assert found is not None
    assert (found.width, found.height) == size


DRAWINGS = [
    (samples.SVG, True),
    (b"\xef\xbb\xbf  <svg/>", True),
    (b'<!DOCTYPE svg PUBLIC "x" "y">\n<svg>', True),
    (b'<!DOCTYPE svg [<!ENTITY a "aa">]><svg>&a;</svg>', False),
    (b'<svg><!ENTITY a "aa"></svg>', False),
    (b"<html><svg/></html>", False),
    (b"svg", False),
    (b"<svgx/>", False),
    (b"<!-- never ends <svg>", False),
]


@pytest.mark.parametrize(("content", "is_drawing"), DRAWINGS)
def test_a_drawing_is_a_text_that_begins_with_its_element_and_declares_no_entities(
    content: bytes, is_drawing: bool
) -> None:
    assert (pictures.drawing(content) is not None) is is_drawing


HOSTILE = {
    "blocks of one byte": b"GIF89a\1\0\1\0\0\0\0" + b"\x21\xff" + b"\1a" * (MOST_BYTES // 2) + b"\0;",
    "frames": b"GIF89a\1\0\1\0\0\0\0" + (b"\x2c" + b"\1\0" * 4 + b"\0\2\0") * (MOST_BYTES // 12),
    "icons that share their bytes": b"\0\0\1\0\xff\xff"
    + (bytes(8) + struct.pack("<II", 1_000_000, 1_048_582)) * 65_535
    + struct.pack("<IiiH", 40, 1, 2, 1)
    + bytes(1_000_000),
    "fill bytes": b"\xff\xd8" + b"\xff" * MOST_BYTES,
    "empty chunks": b"RIFF\0\0\0\0WEBP" + b"abcd\0\0\0\0" * (MOST_BYTES // 8),
    "frames in frames": b"RIFF\0\0\0\0WEBP" + (b"ANMF\xff\xff\x1f\0" + bytes(16)) * (MOST_BYTES // 24),
    "boxes in boxes": b"\0\0\0\x14ftypavif\0\0\0\0avif"
    + b"\0\0\0\0meta\0\0\0\0\0\0\0\0iprp" * (MOST_BYTES // 24),
    "comments": b"<!---->" * (MOST_BYTES // 7),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_bytes_made_to_be_slow_are_read_in_a_moment(kind: str) -> None:
    began = time.process_time()
    pictures.read(HOSTILE[kind][:MOST_BYTES])
    pictures.drawing(HOSTILE[kind][:MOST_BYTES])
    assert time.process_time() - began < 2


@given(st.binary(max_size=300), st.sampled_from(sorted(EVERY)), st.integers(0, 400))
def test_bytes_that_were_tampered_with_raise_nothing(noise: bytes, kind: str, place: int) -> None:
    content = EVERY[kind][0]
    for tampered in (noise, content[:place], content[:place] + noise + content[place:], content[:12] + noise):
        found = pictures.read(tampered)
        assert found is None or (found.width or 0) > 0 < (found.height or 0)
        pictures.drawing(tampered)


@pytest.mark.slow
def test_a_hundred_thousand_flipped_pictures_raise_nothing() -> None:
    chance = random.Random(11)
    contents = [content for content, _, _ in EVERY.values()]
    for _ in range(100_000):
        tampered = bytearray(chance.choice(contents))
        for _ in range(chance.randint(1, 12)):
            tampered[chance.randrange(len(tampered))] = chance.choice(
                (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
            )
        found = pictures.read(bytes(tampered[: chance.randint(4, len(tampered))]))
        assert found is None or (found.width or 0) > 0 < (found.height or 0)
