"""Keeps an agent's open questions as it wrote them, so that answers can be built from text nobody may store."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping

from shared.secrets.redaction import MASK

MAX_OPEN = 64
MAX_BYTES = 4 << 20
MAX_LINE_BYTES = 1 << 20
Json = object


class Unanswerable(ValueError):
    """The answer cannot be built; the message says why."""


class OpenRequests:
    """The original JSON of every unanswered question, by its id; the oldest leave when there are too many.

    `where` maps top-level keys to the value they must have, or None for "present"; `id_path` is the dotted path
    of the id; `redact` is what was done to a line before anybody saw it.
    """

    def __init__(
        self, where: Mapping[str, Json], id_path: str, redact: Callable[[bytes], str] = bytes.decode
    ) -> None:
        self._where, self._id_path, self._redact = dict(where), id_path, redact
        self._needles = [json.dumps(key).encode() for key in where]
        self._needles += [json.dumps(value).encode() for value in where.values() if isinstance(value, str)]
        self._open: OrderedDict[str, tuple[bytes, Json]] = OrderedDict()
        self._bytes = 0
        self._line = bytearray()
        self._too_long = False

    @property
    def ids(self) -> list[Json]:
        """Ids of the open questions, the oldest first."""
        return [_part(message, self._id_path) for _, message in self._open.values()]

    def feed(self, data: bytes) -> None:
        """Take the agent's next output, not redacted."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._keep(data)
            return
        block = bytes(self._line) + data[:end]
        lines = block.split(b"\n")[1:] if self._too_long else [block]
        self._line.clear()
        self._too_long = False
        block = b"\n".join(lines)
        if all(needle in block for needle in self._needles):
            for line in block.split(b"\n"):
                if len(line) <= MAX_LINE_BYTES and all(needle in line for needle in self._needles):
                    self._take(line)
        self._keep(data[end:])

    def answer(self, request_id: Json, template: Json) -> bytes:
        """The line that answers a question, which is then no longer open. Raises Unanswerable.

        In the template `{"$original": "dotted.path"}` stands for that part of the question, and
        `{"$merge": ["dotted.path", {…}]}` for the object there with keys replaced. A text of the template that is
        one of the question's as it was masked stands for the agent's own.
        """
        key = str(request_id)  # the store knows ids as text, a protocol may count them
        if key not in self._open:
            raise Unanswerable(f"There is no open request {key!r}; it was answered, withdrawn or never made.")
        asked, message = self._open[key]
        unmasked = self._unmasked(asked, message) if MASK in json.dumps(template) else {}
        line = json.dumps(_filled(template, message, unmasked)).encode() + b"\n"
        self._forget(key)
        return line

    def _unmasked(self, line: bytes, message: Json) -> dict[str, str]:
        """The question's own texts by what was shown of them; empty where its masked line cannot be read."""
        found: dict[str, set[str]] = {}
        try:
            _pair(json.loads(self._redact(line)), message, found)
        except ValueError:
            return {}
        for shown, texts in found.items():
            if len(texts) > 1:
                raise Unanswerable(f"Several texts of the request look like {shown!r} once they are masked.")
        return {shown: texts.pop() for shown, texts in found.items()}

    def _forget(self, key: str) -> None:
        self._bytes -= len(self._open.pop(key)[0])

    def _keep(self, data: bytes) -> None:
        if self._too_long or len(self._line) + len(data) > MAX_LINE_BYTES:
            self._too_long = True
            self._line.clear()
        else:
            self._line += data

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(message, dict):
            return
        for name, value in self._where.items():
            if name not in message or (value is not None and message[name] != value):
                return
        try:
            key = str(_part(message, self._id_path))
        except Unanswerable:
            return
        if key in self._open:
            self._forget(key)
        self._open[key] = (line, message)
        self._bytes += len(line)
        while len(self._open) > MAX_OPEN or self._bytes > MAX_BYTES:
            self._forget(next(iter(self._open)))


def _filled(template: Json, original: Json, unmasked: Mapping[str, str]) -> Json:
    if isinstance(template, list):
        return [_filled(item, original, unmasked) for item in template]
    if not isinstance(template, dict):
        return template
    if template.keys() == {"$original"}:
        return _part(original, template["$original"])
    if template.keys() == {"$merge"}:
        return _overridden(template["$merge"], original, unmasked)
    return {key: _filled(value, original, unmasked) for key, value in template.items()}


def _overridden(arguments: Json, original: Json, unmasked: Mapping[str, str]) -> Json:
    if not (isinstance(arguments, list) and len(arguments) == 2 and isinstance(arguments[1], dict)):
        raise Unanswerable("$merge takes a list of a dotted path and an object.")
    part = _part(original, arguments[0])
    if not isinstance(part, dict):
        raise Unanswerable(f"{arguments[0]} of the request is not an object.")
    return {**part, **{key: _restored(item, unmasked) for key, item in arguments[1].items()}}


def _restored(value: Json, unmasked: Mapping[str, str]) -> Json:
    """A person's own words: no template, but a text of the question in them is the agent's."""
    if isinstance(value, str):
        return unmasked.get(value, value)
    if isinstance(value, list):
        return [_restored(item, unmasked) for item in value]
    if isinstance(value, dict):
        return {unmasked.get(key, key): _restored(item, unmasked) for key, item in value.items()}
    return value


def _pair(shown: Json, own: Json, found: dict[str, set[str]]) -> None:
    """Collect the texts that differ between what was shown of a message and the message itself."""
    if isinstance(shown, str) and isinstance(own, str):
        if shown != own:
            found.setdefault(shown, set()).add(own)
    elif isinstance(shown, dict) and isinstance(own, dict) and len(shown) == len(own):
        for (shown_key, shown_item), (key, item) in zip(shown.items(), own.items(), strict=True):
            _pair(shown_key, key, found)
            _pair(shown_item, item, found)
    elif isinstance(shown, list) and isinstance(own, list):
        for shown_item, item in zip(shown, own, strict=False):
            _pair(shown_item, item, found)


def _part(original: Json, path: Json) -> Json:
    found = original
    for name in str(path).split(".") if path else []:
        if not isinstance(found, dict) or name not in found:
            raise Unanswerable(f"The request has no {path}.")
        found = found[name]
    return found
