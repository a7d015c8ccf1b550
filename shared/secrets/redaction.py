"""Takes secrets out of text before it is stored or shown: given values in every encoding, and known shapes.

A `Redactor` works on a stream of bytes. A complete line leaves at once, unless it may begin a secret of
several lines; an unterminated tail waits until it is ended or flushed. What an agent prints reversed, split or
encrypted is not found: keeping secrets away from it is the real control.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

import re2

from shared.secrets import forms
from shared.secrets import rules as secret_rules
from shared.secrets.forms import MAX_SECRET_BYTES, MIN_SECRET_BYTES, check_secret

MASK = "[redacted]"
MAX_TAIL_BYTES = 64 << 10  # an unterminated line is not held beyond this
HOLD_BYTES = 512  # of a longer line: what may be the beginning of a token
_ENGINE_BYTES = 4 << 20  # the engine's limit for compiled rules and cached states
_ENGINE_BYTES_PER_LITERAL = 16 << 10  # measured: with less, 300 literals run it out of states and 40 x slower
_HEAD_BYTES = 16  # of a literal: what the engine looks for; the rest is compared
_BEGINNING_BYTES = 4  # of a literal: from here on a tail that ends in it is kept back by a quiet flush
_MASK = MASK.encode()
_FILL = b"["  # stands for a found literal while the rules look; no rule's value begins with it
_first_line = re.compile(rb"[^\r\n]*[\r\n]?")
_token_rest = re.compile(rb"[^\s\"'`\\,;&<>(){}\[\]|]*")
_quoted_rest = re.compile(rb"[^\"'\\\r\n]*")

__all__ = ["MASK", "MAX_SECRET_BYTES", "MIN_SECRET_BYTES", "Redactor", "check_secret", "redact"]

Span = tuple[int, int, int]  # where recognition began, then start and end of what is masked


class Redactor:
    """A stream's redactor. Feed it bytes in any pieces; what it returns may be stored.

    `secrets` maps names to values of 6 bytes to 64 KiB; a shorter or longer one raises BadRequest. `rules`
    switches the known shapes (tokens, `password=…`, keys) on. Memory: 64 KiB of an unterminated line plus the
    longest secret. `longest` is the length of the longest form. Throughput measured with 30 secrets and rules: bench/redact.py.
    """

    def __init__(self, secrets: Mapping[str, str | bytes] | None = None, *, rules: bool = True) -> None:
        values = frozenset(check_secret(name, value) for name, value in (secrets or {}).items())
        self._literals = forms.of(values)
        self._several_lines = tuple(item for item in self._literals if b"\n" in item or b"\r" in item)
        self._finder = _finder(self._literals)
        self._rules = _rules() if rules else None
        self.longest = max((len(item) for item in self._literals), default=0)
        self._tail = bytearray()
        self._shown = 0  # bytes at the start of the tail that have left already and are only looked at
        self._in_pem = False
        self._rest: re.Pattern[bytes] | None = (
            None  # what goes on with a value that was masked while unfinished
        )

    @property
    def held(self) -> int:
        """Bytes that wait for more input or a flush."""
        return len(self._tail) - self._shown

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream; returns what may leave now."""
        data = self._after_masked(data)
        if not self._tail and data[-1:] in (b"\n", b"\r") and not self._several_lines:
            return self._mask(data)
        if len(self._tail) + len(data) <= MAX_TAIL_BYTES and b"\n" not in data and b"\r" not in data:
            self._tail += data
            return b""
        text = bytes(self._tail) + data
        cut = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        cut = self._before_several_lines(text, cut)
        out = self._mask(text[:cut]) if cut else b""
        self._tail = bytearray(text[cut:])
        if len(self._tail) > MAX_TAIL_BYTES + 2 * self.longest:
            out += self._cut_long_line()
        return out

    def flush(self, *, final: bool = False) -> bytes:
        """Let the tail go, redacted: after a quiet moment, before a prompt is shown, or at the end (`final`).

        A quiet flush keeps back what may be the beginning of a given secret; a final one masks it.
        """
        text = bytes(self._tail)
        keep = self._beginning(text)
        if final:
            self._tail.clear()
            if len(text) - keep >= MIN_SECRET_BYTES:
                return self._mask(text[:keep]) + _MASK
            return self._mask(text)
        out = self._mask(text[:keep], unfinished=True)
        # A secret of which less than that has been shown is still recognised when it goes on.
        seen = min(keep, _BEGINNING_BYTES - 1) if self._literals and self._rest is None else 0
        self._tail = bytearray(text[keep - seen :])
        self._shown = seen
        return out

    def redact(self, text: str) -> str:
        """The whole of `text`, redacted; independent of the stream."""
        data = text.encode("utf-8", "surrogatepass")
        out = self.redact_bytes(data)
        if out is data:
            return text
        try:
            return out.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:  # a secret given as bytes ended inside a character
            return out.decode("utf-8", "replace")

    def redact_bytes(self, data: bytes) -> bytes:
        """The whole of `data`, redacted; the same object where nothing is masked."""
        spans, _ = self._spans(data, False)
        return _apply(data, spans) if spans else data

    def redact_lines(self, data: bytes) -> bytes:
        """The whole of `data`, redacted, with as many lines as it had: their numbers go on to hold."""
        spans, _ = self._spans(data, False)
        return _apply(data, spans, keeps_lines=True)

    def found(self, data: bytes) -> list[tuple[int, int]]:
        """(start, end) of every given secret in `data`; independent of the stream."""
        return [(start, end) for _, start, end in self._literal_spans(data)]

    def _mask(self, text: bytes, *, unfinished: bool = False) -> bytes:
        spans, self._in_pem = self._spans(text, self._in_pem)
        if unfinished and spans and spans[-1][2] == len(text) and not self._in_pem:
            self._expect_rest(text, spans[-1])
        return self._leave(text, spans)

    def _leave(self, text: bytes, spans: list[Span]) -> bytes:
        if not self._shown:
            return _apply(text, spans) if spans else text
        shown, self._shown = self._shown, max(0, self._shown - len(text))
        clipped = [(0, max(0, start - shown), end - shown) for _, start, end in spans if end > shown]
        return _apply(text[shown:], clipped)

    def _expect_rest(self, text: bytes, span: Span) -> None:
        began, start, end = span
        if text[start:end] in self._literals:
            return  # a given secret is whole
        opened = text[began:start].rstrip(b"\\")[-1:] in (b'"', b"'")
        self._rest = _quoted_rest if opened else _token_rest

    def _after_masked(self, data: bytes) -> bytes:
        """What is left of `data` behind the rest of a value whose beginning has left as a mask already."""
        if self._rest is None or not data:
            return data
        found = self._rest.match(data)
        end = found.end() if found else 0
        if end < len(data):
            self._rest = None
        return data[end:]

    def _cut_long_line(self) -> bytes:
        """Let most of an over-long unterminated line go, never through the middle of a secret."""
        text = bytes(self._tail)
        spans, in_pem = self._spans(text, self._in_pem)
        cut = len(text) - max(HOLD_BYTES, self.longest)
        for began, start, end in spans:
            if began < cut and (end > cut or end == len(text)):
                cut = min(cut, start if text[start:end] in self._literals else began)
        if len(text) - cut > MAX_TAIL_BYTES + self.longest:
            self._tail.clear()  # one value longer than is held: masked, and its rest swallowed when it comes
            return self._mask(text, unfinished=True)
        whole = [span for span in spans if span[2] <= cut]
        self._tail = bytearray(text[cut:])
        self._in_pem = in_pem and cut == len(text)
        return self._leave(text[:cut], whole)

    def _before_several_lines(self, text: bytes, cut: int) -> int:
        """`cut`, moved to before a line in which a secret that goes on behind it may have begun."""
        while cut:
            start = cut
            for literal in self._several_lines:
                at = max(0, cut - len(literal) + 1)
                first_line = _first_line.match(literal)[0]  # type: ignore[index]  # it matches anything
                while (at := text.find(first_line, at, start + len(first_line))) >= 0:
                    if text.startswith(literal, at) or literal.startswith(text[at:]):
                        start = min(start, at)
                        break
                    at += 1
            if start == cut:
                break
            cut = max(text.rfind(b"\n", 0, start), text.rfind(b"\r", 0, start)) + 1
        return cut

    def _beginning(self, text: bytes) -> int:
        """Where the text ends in the beginning of a given secret, and not inside of a whole one; else its end."""
        whole = self._literal_spans(text)
        found = len(text)
        for literal in self._literals:
            at = max(0, len(text) - len(literal) + 1)
            head = literal[:_BEGINNING_BYTES]
            while (at := text.find(head, at)) >= 0 and at < found:
                if literal.startswith(text[at:]) and not any(start < at < end for _, start, end in whole):
                    found = at
                    break
                at += 1
        return found

    def _spans(self, text: bytes, in_pem: bool) -> tuple[list[Span], bool]:
        spans = self._literal_spans(text)
        if self._rules is None:
            return spans, False
        seen = _filled(text, spans) if spans else text
        more, in_pem = _rule_spans(self._rules, seen, in_pem)
        return (_merged(spans + more) if spans and more else spans or more), in_pem

    def _literal_spans(self, text: bytes) -> list[Span]:
        spans: list[Span] = []
        if self._finder is None:
            return spans
        at = 0
        while found := self._finder.search(text, at):
            start = found.start()
            literal = next((item for item in self._literals if text.startswith(item, start)), None)
            at = start + (len(literal) if literal else 1)
            if literal:
                spans.append((start, start, at))
        return spans


