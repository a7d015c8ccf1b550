"""What kind of picture some bytes are and how large, by their headers alone: nothing is decoded, and names do not count.

Agents write these bytes. Where a format can hold several sizes the largest counts, because a decoder may take that one.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

SVG = "image/svg+xml"
PNG = b"\x89PNG\r\n\x1a\n"
#: Only white space, comments, an XML declaration and a plain document type may stand before the first element.
_SVG = re.compile(rb"(?:\s++|<\?xml[^>]*+>|(?><!--.*?-->)|<!DOCTYPE[^>\[]*+>)*+<svg[\s/>]", re.DOTALL)
_SVG_HEAD_BYTES = 4096
#: Lengths of the headers that a bitmap's sizes can stand in; the oldest has 16-bit sizes.
_BITMAP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LONE_MARKERS = frozenset(range(0xD0, 0xD8)) | {0x01}
Size = tuple[int, int]


@dataclass(frozen=True)
class Picture:
    """`media_type` as a browser is told it; `width` and `height` in pixels, None for a drawing that scales."""

    media_type: str
    width: int | None = None
    height: int | None = None


def read(content: bytes) -> Picture | None:
    """The raster picture that `content` is; None for anything else, malformed pictures included."""
    for magic, media_type, sizes in _FORMATS:
        if magic.match(content):
            try:
                found = list(sizes(content))
            except (struct.error, IndexError):
                return None
            if not found or any(width <= 0 or height <= 0 for width, height in found):
                return None
            return Picture(media_type, max(width for width, _ in found), max(height for _, height in found))
    return None


def drawing(content: bytes) -> Picture | None:
    """The SVG drawing that a text is; None for any other text, and for one whose entities could grow without bound."""
    head = content[:_SVG_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf")
    return Picture(SVG) if _SVG.match(head) and b"<!ENTITY" not in content else None


def _png(content: bytes, start: int = 0) -> Iterator[Size]:
    length, kind, width, height = struct.unpack_from(">I4sII", content, start + len(PNG))
    if (length, kind) == (13, b"IHDR"):
        yield width, height


def _jpeg(content: bytes) -> Iterator[Size]:
    place = 2
    while content[place] == 0xFF:
        while content[place] == 0xFF:
            place += 1
        marker = content[place]
        place += 1
        if marker in _LONE_MARKERS:
            continue
        if marker in (0xD9, 0xDA):
            return
        (length,) = struct.unpack_from(">H", content, place)
        if marker in _FRAME_MARKERS:
            height, width = struct.unpack_from(">HH", content, place + 3)
            yield width, height
        place += max(2, length)


def _gif(content: bytes) -> Iterator[Size]:
    """The screen, and every frame: a decoder makes room for one that reaches beyond it."""
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    yield width, height
    place = 13 + _colours(flags)
    while place < len(content) and content[place] != 0x3B:
        if content[place] == 0x21:
            place = _after_blocks(content, place + 2)
        elif content[place] == 0x2C:
            left, top, width, height, flags = struct.unpack_from("<HHHHB", content, place + 1)
            yield left + width, top + height
            place = _after_blocks(content, place + 11 + _colours(flags))
        else:
            return


def _colours(flags: int) -> int:
    """The bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(content: bytes, place: int) -> int:
    while place < len(content) and content[place]:
        place += content[place] + 1
    return place + 1


def _webp(content: bytes) -> Iterator[Size]:
    for kind, start, end in _chunks(content, 12, len(content)):
        yield from _webp_sizes(content, kind, start)
        if kind == b"ANMF":
            yield _three(content, start + 6) + 1, _three(content, start + 9) + 1
            for inner, place, _ in _chunks(content, start + 16, end):
                yield from _webp_sizes(content, inner, place)


def _chunks(content: bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, end) of each chunk between two places."""
    while place + 8 <= end:
        kind, length = struct.unpack_from("<4sI", content, place)
        yield kind, place + 8, min(end, place + 8 + length)
        place += 8 + length + length % 2


def _webp_sizes(content: bytes, kind: bytes, place: int) -> Iterator[Size]:
    if kind == b"VP8 " and content[place + 3 : place + 6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", content, place + 6)
        yield width & 0x3FFF, height & 0x3FFF
    elif kind == b"VP8L" and content[place] == 0x2F:
        (bits,) = struct.unpack_from("<I", content, place + 1)
        yield (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        yield _three(content, place + 4) + 1, _three(content, place + 7) + 1


def _three(content: bytes, place: int) -> int:
    low, high = struct.unpack_from("<HB", content, place)
    return int(low + (high << 16))


def _avif(content: bytes) -> Iterator[Size]:
    """Every size that the properties of its items name: a grid is larger than its tiles."""
    (length,) = struct.unpack_from(">I", content)
    brands = content[8:12] + content[16 : min(length, 512)]
    if not {b"avif", b"avis"} & {brands[at : at + 4] for at in range(0, len(brands), 4)}:
        return
    for start, end in _boxes(content, 0, len(content), b"meta"):
        for properties in _boxes(content, start + 4, end, b"iprp"):
            for container in _boxes(content, *properties, b"ipco"):
                for size, _ in _boxes(content, *container, b"ispe"):
                    width, height = struct.unpack_from(">II", content, size + 4)
                    yield width, height


def _boxes(content: bytes, place: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """(start, end) of what is in each box of this kind."""
    while place + 8 <= end:
        length, kind = struct.unpack_from(">I4s", content, place)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", content, place + 8)
            head = 16
        elif length == 0:
            length = end - place
        if length < head:
            return
        if kind == wanted:
            yield place + head, min(end, place + length)
        place += length


def _bmp(content: bytes) -> Iterator[Size]:
    start, header = struct.unpack_from("<II", content, 10)
    if header in _BITMAP_HEADERS and start <= len(content):
        yield _bitmap(content, 14, header)


def _bitmap(content: bytes, place: int, header: int) -> Size:
    form = "<HHH" if header == 12 else "<iiH"
    width, height, planes = struct.unpack_from(form, content, place + 4)
    return (width, abs(height)) if planes == 1 else (0, 0)


def _ico(content: bytes) -> Iterator[Size]:
    """The size that each picture in it has, not the one that its directory tells."""
    (count,) = struct.unpack_from("<H", content, 4)
    for number in range(count):
        length, place = struct.unpack_from("<II", content, 6 + 16 * number + 8)
        if place + length > len(content):
            yield 0, 0
        elif content.startswith(PNG, place):
            yield from _png(content, place)
        else:
            (header,) = struct.unpack_from("<I", content, place)
            width, height = _bitmap(content, place, header)
            yield (width, height // 2) if header in _BITMAP_HEADERS else (0, 0)


_FORMATS: tuple[tuple[re.Pattern[bytes], str, Callable[[bytes], Iterator[Size]]], ...] = (
    (re.compile(re.escape(PNG)), "image/png", _png),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg", _jpeg),
    (re.compile(rb"GIF8[79]a"), "image/gif", _gif),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp", _webp),
    (re.compile(rb".{4}ftyp", re.DOTALL), "image/avif", _avif),
    (re.compile(rb"BM"), "image/bmp", _bmp),
    (re.compile(re.escape(b"\0\0\1\0")), "image/x-icon", _ico),
)
