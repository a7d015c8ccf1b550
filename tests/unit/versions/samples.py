"""Small real pictures of every kind; all but the bombs are drawn by Chromium in the size that they say."""

from __future__ import annotations

import base64
import struct
import zlib


def png(width: int = 3, height: int = 2, red: int = 200, text: bytes = b"") -> bytes:
    """A PNG of one colour, half transparent below its first row; `text` stands in a comment."""
    rows = b"".join(
        b"\0" + bytes((red, 40, 90, 128 if row else 255)) * width for row in range(min(height, 2_000))
    )
    comment = _chunk(b"tEXt", b"Comment\0" + text) if text else b""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    body = _chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + head + comment + body + _chunk(b"IEND", b"")


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of a few bytes that says it is huge."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bmp(width: int = 3, height: int = 2) -> bytes:
    row = b"\x20\x40\xc0" * width
    rows = (row + b"\0" * (-len(row) % 4)) * height
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + head + rows


def ico(inside: bytes, said: int = 16) -> bytes:
    """An icon whose directory tells one size, with a PNG of perhaps another inside."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, said, said, 0, 0, 1, 32, len(inside), 22) + inside


def gif(width: int = 3, height: int = 2, frame: tuple[int, int, int, int] | None = None) -> bytes:
    """A GIF with an animation's extension and one frame: (left, top, width, height)."""
    left, top, wide, high = frame or (0, 0, width, height)
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\xc0\x40\x20\xff\xff\xff"
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    shown = b"\x2c" + struct.pack("<HHHHB", left, top, wide, high, 0) + b"\x02\x03\x04\x40\x05\0"
    return b"GIF89a" + screen + loop + shown + b"\x3b"


def webp(*, extended: bool = False) -> bytes:
    frame = base64.b64decode("cAEAnQEqAwACAAOAWiWQAnQBQAAA/ubN6/N+D6gqL6fR8SaM9PgA")
    chunks = b"VP8 " + struct.pack("<I", len(frame)) + frame + b"\0" * (len(frame) % 2)
    if extended:
        chunks = b"VP8X" + struct.pack("<IB3x", 10, 0) + b"\x02\0\0\x01\0\0" + chunks
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def lossless_webp(width: int, height: int) -> bytes:
    """The head of one."""
    body = b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14)
    return b"RIFF" + struct.pack("<I", 18) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body + b"\0"


JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKB"
    "TmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8"
    "fHz/wAARCAACAAMDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAb/xAAaEAEAAQUAAAAAAAAAAAAAAAAAAQMFNIGx/8QAFQEB"
    "AQAAAAAAAAAAAAAAAAAAAQP/xAAaEQACAgMAAAAAAAAAAAAAAAAAAgEDMTJx/9oADAMBAAIRAxEAPwCVuWdU1yAAuIKW7t0//9k="
)
#: Two by two.
AVIF = base64.b64decode(
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADybWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxp"
    "YmF2aWYAAAAADnBpdG0AAAAAAAEAAAAeaWxvYwAAAABEAAABAAEAAAABAAABGgAAAB0AAAAoaWluZgAAAAAAAQAAABppbmZlAgAAAAAB"
    "AABhdjAxQ29sb3IAAAAAamlwcnAAAABLaXBjbwAAABRpc3BlAAAAAAAAAAIAAAACAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgQ0MAAAA"
    "ABNjb2xybmNseAACAAIAAYAAAAAXaXBtYQAAAAAAAAABAAEEAQKDBAAAACVtZGF0EgAKCBgANogQEAwgMg8f8D///8WfhwB8+ErK42A="
)
SVG = b'<?xml version="1.0"?>\n<!-- drawn -->\n<svg xmlns="http://www.w3.org/2000/svg" width="3" height="2"><rect width="2" height="2" fill="red"/></svg>\n'
EVERY = {
    "png": (png(), "image/png", (3, 2)),
    "jpeg": (JPEG, "image/jpeg", (3, 2)),
    "gif": (gif(), "image/gif", (3, 2)),
    "webp": (webp(), "image/webp", (3, 2)),
    "webp, extended": (webp(extended=True), "image/webp", (3, 2)),
    "avif": (AVIF, "image/avif", (2, 2)),
    "bmp": (bmp(), "image/bmp", (3, 2)),
    "ico": (ico(png(16, 16)), "image/x-icon", (16, 16)),
}
