"""Finds secrets in what is about to land: known values in every form, and shapes that are hardly ever anything else.

Stricter than masking: a false find blocks a landing. So no `password=…`, no credentials in URLs, no bearer headers
and no JSON web tokens, which examples and tests are full of, and no line that only names a private key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import re2

from shared.secrets import forms, rules
from shared.secrets.forms import check_secret

_NOT_BLOCKING = ("json-web-token", "anthropic-key", "slack-token")
#: By the word that a finding names.
RULES: Mapping[str, bytes] = {
    **{name: rule for name, rule in rules.TOKENS.items() if name not in _NOT_BLOCKING},
    "anthropic-key": rb"\bsk-ant-[A-Za-z0-9_-]{20,}",
    "slack-token": rb"xox[abeoprs]-[A-Za-z0-9-]{20,}|xapp-[0-9]-[A-Za-z0-9-]{20,}",
    "private-key": rules.PEM + rb"(?:\\+[nr]|\s*$)",
}
_HEAD_BYTES = 16
_ESCAPE = re.compile(rb"\\([abtnvfr\"\\]|[0-7]{3})")
_MEANT = {
    **{b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"},
    **{b'"': b'"', b"\\": b"\\"},
}
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True, order=True)
class Finding:
    """Where a secret stands: `line` is 0 for a file's name; `rule` never holds the value."""

    path: str
    line: int
    rule: str

    def told(self) -> str:
        """Where and what, in a few words."""
        what = self.rule if " " in self.rule else f"what looks like a {self.rule.replace('-', ' ')}"
        return f"line {self.line}: {what}" if self.line else what


class Scanner:
    """Looks for the `known` values, by name, and for the shapes of RULES."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._forms = {
            form: name
            for name, value in known.items()
            for form in forms.of(frozenset((check_secret(name, value),)))
        }
        self._longest_first = sorted(self._forms, key=len, reverse=True)
        heads = (re2.escape(form[:_HEAD_BYTES]) for form in self._forms)
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        options.max_mem = (8 << 20) + (len(self._forms) << 14)
        self._any = re2.compile(b"|".join((*RULES.values(), rules.PEM, *heads)), options)
        self._rules = {name: re.compile(rule) for name, rule in RULES.items()}

    def rules_in(self, text: bytes) -> Iterator[str]:
        """What stands in a text, by the names of rules and of known values."""
        if not self._any.search(text):
            return
        for name in dict.fromkeys(self._forms[form] for form in self._longest_first if form in text):
            yield f"the value of {name}"
        for name, rule in self._rules.items():
            if rule.search(text):
                yield name

    def findings(self, patch: bytes) -> Iterator[Finding]:
        """What the added lines of a patch, and the names of its files, hold."""
        if not self._any.search(patch):
            return
        for path, line, text in added(patch):
            for rule in self.rules_in(text):
                yield Finding(path, line, rule)


def added(patch: bytes) -> Iterator[tuple[str, int, bytes]]:
    """(path, line number, text) of every added line of a `git diff`, and (path, 0, name) of every new name."""
    path, line, old_left, new_left = b"", 0, 0, 0
    for row in patch.split(b"\n"):
        if old_left > 0 or new_left > 0:
            kind = row[:1]
            if kind == b"+":
                yield path.decode("utf-8", "replace"), line, row[1:]
            if kind in (b"+", b" "):
                line, new_left = line + 1, new_left - 1
            if kind in (b"-", b" "):
                old_left -= 1
        elif row.startswith(b"diff --git "):
            place = max(row.rfind(b" b/"), row.rfind(b' "b/'))  # both names are the same, but for a rename
            path = _name(row[place + 1 :]).removeprefix(b"b/")
        elif row.startswith((b"+++ b/", b'+++ "b/')):
            path = _name(row.removeprefix(b"+++ ")).removeprefix(b"b/")
        elif row.startswith((b"new file mode ", b"rename to ", b"copy to ")):
            path = path if row.startswith(b"new") else _name(row.partition(b" to ")[2])
            yield path.decode("utf-8", "replace"), 0, path
        elif hunk := _HUNK.match(row):
            old_left = int(hunk[1] or 1)
            line, new_left = int(hunk[2]), int(hunk[3] or 1)


def _name(raw: bytes) -> bytes:
    """A name as a patch has it: in quotes and with escapes where it holds a quote, a tab or a line's end."""
    if not raw.startswith(b'"'):
        return raw.rstrip(b"\t")
    spelled = raw.rstrip(b"\t")[1:-1]
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1]) or bytes((int(found[1], 8) & 255,)), spelled)
