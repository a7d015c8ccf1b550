"""The shapes of secrets: token prefixes, credentials in text, and where in a match the value lies."""

from __future__ import annotations

import binascii
import functools
import re
import sys
from collections.abc import Iterator, Mapping

# Tokens that identify themselves, by the word a finding names them with. `\b` keeps "task-…" from being read as "sk-…".
TOKENS: Mapping[str, bytes] = {
    "openruntime-token": rb"\bor_(?:owner|token)_[A-Za-z0-9_-]{20,}",
    "github-token": rb"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,}",
    "gitlab-token": rb"gl(?:pat|dt|rt|cbt|ptt|soat)-[A-Za-z0-9_-]{16,}",
    "aws-access-key": rb"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "slack-token": rb"xox[abeoprs]-[A-Za-z0-9-]{8,}|xapp-[0-9]-[A-Za-z0-9-]{10,}",
    "slack-webhook": rb"hooks\.slack\.com/services/[A-Za-z0-9_/]{20,}",
    "anthropic-key": rb"\bsk-ant-[A-Za-z0-9_-]{4,}",
    "openai-key": rb"\bsk-(?:proj|svcacct|admin|or|lf)-[A-Za-z0-9_-]{16,}|\bsk-[A-Za-z0-9]{20,}",
    "stripe-key": rb"\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}",
    "google-key": rb"AIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}",
    "npm-token": rb"\bnpm_[A-Za-z0-9]{36}",
    "pypi-token": rb"\bpypi-[A-Za-z0-9_-]{32,}",
    "huggingface-token": rb"\bhf_[A-Za-z0-9]{30,}",
    "sendgrid-key": rb"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "digitalocean-token": rb"\bdo[opr]_v1_[a-f0-9]{64}",
    "shopify-token": rb"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    "vault-token": rb"\bhv[sbr]\.[A-Za-z0-9_-]{24,}",
    "docker-token": rb"\bdckr_pat_[A-Za-z0-9_-]{20,}",
    "grafana-token": rb"\bgl(?:c|sa)_[A-Za-z0-9_=+/-]{32,}",
    "age-key": rb"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    "json-web-token": rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+",
}
KEY = (
    rb"(?:passw(?:or)?d|passphrase|secret|token|credential"
    rb"|(?:api|access|secret|private|account|shared|signing|encryption|master)[_ -]?key(?:[_-]?id)?"
    rb"|[_-](?:pass|pwd))"
)
# The head of a named value: key, quote that ends a quoted key, separator, string prefix, opening quote.
_QUOTE = rb"\\*[\"']"
_HEAD = KEY + rb"(?:" + _QUOTE + rb")?[ \t]*(?:=>|:=|:|=)[ \t]*(?:[bruf]{0,2}" + _QUOTE + rb")?"
_AUTHORIZATION = rb"authorization(?:" + _QUOTE + rb")?[ \t]*[:=][ \t]*(?:" + _QUOTE + rb")?"
PEM = rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----"
URL = rb"://[^\s/:@\"'\\<>]*:[^\s/@\"'\\<>]+@"
SCHEME = rb"(?i:bearer|basic)[ \t]+[A-Za-z0-9._~+/-]{8,}=*"

# One alternation for the linear-time engine. A named value is only found here; `value_span` measures it.
ALTERNATION = b"|".join(
    (*TOKENS.values(), PEM, URL, rb"(?i:" + _HEAD + rb")", rb"(?i:" + _AUTHORIZATION + rb")", SCHEME)
)


class _Pattern:
    """A pattern that is compiled when it is first used: text without secrets needs none, and all cost 3 ms."""

    def __init__(self, source: bytes) -> None:
        self._source = source

    @functools.cached_property
    def _compiled(self) -> re.Pattern[bytes]:
        return re.compile(self._source)

    def match(self, text: bytes, start: int = 0, end: int = sys.maxsize) -> re.Match[bytes] | None:
        return self._compiled.match(text, start, end)

    def search(self, text: bytes, start: int = 0) -> re.Match[bytes] | None:
        return self._compiled.search(text, start)

    def finditer(self, text: bytes, start: int = 0) -> Iterator[re.Match[bytes]]:
        return self._compiled.finditer(text, start)


