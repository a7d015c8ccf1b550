"""The stream redactor: nothing leaks however the bytes are cut, and nothing but secrets changes."""

from __future__ import annotations

import base64
import itertools
import json
import time
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.secrets.redaction import MAX_TAIL_BYTES, Redactor, redact

SECRETS = {
    "PLAIN": "hunter2hunter2",
    "LONGER": "hunter2hunter2-and-more",
    "META": r"a.b*c+(d)[e]\f$^|?",
    "LINES": "first-line-of-it\nsecond-line-of-it\nthird",
    "UMLAUT": 'pä"ss/wörd&1',
}
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\nabcdEFGH+/\nQw==\n-----END RSA PRIVATE KEY-----\n"
CORPUS = (
    "start\n  indented\tline\r\nprogress 10%\rprogress 20%\r"
    "one hunter2hunter2 two hunter2hunter2-and-more\n"
    r"meta a.b*c+(d)[e]\f$^|? end" + "\n"
    "multi first-line-of-it\nsecond-line-of-it\nthird tail\nfirst-line-of-it\nother\n"
    '{"type":"x","token":"abc\\"def","n":1}\nexport DB_PASSWORD=abc123 next\n'
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz done\nurl https://u:pw@host/x\n"
    + PEM
    + "after the key\nlast line without end"
).encode()
BARE = [b"hunter2", rb"a.b*c+", b"second-line", b"abc123", b"ghp_0", b":pw@", b"MIIE", b"Qw==", b'abc\\"def']


def streamed(pieces: list[bytes], *, quiet: bool = False) -> bytes:
    redactor = Redactor(SECRETS)
    out = b""
    for piece in pieces:
        out += redactor.feed(piece)
        if quiet:
            out += redactor.flush()
    return out + redactor.flush(final=True)


def assert_no_leak(out: bytes) -> None:
    for secret in BARE:
        assert secret not in out


def test_every_two_way_split_gives_the_same_text_without_a_secret() -> None:
    whole = streamed([CORPUS])
    assert_no_leak(whole)
    for cut in range(len(CORPUS)):
        assert streamed([CORPUS[:cut], CORPUS[cut:]]) == whole, cut


def test_byte_by_byte_gives_the_same_text() -> None:
    assert streamed([bytes((byte,)) for byte in CORPUS]) == streamed([CORPUS])


@given(st.lists(st.integers(0, len(CORPUS)), max_size=8))
def test_any_split_gives_the_same_text(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(CORPUS)]
    pieces = [CORPUS[a:b] for a, b in itertools.pairwise(edges)]
    assert streamed(pieces) == streamed([CORPUS])


def test_a_pause_inside_a_given_secret_shows_at_most_its_first_three_bytes() -> None:
    text = b"say hunter2hunter2-and-more now\n"
    for cut in range(len(text)):
        out = streamed([text[:cut], text[cut:]], quiet=True)
        assert b"unter2" not in out, cut
        assert b"more" not in out, cut


def test_a_whole_secret_that_ends_as_it_begins_is_not_taken_for_a_beginning() -> None:
    redactor = Redactor({"S": "abcdefabcdef"})
    assert redactor.feed(b"x abcdefabcdef") + redactor.flush() == b"x [redacted]"
    assert redactor.feed(b"x abcdefabcdef") + redactor.flush(final=True) == b"x [redacted]"


def test_a_pause_inside_a_named_value_masks_the_rest_too() -> None:
    redactor = Redactor()
    out = redactor.feed(b"password=abc") + redactor.flush() + redactor.feed(b"def ghi\n")
    assert out == b"password=[redacted] ghi\n"


def test_everything_around_secrets_is_kept_byte_for_byte() -> None:
    assert (
        streamed([b"  a\tb  \x00\xff\xfe hunter2hunter2\r\n\r\n   \n"])
        == b"  a\tb  \x00\xff\xfe [redacted]\r\n\r\n   \n"
    )


@given(st.binary(max_size=300))
def test_bytes_without_a_secret_pass_exactly(data: bytes) -> None:
    redactor = Redactor({"S": "zq" * 20}, rules=False)
    assert redactor.feed(data) + redactor.flush(final=True) == data


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_a_complete_line_leaves_at_once_and_a_tail_waits_for_the_flush() -> None:
    redactor = Redactor({"S": "abcdefgh"})
    assert redactor.feed(b"one\ntwo") == b"one\n"
    assert redactor.held == 3
    assert redactor.flush() == b"two"
    assert redactor.held == 0


