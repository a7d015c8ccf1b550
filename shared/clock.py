"""Instants: aware UTC inside, RFC 3339 with `Z` outside, microseconds in the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def to_micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def rfc3339(at: datetime | None) -> str | None:
    """`2026-11-22T20:48:11.123456Z`, or None."""
    return (
        None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    )


def parse(text: str) -> datetime:
    """An RFC 3339 instant with up to nine fractional digits, as the reference system wrote them; raises ValueError."""
    head, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{head}.{rest[:digits][:6]:0<6}{rest[digits:]}"
    at = datetime.fromisoformat(text)
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside of the years 1 to 9999") from None