_head = _Pattern(
    rb"(?i)(?P<key>" + KEY + rb")(?P<closing>" + _QUOTE + rb")?(?P<sep>[ \t]*(?:=>|:=|:|=)[ \t]*)"
    rb"(?:[bruf]{0,2}(?P<slashes>\\*)(?P<quote>[\"']))?"
)
_authorization = _Pattern(
    rb"(?i)authorization(?P<closing>" + _QUOTE + rb")?[ \t]*[:=][ \t]*(?:(?P<slashes>\\*)(?P<quote>[\"']))?"
)
_call = _Pattern(rb"[A-Za-z_][\w.]*\(|[bruf]{1,2}$")
_known_scheme = _Pattern(
    rb"(?i)(?:basic|bearer|token|digest|negotiate|apikey|ntlm|hawk|aws4-hmac-sha256)[ \t]+"
)
_header_value = _Pattern(rb"[^\"'\\\r\n]+")
_scheme = _Pattern(rb"(?i)(bearer|basic)[ \t]+")
# A bare key right before a quote may be the end of a JSON string, `["TOKEN="]`: so it goes on then.
_behind_a_string = _Pattern(rb"[ \t]*(?:[,:;\]})]|$)|[ \t]+[~+%]")
_quotes = _Pattern(rb"\\*[\"']|[\r\n]")
# Stops where a shell, a URL or a JSON string would; an escape other than of white space belongs to the value.
_bare = _Pattern(rb"(?:[^\s\"'`\\,;&<>(){}\[\]|]|\\[^nrtu\"'\s])+")
_reference = _Pattern(rb"\xe2\x80\xa6|\$(?:[A-Za-z_{(]|$)|%[sdv]|//|\{\{|<|[*.]+$|\.\.\.")
_dotted_name = _Pattern(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$")
_called = _Pattern(rb"[(\[]|[ \t]+\+[ \t]")  # what goes on like this is an expression
_type_name = _Pattern(rb"[A-Z][A-Za-z]*$")
_annotated = _Pattern(rb"[ \t]*(?:\|[ \t]*None\b|=[ \t])")
_PLAIN_WORDS = frozenset(
    b"none null nil true false undefined str string int integer number bool boolean bytes any object optional "
    b"required self cls char void auto const "
    b"a an the it its is are was this that to of for if see use no not and or what which who when where one each "
    b"every all your my our their with without from in on by as".split()
)
LONGEST_JUDGED_BYTES = 256  # a longer bare value is masked unjudged, which keeps rescanning linear

_pem_line = _Pattern(
    rb"(?P<lead>[ \t+>|]*(?:\d+[ \t:|-]+)?)(?P<body>(?:[A-Za-z0-9+/=]+|(?:Proc-Type|DEK-Info|Version|Comment|Hash): .*)?)"
    rb"[ \t]*$"
)
# The same within one line, as JSON and YAML write it.
_pem_escaped = _Pattern(rb"(?:[A-Za-z0-9+/=]+|\\+[nr]|(?:Proc-Type|DEK-Info): [A-Za-z0-9,-]+)*")
_line_end = _Pattern(rb"[\r\n]")


def value_span(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Where the value lies that the match `text[start:end]` announces; an empty span when it is none."""
    if text[start : start + 3] == b"://":
        return text.index(b":", start + 3) + 1, end - 1
    named = _head.match(text, start)
    if named and named.end() >= end:
        return _named_value(text, named)
    header = _authorization.match(text, start)
    if header:
        return _header(text, header)
    scheme = _scheme.match(text, start)
    if scheme:
        return (
            (scheme.end(), end) if _is_credential(scheme[1].lower(), text[scheme.end() : end]) else (end, end)
        )
    return start, end


def pem_spans(text: bytes, at: int, *, heading: bool) -> tuple[list[tuple[int, int]], int, bool]:
    """The key material from `at` on: just behind a BEGIN line's dashes (`heading`), or the start of a later line.

    Returns its spans, where it ends, and whether it is still open at the end of the text. It ends at the END
    line, or at the first line that cannot be key material.
    """
    spans: list[tuple[int, int]] = []
    if heading and (run := _pem_escaped.match(text, at)):
        spans.append(run.span())
        at = run.end()
        if text[at : at + 1] not in (b"", b"\r", b"\n", b" ", b"\t"):
            return spans, at, False
    while at < len(text):
        found = _line_end.search(text, at)
        stop = found.start() if found else len(text)
        line = _pem_line.match(text, at, stop)
        if not line:
            return spans, at, False
        spans.append(line.span("body"))
        at = stop + 1
    return spans, len(text), True


def _named_value(text: bytes, head: re.Match[bytes]) -> tuple[int, int]:
    at = head.end()
    if head["quote"]:
        if not head["closing"] and _behind_a_string.match(text, at):
            return at, at
        stop = _closing_quote(text, at, head["quote"], len(head["slashes"]))
        value = text[at : min(stop, at + LONGEST_JUDGED_BYTES)]
        return (at, at) if _reference.match(value) else (at, stop)
    if head["closing"]:
        return (
            at,
            at,
        )  # a quoted key with a bare value: a number or a nested object, and masking would break it
    found = _bare.match(text, at)
    if not found or text[at : at + 1] in (b":", b"="):
        return at, at
    value = found[0]
    if len(value) > LONGEST_JUDGED_BYTES:
        return found.span()
    spaced = head["sep"][-1:] in (b" ", b"\t")
    is_code = _called.match(text, found.end()) or (spaced and _dotted_name.match(value))
    is_code = is_code or (spaced and _type_name.match(value) and _annotated.match(text, found.end()))
    if is_code or value.lower() in _PLAIN_WORDS or _reference.match(value):
        return at, at
    return found.span()


def _closing_quote(text: bytes, at: int, quote: bytes, slashes: int) -> int:
    """Where a string opened with `slashes` backslashes before its quote ends, however deep in JSON it is."""
    for found in _quotes.finditer(text, at):
        run = found[0]
        if run in (b"\r", b"\n"):
            return found.start()
        escapes = len(run) - 1
        if run[-1:] == b'"' and escapes < slashes:
            return found.start()  # the end of the JSON string around it
        if run[-1:] == quote and escapes % (2 * (slashes + 1)) == slashes:
            return found.end() - 1 - slashes
    return len(text)


def _header(text: bytes, head: re.Match[bytes]) -> tuple[int, int]:
    at = head.end()
    if head["closing"] and not head["quote"]:
        return at, at
    scheme = _known_scheme.match(text, at)
    at = scheme.end() if scheme else at
    if _reference.match(text, at):
        return at, at  # `Bearer $TOKEN` in a command
    if head["quote"]:
        return at, _closing_quote(text, at, head["quote"], len(head["slashes"]))
    value = _header_value.match(text, at)
    if not value or value[0].startswith((b"[", b"{")) or _call.match(value[0]):
        return at, at
    return at, at + len(value[0].rstrip())


def _is_credential(scheme: bytes, value: bytes) -> bool:
    """Tell `Bearer 8f3a…` and `Basic dXNlcjpw` from "bearer instruments" and "basic understanding"."""
    if scheme == b"bearer":
        return len(value) >= 16 and any(48 <= byte <= 57 for byte in value)
    try:
        return b":" in binascii.a2b_base64(value)
    except binascii.Error:
        return False