def test_a_line_that_may_begin_a_secret_of_several_lines_waits() -> None:
    redactor = Redactor({"S": "first\nsecond"})
    assert redactor.feed(b"x first\n") == b""
    assert redactor.feed(b"second y\n") == b"x [redacted] y\n"
    assert redactor.feed(b"x first\n") + redactor.feed(b"else\n") == b"x first\nelse\n"


@pytest.mark.parametrize("name", SECRETS)
def test_every_encoding_of_a_given_secret_is_masked(name: str) -> None:
    raw = SECRETS[name].encode()
    forms = [
        raw,
        urllib.parse.quote(raw, safe="").encode(),
        raw.hex().encode(),
        raw.hex().upper().encode(),
        json.dumps(SECRETS[name]).encode()[1:-1],
        json.dumps(json.dumps(SECRETS[name])).encode(),
    ]
    for form in forms:
        assert form not in streamed([b"<" + form + b">\n"])
    for shift in range(3):
        padded = b"\xff" * shift + raw + b"\xfe" * 7
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            form = encode(padded)
            out = streamed([b"<" + form + b">\n"])
            assert b"[redacted]" in out
            assert form[4:-12] not in out


def test_a_secret_that_begins_another_does_not_uncover_it() -> None:
    assert streamed([b"hunter2hunter2-and-more!\n"]) == b"[redacted]!\n"


@pytest.mark.parametrize("value", ["12345", "", b"12345"])
def test_a_secret_too_short_to_mask_is_refused_by_name_not_value(value: str | bytes) -> None:
    with pytest.raises(BadRequest, match="secret PIN has") as refused:
        Redactor({"PIN": value})
    assert "12345" not in str(refused.value)


def test_json_still_parses_and_keeps_its_shape() -> None:
    document = {
        "token": 'a"b\\c\n',
        "n": {"password": "x", "max_tokens": 4096, "token": 12, "secret": None},
        "text": 'export API_KEY=k1; echo "token: abc"\nhunter2hunter2',
        "nested": json.dumps({"client_secret": 'q"uo\\te', "ok": [1, 2]}),
    }
    for compact in (None, (",", ":")):
        out = json.loads(Redactor(SECRETS).redact(json.dumps(document, separators=compact)))
        assert out["token"] == "[redacted]"
        assert out["n"] == {"password": "[redacted]", "max_tokens": 4096, "token": 12, "secret": None}
        assert out["text"] == 'export API_KEY=[redacted]; echo "token: [redacted]"\n[redacted]'
        assert json.loads(out["nested"]) == {"client_secret": "[redacted]", "ok": [1, 2]}


@given(
    st.recursive(
        st.text(max_size=20) | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["token", "password", "a", "x-api-key", "authorization"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_still_parses(document: object) -> None:
    json.loads(redact(json.dumps(document)))
    json.loads(redact(json.dumps(json.dumps(document))))


def test_an_unterminated_line_is_bounded_exact_and_masked() -> None:
    secret = b"hunter2hunter2"
    text = (b"x" * 1000 + secret) * 300 + b"y" * 200_000
    redactor = Redactor(SECRETS)
    out = bytearray()
    for at in range(0, len(text), 777):
        out += redactor.feed(text[at : at + 777])
        assert redactor.held <= MAX_TAIL_BYTES + 1000
    out += redactor.flush(final=True)
    assert bytes(out) == text.replace(secret, b"[redacted]")


def test_a_value_longer_than_is_held_is_masked_to_its_end() -> None:
    redactor = Redactor()
    out = redactor.feed(b"token=")
    for _ in range(40):
        out += redactor.feed(b"A" * 10_000)
    out += redactor.feed(b" after\n") + redactor.flush(final=True)
    assert out == b"token=[redacted] after\n"


def test_hostile_text_costs_linear_time() -> None:
    for piece in (
        b"token=",
        b"token=$",
        b"-----BEGIN PRIVATE KEY-----",
        b'\\"token\\":\\"',
        b"sk-",
        b"://a:",
        b"eyJ",
    ):
        text = piece * (200_000 // len(piece))
        began = time.process_time()
        Redactor(SECRETS).feed(text + b"\n")
        assert time.process_time() - began < 2.0, piece


def test_a_secret_read_from_a_file_is_masked_without_its_last_newline_and_on_a_terminal() -> None:
    redactor = Redactor({"FILE": "from-a-file\n", "KEY": "one-two\nthree-four"})
    out = redactor.feed(b"<from-a-file> one-two\r\nthree-four\r\n")
    assert out == b"<[redacted]> [redacted]\r\n"
