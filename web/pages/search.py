"""Search: words in tasks, sessions and timelines, on one page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from flask import Flask
from markupsafe import Markup

from shared import search
from shared.errors import BadRequest
from web.api.search import BESIDE, found_sessions
from web.pages import frame
from web.reading import snapshot
from web.rendering.marks import visible
from web.security import Authority, authority

PATH = "/ui/search"
SHOWN = 50


def install(app: Flask) -> None:
    app.add_url_rule(PATH, "search", page)


@authority(Authority.PAGE)
def page() -> str:
    text, cursor = frame.query("q")[: search.MOST_CHARACTERS], frame.query("cursor")
    below = int(cursor) if re.fullmatch(r"[0-9]{1,18}", cursor) else None
    if not text:
        return frame.page("search.html", q="", found=None)
    try:
        words = search.words_of(text)
    except BadRequest as error:
        return frame.page("search.html", q=text, found=None, problem=error.detail)
    with snapshot():
        found = search.events(words, SHOWN, below)
        return frame.page(
            "search.html",
            q=text,
            found=found,
            tasks=search.tasks(words, BESIDE) if below is None else [],
            sessions=found_sessions(words) if below is None else [],
            is_first=below is None,
            marked=lambda said: marked(said, words),
            inside=urlencode({"f": 1, "output": 1, "tools": 1, "q": words[0]}),
            following=urlencode({"q": text, "cursor": found.following}) if found.following else None,
        )


def marked(text: str, words: Sequence[str]) -> Markup:
    """Untrusted text with the words in it marked."""
    pieces = re.split("(" + "|".join(map(re.escape, words)) + ")", text, flags=re.IGNORECASE)
    return Markup("").join(
        Markup("<mark>{}</mark>").format(visible(piece)) if place % 2 else visible(piece)
        for place, piece in enumerate(pieces)
    )
