"""False positives: whole files of the kinds that look most like secrets and are none keep every byte."""

from __future__ import annotations

import hashlib
import json
import uuid
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from shared.secrets.redaction import Redactor
from shared.secrets.scan import Scanner

ROOT = Path(__file__).resolve().parents[3]
FILES = [
    "deploy/lock/*.txt",
    "web/static/vendor/*",
    "web/static/js/*.js",
    "web/static/css/*.css",
    "shared/store/**/*",
]
WORDS = (
    "request handler module parser session worker branch commit merge status value index token_count".split()
)


def lines_of(pattern: str) -> list[bytes]:
    return [
        line
        for path in sorted(ROOT.glob(pattern))
        if path.is_file()
        for line in path.read_bytes().splitlines()
    ]


def made(kind: str, random: Random) -> str:
    """One line of a kind that tools print or write all day."""
    data = random.randbytes(64)
    name, version = (
        random.choice(WORDS),
        f"{random.randrange(20)}.{random.randrange(99)}.{random.randrange(9)}",
    )
    match kind:
        case "npm lock":
            return f'"integrity": "sha512-{b64encode(data).decode()}", "resolved": "https://r.example/{name}-{version}.tgz"'
        case "yarn lock":
            return f"  integrity sha512-{b64encode(data).decode()}"
        case "cargo lock":
            return f'checksum = "{hashlib.sha256(data).hexdigest()}"'
        case "go sum":
            return f"example.com/{name} v{version} h1:{b64encode(data[:32]).decode()}"
        case "git log":
            return f"commit {data[:20].hex()} (HEAD -> main) Merge branch {name}"
        case "uuids":
            return f"GET /tasks/{uuid.UUID(bytes=data[:16])}/events?after=12 200"
        case "docker":
            return f"sha256:{data[:32].hex()}: Pulling from library/{name}, digest {data[:6].hex()}"
        case "data url":
            return f'<img src="data:image/png;base64,{b64encode(data).decode()}">'
        case "stream json":
            usage = {"input_tokens": random.randrange(9999), "output_tokens": 3, "cache_read_input_tokens": 0}
            return json.dumps({"type": "assistant", "uuid": str(uuid.UUID(bytes=data[:16])), "usage": usage})
        case "stack trace":
            return f'  File "/srv/app/{name}.py", line {random.randrange(999)}, in test_{name}_{version[0]}'
    raise ValueError(kind)


KINDS = [
    "npm lock",
    "yarn lock",
    "cargo lock",
    "go sum",
    "git log",
    "uuids",
    "docker",
    "data url",
    "stream json",
]


def corpus() -> Iterator[tuple[str, list[bytes]]]:
    yield from ((pattern, lines_of(pattern)) for pattern in FILES)
    random = Random(5)
    yield from ((kind, [made(kind, random).encode() for _ in range(400)]) for kind in [*KINDS, "stack trace"])


@pytest.mark.parametrize(
    ("kind", "lines"), list(corpus()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_nothing_is_masked_and_nothing_stops_a_landing(kind: str, lines: list[bytes]) -> None:
    assert sum(map(len, lines)) > 4000, kind
    text = b"\n".join(lines) + b"\n"
    redactor = Redactor()
    assert redactor.feed(text) + redactor.flush(final=True) == text
    assert list(Scanner({}).rules_in(text)) == []
