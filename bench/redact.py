"""How fast the stream redactor is, beside the same patterns in the standard library's engine."""

from __future__ import annotations

import random
import re
import statistics
import string
import time
from typing import Any

from shared.secrets import redaction, rules

BAR_MB_PER_SECOND = 50.0
BAR_RATIO = 20.0
CHUNK_BYTES = 64 << 10
CORPUS_BYTES = 16 << 20
YARDSTICK_BYTES = 1 << 20  # the standard engine is so slow that a part must do
ROUNDS = 5


def secrets(count: int = 30) -> dict[str, str]:
    """Values as people have them: 20 to 60 characters, some with characters that must be encoded."""
    generator = random.Random(7)
    letters = string.ascii_letters + string.digits + '+/="\\&% é'
    return {
        f"S{number}": "".join(generator.choices(letters, k=generator.randint(20, 60)))
        for number in range(count)
    }


def corpus(size_bytes: int, planted: dict[str, str]) -> bytes:
    """Agent output: compiler lines, prose, compact JSON, paths and hashes, with about 3 secrets per MB."""
    generator = random.Random(11)
    words = ["error", "tests", "module", "return", "value", "path", "def", "import", "token", "the", "of"]
    lines: list[str] = []
    size = 0
    values = list(planted.values())
    while size < size_bytes:
        kind = generator.randrange(8)
        text = " ".join(generator.choices(words, k=generator.randint(4, 14)))
        if kind == 0:
            line = f'{{"type":"assistant","id":"{generator.getrandbits(96):x}","input_tokens":{size},"text":"{text}"}}'
        elif kind == 1:
            line = f"src/{words[size % 9]}/File{size}.py:{size % 900}:{size % 80}: {text}"
        elif kind == 2:
            line = f"sha256:{generator.getrandbits(256):064x}  {text}"
        else:
            line = f"{'  ' * (size % 5)}{text}"
        if generator.random() < 0.0003:
            line += f" export API_KEY={generator.choice(values)}"
        lines.append(line)
        size += len(line) + 1
    return ("\n".join(lines) + "\n").encode()


def megabytes_per_second(data: bytes, planted: dict[str, str]) -> float:
    redactor = redaction.Redactor(planted)
    began = time.perf_counter()
    for at in range(0, len(data), CHUNK_BYTES):
        redactor.feed(data[at : at + CHUNK_BYTES])
    redactor.flush(final=True)
    return len(data) / (time.perf_counter() - began) / 1e6


def yardstick(data: bytes, planted: dict[str, str]) -> float:
    """One alternation of the same literals and rules, in `re`, over the same chunks."""
    literals = redaction.Redactor(planted)._literals
    pattern = re.compile(b"|".join((*map(re.escape, literals), rules.ALTERNATION)))
    began = time.perf_counter()
    for at in range(0, len(data), CHUNK_BYTES):
        pattern.sub(b"[redacted]", data[at : at + CHUNK_BYTES])
    return len(data) / (time.perf_counter() - began) / 1e6


def measure() -> list[dict[str, Any]]:
    """Rows {name, value, unit, yardstick, ratio, bar, ok}."""
    planted = secrets()
    data = corpus(CORPUS_BYTES, planted)
    ours = statistics.median(megabytes_per_second(data, planted) for _ in range(ROUNDS))
    theirs = statistics.median(yardstick(data[:YARDSTICK_BYTES], planted) for _ in range(3))
    ratio = ours / theirs
    return [
        {
            "name": "redact",
            "value": round(ours, 1),
            "unit": "MB/s",
            "yardstick": round(theirs, 2),
            "ratio": round(ratio, 1),
            "bar": f">= {BAR_MB_PER_SECOND:.0f} MB/s and >= {BAR_RATIO:.0f} x stdlib re",
            "ok": ours >= BAR_MB_PER_SECOND and ratio >= BAR_RATIO,
        }
    ]


if __name__ == "__main__":
    for row in measure():
        print(row)
