"""How a host is listed, and which names and ports a list covers."""

from __future__ import annotations

import pytest

from shared.network.hosts import allows, normal, parse, parsed, written


@pytest.mark.parametrize(
    ("text", "as_written"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("example.com:8443", "example.com:8443"),
        ("*.Example.com:443", "*.example.com:443"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_dmarc.example.com", "_dmarc.example.com"),
        ("10.0.0.7:5432", "10.0.0.7:5432"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ("localhost:5432", "localhost:5432"),
        ("[::1]:80", "[::1]:80"),
    ],
)
def test_an_entry_is_kept_in_its_one_form(text: str, as_written: str) -> None:
    assert written(parse(text)) == as_written
    assert written(parse(as_written)) == as_written


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "*", "*.com", "*.", "*.*.example.com", "a.*.example.com", "*example.com", "https://example.com", "example.com/",
        "example.com:", "example.com:0", "example.com:65536", "example.com:http", "example.com:4 4", "user@example.com",
        "-a.example", "a-.example", "a..example", ".example.com", "a b.example", "a" * 64 + ".example", "a.example?", "a\\b",
        ".".join(["a" * 60] * 5), "127.1", "0x7f000001", "2130706433", "1.2.3.4.5", "256.1.1.1", "fe80::1%eth0", "[1.2.3.4",
        "[example.com]:80", "[::1]80", "localhost", "127.0.0.1", "::1", "*.10.0.0.1", "ex\u0000ample.com", "example.com\n.evil.com",
        "аpple..example", "\u2024.example",
    ],
)  # fmt: skip
def test_what_is_no_host_or_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"host|port|address"):
        parse(text)


LISTED = parsed(["example.com", "*.x.com", "git.corp.example:2222", "10.0.0.7:5432", "not a host"])


@pytest.mark.parametrize(
    ("name", "port", "covered"),
    [
        ("example.com", 443, True),
        ("example.com", 80, True),
        ("example.com", 22, False),
        ("example.com", 8080, False),
        ("www.example.com", 443, False),
        ("notexample.com", 443, False),
        ("example.com.evil.com", 443, False),
        ("a.x.com", 443, True),
        ("a.b.x.com", 80, True),
        ("x.com", 443, False),
        ("evilx.com", 443, False),
        ("a.x.com.evil.com", 443, False),
        ("git.corp.example", 2222, True),
        ("git.corp.example", 443, False),
        ("10.0.0.7", 5432, True),
        ("10.0.0.70", 5432, False),
        ("not a host", 443, False),
    ],
)
def test_name_and_port_must_both_be_listed(name: str, port: int, covered: bool) -> None:
    assert allows(LISTED, name, port) is covered


@pytest.mark.parametrize(
    ("name", "compared"),
    [
        ("EXAMPLE.com", "example.com"),
        ("example.com.", "example.com"),
        ("example.com..", None),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", None),
        ("0177.0.0.1", None),
        ("0x7f.0.0.1", None),
        ("2130706433", None),
        ("::FFFF:127.0.0.1", "::ffff:127.0.0.1"),
        ("fe80::1%lo", None),
        ("bücher.example", None),
        ("a b", None),
        ("", None),
    ],
)
def test_a_name_that_is_asked_for_is_compared_in_its_one_form(name: str, compared: str | None) -> None:
    found = normal(name)
    if compared and compared.startswith("::ffff"):
        assert found in (compared, "::ffff:7f00:1"), "which of the two, differs by Python"
    else:
        assert found == compared
