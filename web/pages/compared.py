"""Two states that are compared, as pages show them: what a worker found, or why there is nothing to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import Response, make_response
from markupsafe import Markup

from shared.errors import NotFound, Refused
from shared.review.points import Pair
from shared.store.models import Command, Comparison
from web import comparing, effects
from web.pages import captures, changes, context, frame, tables
from web.pages.captures import Changes, File
from web.pages.changes import FIRST_FILES, FIRST_LINES, Folder, Look
from web.pages.tables import Wider


@dataclass(frozen=True)
class Compared:
    """`changes` is None while a worker is still at it (`waits`), and where `problem` says why there are none."""

    pair: Pair | None = None
    changes: Changes[Comparison] | None = None
    folders: list[Folder] = field(default_factory=list)
    drawn: dict[str, Markup] = field(default_factory=dict)
    waits: bool = False
    problem: str | None = None


def of(name: Callable[[], Pair], look: Look) -> Compared:
    """What differs between the two states that `name` returns, after two seconds at most."""
    try:
        pair = name()
        row = comparing.made(pair, effects.STEER_SECONDS)
    except Refused as refused:
        return Compared(problem=refused.detail)
    if isinstance(row, Command):
        return Compared(pair, waits=True)
    found, wish = captures.changes(row, changes.wanted(look)), context.wish(row)
    return Compared(pair, found, changes.folders(found.files), _drawn(found, look, wish))


def _drawn(found: Changes[Comparison], look: Look, wish: Wider | None) -> dict[str, Markup]:
    """The tables that come with the page, by the file's key: the first ones, and the one `?path=` asks for."""
    shown: dict[str, Markup] = {}
    lines, wanted = 0, frame.query("path")
    for file in found.files:
        lines += file.added + file.removed
        is_first = len(shown) < FIRST_FILES and lines <= FIRST_LINES and file.state != "folded"
        if is_first or wanted == file.name:
            shown[file.key] = _table(found.row, file, look, wish)
    return shown


def _table(row: Comparison, file: File, look: Look, wish: Wider | None = None) -> Markup:
    """A file's changes, with the two states in its links as the request names them."""
    scope = urlencode({name: frame.query(name)[:80] for name in ("from", "to")}) + "&"
    return tables.table(row, file, split=look.split, ignore_space=look.ignore_space, wider=wish, scope=scope)


def one_file(row: Comparison | None) -> Response:
    """The table of the file that the request names by its key. Raises NotFound."""
    if row is None:
        raise NotFound("This comparison is not kept any more; look at the page again.")
    file = captures.find(row, "", frame.query("key")[:64])
    look = changes.look_asked()
    return make_response(_table(row, file, look))