def redact(text: str) -> str:
    """`text` without what looks like a secret; for text of ours that knows no particular secret."""
    return _plain().redact(text)


@functools.cache
def _plain() -> Redactor:
    return Redactor()


@functools.cache
def _rules() -> re2._Regexp:
    return re2.compile(secret_rules.ALTERNATION, _options())


@functools.lru_cache(maxsize=32)
def _finder(literals: tuple[bytes, ...]) -> re2._Regexp | None:
    """Finds the heads of the literals, the longest first; None where there is nothing to find."""
    heads = dict.fromkeys(literal[:_HEAD_BYTES] for literal in literals)
    if not heads:
        return None
    room = _ENGINE_BYTES + len(heads) * _ENGINE_BYTES_PER_LITERAL
    return re2.compile(b"|".join(re2.escape(head) for head in heads), _options(room))


def _options(room_bytes: int = _ENGINE_BYTES) -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = room_bytes
    return options


def _rule_spans(rules: re2._Regexp, text: bytes, in_pem: bool) -> tuple[list[Span], bool]:
    spans: list[Span] = []
    at = 0
    if in_pem:
        found, at, in_pem = secret_rules.pem_spans(text, 0, heading=False)
        spans += [(0, start, end) for start, end in found if start < end]
    while not in_pem and (match := rules.search(text, at)):
        began, end = match.span()
        if text.startswith(b"-----BEGIN", began):
            found, at, in_pem = secret_rules.pem_spans(text, end, heading=True)
            spans += [(began, start, stop) for start, stop in found if start < stop]
            continue
        start, stop = secret_rules.value_span(text, began, end)
        if start < stop and text[start:stop] != _MASK:
            spans.append((began, start, stop))
        at = max(stop, began + 1)
    return spans, in_pem


def _filled(text: bytes, spans: list[Span]) -> bytes:
    seen = bytearray(text)
    for _, start, end in spans:
        seen[start:end] = _FILL * (end - start)
    return bytes(seen)


def _merged(spans: list[Span]) -> list[Span]:
    spans.sort(key=lambda span: (span[1], span[2]))
    merged = [spans[0]]
    for began, start, end in spans[1:]:
        last = merged[-1]
        if start < last[2]:
            merged[-1] = (min(began, last[0]), last[1], max(end, last[2]))
        else:
            merged.append((began, start, end))
    return merged


def _apply(text: bytes, spans: list[Span], *, keeps_lines: bool = False) -> bytes:
    pieces, at = [], 0
    for _, start, end in spans:
        pieces += [text[at:start], _MASK, b"\n" * text.count(b"\n", start, end) if keeps_lines else b""]
        at = end
    pieces.append(text[at:])
    return b"".join(pieces)
