"""Bodies: what is JSON, what is not, and what it answers."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import BadRequest
from tests.unit.web.conftest import Api
from web import strict_json

UNUSABLE = [
    b"", b"{", b"nope", b"{}{}", b"[1,]", b'{"a":1,"a":2}', b'{"x":{"a":1,"a":2}}', b"NaN", b'{"a":Infinity}',
    b"[-Infinity]", b"1e999", b"9" * 20, b"9" * 5000, b"\xff\xfe", b'"\xc3"', b"\xef\xbb\xbf{}",
    '{"a":1}'.encode("utf-16"), '{"a":1}'.encode("utf-32-le"), rb'"\ud800"', rb'{"\udfff":1}',
    b"[" * 65 + b"]" * 65, b"[" * 100_000, b'{"a":' * 100_000, b"'a'", b'"\x01"', b'"\xed\xa0\x80"',
]  # fmt: skip


@pytest.mark.parametrize("data", UNUSABLE, ids=range(len(UNUSABLE)))
def test_what_is_not_plain_json_is_a_bad_request(data: bytes) -> None:
    with pytest.raises(BadRequest):
        strict_json.load(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_every_json_value_is_read_as_written(value: object) -> None:
    assert strict_json.load(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_value_or_a_bad_request(data: bytes) -> None:
    with contextlib.suppress(BadRequest):
        assert json.dumps(strict_json.load(data), allow_nan=False)


JSON = {"Content-Type": "application/json"}
BODIES = [
    (b"", {}, 415),
    (b"", JSON, 400),
    (b"{", JSON, 400),
    (b"[]", JSON, 422),
    (b'"{}"', JSON, 422),
    (
        b'"{\\"title\\":\\"t\\",\\"prompt\\":\\"p\\",\\"runner\\":\\"shell\\",\\"command\\":\\"true\\"}"',
        JSON,
        422,
    ),
    (b"{}", JSON, 422),
    (b"{}", {}, 415),
    (b"{}", {"Content-Type": "text/plain"}, 415),
    (b"title=t", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    (b"{}", {"Content-Type": "application/json; charset=utf-16"}, 415),
    (b"{}", {**JSON, "Content-Encoding": "gzip"}, 415),
    (b"x" * (2 * 2**20 + 1), JSON, 413),
    (b" " * (2 * 2**20 - 2) + b"{}", JSON, 422),
]


@pytest.mark.parametrize(("data", "headers", "status"), BODIES, ids=range(len(BODIES)))
def test_a_body_is_judged_in_order_of_form_then_syntax_then_shape(
    api: Api, data: bytes, headers: dict[str, str], status: int
) -> None:
    answer = api("POST", "/tasks", data=data, headers=headers)
    assert answer.status_code == status
    assert answer.json["status"] == status


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [(b"", {}, 404), (b"", JSON, 404), (b"{}", JSON, 404), (b"{", JSON, 400), (b"x", {}, 415)],
)
def test_an_optional_body_may_be_absent_but_not_wrong(
    api: Api, data: bytes, headers: dict[str, str], status: int
) -> None:
    unknown = "/tasks/00000000-0000-4000-8000-000000000000/stop"
    assert api("POST", unknown, data=data, headers=headers).status_code == status
