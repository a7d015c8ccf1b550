"""Request bodies as JSON, without the liberties of Python's parser."""

from __future__ import annotations

import json
import math
from typing import Any

from flask import Request, current_app
from werkzeug.datastructures import ImmutableMultiDict

from shared.errors import BadRequest, TooLarge, UnsupportedMedia, WrongShape
from shared.secrets import masking

#: The largest body; a prompt may be 1 MiB, and JSON may double it.
BODY_BYTES = 2 * 1024 * 1024
DEPTH = 64
#: More than any integer of ours needs; longer ones cost quadratic time.
INTEGER_DIGITS = 19


def load(data: bytes) -> Any:
    """The value of a JSON text in UTF-8. Raises BadRequest for what is not JSON, or is ambiguous or unstorable.

    That is: duplicate keys, NaN and infinities, a byte order mark, other encodings, lone surrogates, integers
    beyond 19 digits, nesting beyond 64.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The body is not valid UTF-8.") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"Failed to parse the request body as JSON: {error.msg} at character {error.pos}."
        ) from None
    except RecursionError:
        raise BadRequest(f"The JSON is nested more than {DEPTH} levels deep.") from None
    _inspect(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadRequest(f"The key {twice[:100]!r} stands twice in one JSON object.")
    return found


def _constant(text: str) -> Any:
    raise BadRequest(f"{text} is not a JSON value.")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > INTEGER_DIGITS:
        raise BadRequest("A number in the body is too large.")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadRequest("A number in the body is too large.")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
)


def _inspect(value: Any) -> None:
    """Depth and lone surrogates, without recursion."""
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > DEPTH:
            raise BadRequest(f"The JSON is nested more than {DEPTH} levels deep.")
        if isinstance(item, str):
            _whole(item)
        elif isinstance(item, dict):
            for key in item:
                _whole(key)
            waiting += [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, list):
            waiting += [(inner, depth + 1) for inner in item]


def _whole(text: str) -> None:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise BadRequest("A string in the body holds half a character (a lone surrogate).") from None


class StrictRequest(Request):
    """A request whose JSON is read by `load`, whatever the caller asks for, and whose words hold no kept secret."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body's object. An absent body is `{}` where the endpoint says it is optional.

        Raises UnsupportedMedia without a JSON content type, BadRequest for bad JSON, WrongShape for other values.
        """
        if self.headers.get("Content-Encoding", "identity") != "identity":
            raise UnsupportedMedia("Send the body without a content encoding.")
        data = self._data()
        view = current_app.view_functions.get(self.endpoint or "")
        if not data and self.mimetype in ("", "application/json") and getattr(view, "body_optional", False):
            return {}
        if not self.is_json:
            raise UnsupportedMedia("Send JSON with the header Content-Type: application/json.")
        if self.mimetype_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise UnsupportedMedia("Send JSON in UTF-8.")
        value = load(data)
        if not isinstance(value, dict):
            raise WrongShape("The body must be a JSON object.", field="")
        return value if getattr(view, "verbatim", False) else masking.throughout(value, masking.hidden)

    def _load_form_data(self) -> None:
        """Where werkzeug fills `form` in: with the words of a form as they may be stored."""
        if "form" in self.__dict__:
            return
        super()._load_form_data()
        if not getattr(current_app.view_functions.get(self.endpoint or ""), "verbatim", False):
            said = [(name, masking.hidden(text)) for name, text in self.form.items(multi=True)]
            self.__dict__["form"] = ImmutableMultiDict(said)

    def _data(self) -> bytes:
        try:
            data = self.get_data()
        except OSError:
            raise BadRequest("The body did not arrive in full.") from None
        if len(data) > BODY_BYTES:
            raise TooLarge(f"A body may have {BODY_BYTES} bytes at most.")
        if len(data) < (self.content_length or 0):
            raise BadRequest("The body did not arrive in full.")
        return data
