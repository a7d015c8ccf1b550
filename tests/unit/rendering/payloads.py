"""What a hostile agent, file or person could write, and what must never be in a page because of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(1)">',
    "'><svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "</pre></div><style>*{display:none}</style>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1)) ![p](http://evil.invalid/p.png)",
    "{{ 7 * 7 }}{% raw %}{0}{__class__}",
    "\u202egnp.exe\u2066",
    "\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\",
    "\x1b[31mred<b>\x1b[0m\x1b[2J\x1b]0;title\x07\x9b31m",
    "\x00\x07\x08\x0b\x7f",
)
ALLOWED = frozenset(
    "div span pre p a time b code details summary h3 h2 table colgroup col thead tbody tr th td ul ol li em strong s br hr"
    " blockquote".split()
)
ATTRIBUTES = frozenset("class id href title datetime tabindex open rel start scope colspan".split())
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if name not in ATTRIBUTES and not name.startswith("data-"):
                self.wrong.append(f"{tag} {name}")
            if name == "href" and not re.match(r"(https?:|mailto:|#|/ui/)", value or ""):
                self.wrong.append(f"{tag} href={value}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def judged(html: str) -> str:
    """The text of harmless HTML; raises AssertionError for a tag, attribute, address or character it may not have."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert not reader.wrong, f"{reader.wrong} in {html}"
    assert not CONTROL.search(html), repr(html)
    text = "".join(reader.text)
    assert not BIDI.search(text), repr(text)
    return text
