"""The forms in which a secret's value may appear: as it is, in every common encoding, and line by line."""

from __future__ import annotations

import binascii
import functools
import json
import re

MIN_SECRET_BYTES = 6
MAX_SECRET_BYTES = 64 << 10
_LINE_BYTES = 16  # a line of a secret of several lines is a secret by itself from here on
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def check_secret(name: str, value: str | bytes) -> bytes:
    """The value's bytes. Raises BadRequest when it is too short to be told from ordinary text, or too long."""
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    if MIN_SECRET_BYTES <= len(data) <= MAX_SECRET_BYTES:
        return data
    from shared.errors import BadRequest  # here, because the shim starts 3 ms sooner without it

    raise BadRequest(
        f"The secret {name} has {len(data)} bytes; it must have from {MIN_SECRET_BYTES} to "
        f"{MAX_SECRET_BYTES}, or masking it would blank out ordinary text."
    )


@functools.lru_cache(maxsize=32)
def of(values: frozenset[bytes]) -> tuple[bytes, ...]:
    """Every form the values may appear in, the longest first: encodings, and each long line of a value of several."""
    forms: set[bytes] = set()
    for value in values:
        trimmed = value.strip()
        for form in {value, trimmed if len(trimmed) >= MIN_SECRET_BYTES else value}:
            forms |= _encodings(form)
            forms.add(form.replace(b"\n", b"\r\n"))  # as a terminal shows it
        forms |= {line for line in value.split() if len(line) >= _LINE_BYTES and line in value.splitlines()}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _encodings(value: bytes) -> set[bytes]:
    text = value.decode("utf-8", "surrogateescape")
    quoted = b"".join(bytes((byte,)) if byte in _UNRESERVED else b"%%%02X" % byte for byte in value)
    forms = {
        value,
        quoted,
        re.sub(rb"%..", lambda found: found[0].lower(), quoted),
        value.replace(b"/", rb"\/"),
    }
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        forms |= {form.encode("utf-8", "surrogateescape") for form in (once, twice)}
    forms |= {value.hex().encode(), value.hex().upper().encode()}
    forms |= {text.encode(name, "surrogatepass") for name in ("utf-16-le", "utf-16-be")}
    for shift in range(3):
        # The characters at both ends share bits with their neighbours; only those in between are fixed.
        encoded = binascii.b2a_base64(bytes(shift) + value, newline=False).rstrip(b"=")
        loose = (len(value) + shift) % 3
        inner = encoded[(0, 2, 3)[shift] : len(encoded) - (1 if loose else 0)]
        if len(inner) >= MIN_SECRET_BYTES:
            forms |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return forms
