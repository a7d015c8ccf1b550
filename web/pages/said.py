"""What was said of a change, as its page tells it: how much of it is open, and message by message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from shared.review.comments import State
from web.pages import words
from web.quoting import Shown

#: Of a comment's text, in the list of all.
GIST_CHARACTERS = 90


def counted(comments: Iterable[Shown]) -> str:
    """`2 drafts, 3 open, 5 addressed`; empty where nothing was said."""
    found = Counter(one.state for one in comments)
    told = [words.plural(found[State.DRAFT], "draft")] if found[State.DRAFT] else []
    names = {State.SENT: "open", State.ADDRESSED: "addressed", State.OUTDATED: "outdated"}
    return ", ".join([*told, *(f"{found[state]} {name}" for state, name in names.items() if found[state])])


def unanswered(comments: Iterable[Shown]) -> str:
    """What a person should know before the work lands: comments that were sent and are open, and drafts."""
    found = Counter(one.state for one in comments)
    told = []
    if count := found[State.SENT]:
        told.append(
            f"{words.plural(count, 'comment')} to the agent {'is' if count == 1 else 'are'} still open."
        )
    if count := found[State.DRAFT]:
        told.append(f"{words.plural(count, 'draft')} {'was' if count == 1 else 'were'} not sent.")
    return " ".join(told)


@dataclass(frozen=True)
class Message:
    """Comments that were sent as one message, None for drafts, as they stand now."""

    sent_at: datetime | None
    comments: Sequence[Shown]

    @property
    def counts(self) -> str:
        return counted(self.comments)


def messages(comments: Iterable[Shown]) -> list[Message]:
    """Drafts first, then the messages to the agent, the last one first."""

    def sent(one: Shown) -> datetime | None:
        at: datetime | None = one.comment.sent_at
        return at

    known = list(comments)
    drafts = [one for one in known if sent(one) is None]
    rest = sorted(
        (one for one in known if sent(one) is not None), key=lambda one: str(sent(one)), reverse=True
    )
    found = [Message(at, list(group)) for at, group in groupby(rest, key=sent)]
    return [Message(None, drafts), *found] if drafts else found


def is_settled(one: Shown) -> bool:
    """Whether nobody waits for anything any more."""
    return one.state in (State.ADDRESSED, State.OUTDATED)


def gist(one: Shown) -> str:
    """How a comment begins."""
    text = " ".join(str(one.comment.body).split())
    return text if len(text) <= GIST_CHARACTERS else text[:GIST_CHARACTERS].rstrip() + "…"
