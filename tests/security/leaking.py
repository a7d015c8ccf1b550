"""Secrets of every kind, a program that leaks them in every form, and what to look for afterwards."""

from __future__ import annotations

import base64
import json
import string
import urllib.parse
from collections.abc import Iterator
from random import Random

_RANDOM = Random(23)
WORD = string.ascii_letters + string.digits
#: A needle is this much from the middle of a form: enough to be no accident, little enough to find half a leak.
NEEDLE_BYTES = 24


def _word(length: int, letters: str = WORD) -> str:
    return "".join(_RANDOM.choices(letters, k=length))


def _pem() -> str:
    lines = "\n".join(_word(64, WORD + "+/") for _ in range(6))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n{_word(38)}==\n-----END RSA PRIVATE KEY-----\n"


#: The shapes of twelve vendors, and what is hard: several lines, marks of patterns and JSON, one that begins another.
SECRETS = {
    "GITHUB": f"ghp_{_word(36)}",
    "GITLAB": f"glpat-{_word(20)}",
    "AWS": _word(40, WORD + "/+"),
    "SLACK": f"xoxb-{_word(12, string.digits)}-{_word(24)}",
    "ANTHROPIC": f"sk-ant-api03-{_word(80)}",
    "OPENAI": f"sk-proj-{_word(48)}",
    "STRIPE": f"sk_live_{_word(24)}",
    "GOOGLE": f"AIza{_word(35)}",
    "NPM": f"npm_{_word(36)}",
    "PYPI": f"pypi-{_word(60)}",
    "SENDGRID": f"SG.{_word(22)}.{_word(43)}",
    "DIGITALOCEAN": f"dop_v1_{_word(64, '0123456789abcdef')}",
    "PEM": _pem(),
    "PATTERN": r"a.b*c+(d)[e]{2}\f$^|?x",
    "JSONISH": 'pä"ss\\wörd/&%1\t€',
    "PREFIX": f"zebra-{_word(10)}",
    "SPACED": f"four {_word(8)} words {_word(6)} here",
    "HEX": _word(64, "0123456789abcdef"),
    "LONG": _word(3000),
    "SHORT": "q7$Zx!",
}
SECRETS["PREFIXED"] = SECRETS["PREFIX"] + f"-{_word(12)}"

#: Run as `python -c`, with the names as arguments; SPLIT_SECONDS is a pause longer than the shim's quiet time.
PROGRAM = r"""
import base64, json, os, sys, time, urllib.parse
os.makedirs("out", exist_ok=True)
for place, name in enumerate(sys.argv[1:]):
    value = os.environ[name]
    raw = value.encode()
    forms = [raw, raw.hex().encode(), raw.hex().upper().encode(), urllib.parse.quote(value, safe="").encode(),
             json.dumps(value).encode(), json.dumps(value, ensure_ascii=False).encode(),
             json.dumps(json.dumps({"k": value})).encode(), value.encode("utf-16-le")]
    for shift in range(3):
        padded = b"x" * shift + raw + b"yz"
        forms += [base64.b64encode(padded), base64.urlsafe_b64encode(padded)]
    for number, form in enumerate(forms):
        cut = (place * 7 + number * 3) % (len(form) + 1)
        stream = 2 if number % 5 == 4 else 1
        os.write(stream, b"<" + form[:cut])
        if number == place % len(forms) and place % 5 == 0:
            time.sleep(0.2)
        os.write(stream, form[cut:] + b">\n")
    with open("out/" + name, "wb") as file:
        file.write(b"\n".join(forms))
    if "/" not in value and "\n" not in value and len(raw) < 200:
        open("out/" + value, "w").close()
print("all leaked")
"""


def forms(value: str) -> Iterator[bytes]:
    """Every form in which a value must be recognised, as a program writes it."""
    raw = value.encode()
    yield raw
    yield from (raw.hex().encode(), raw.hex().upper().encode(), value.encode("utf-16-le"))
    yield urllib.parse.quote(value, safe="").encode()
    yield json.dumps(value).encode()[1:-1]
    yield json.dumps(value, ensure_ascii=False).encode()[1:-1]
    yield json.dumps(json.dumps(value)[1:-1]).encode()[1:-1]
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"x" * shift + raw + b"yz")


def needles(value: str) -> set[bytes]:
    """What must stand nowhere: the middle of each form, and of each line of a key."""
    lines = [line.encode() for line in value.splitlines() if len(line) > NEEDLE_BYTES and " " not in line]
    found = set()
    for form in (*forms(value), *lines):
        middle = max(0, len(form) - NEEDLE_BYTES) // 2
        needle = form[middle : middle + NEEDLE_BYTES]
        if len(needle) >= 6:
            found.add(needle)
    return found


NEEDLES = {name: needles(value) for name, value in SECRETS.items()}


def leaks(data: bytes) -> set[str]:
    """Names of the secrets of which something stands in `data`."""
    return {name for name, wanted in NEEDLES.items() if any(needle in data for needle in wanted)}
