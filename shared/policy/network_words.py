"""Whether the words of a network program (curl, ssh …) name no host but certain ones, such as this machine."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from shared.network.hosts import LOOPBACK_NAME
from shared.policy.shell_words import operands, program

#: A user before a host; a variable in one could stand for any other.
USER = r"(?:[\w.~%!&*+,;=:-]*@)?"
LOCAL = r"localhost|127(?:\.\d{1,3}){3}|\[?::1\]?"
#: Long options that name another host, or a file or a program that may.
ELSEWHERE = re.compile(
    r"--(proxy|preproxy|socks|connect-to|resolve|config|execute|input-file|base|exec|sh-exec)"
)
#: curl's long options with a value that is no host; the value of any other counts as one.
CURL_VALUES = frozenset(
    "cacert cert ciphers connect-timeout cookie cookie-jar data data-ascii data-binary data-raw data-urlencode"
    " dump-header form form-string header json key limit-rate max-redirs max-time output output-dir range referer"
    " request retry retry-delay retry-max-time upload-file user user-agent write-out".split()
)


@dataclass(frozen=True)
class Client:
    """How a program's words are read.

    `valued` are the letters of options with a value, `elsewhere` those that lead to another host, `named` the long
    options with a value; `hosts` says which operands are hosts: all of them, the first, or those of `host:file`.
    """

    valued: str = ""
    elsewhere: str = ""
    named: frozenset[str] = frozenset()
    hosts: str = "all"


_NETCAT = Client("Iimopqstvw", "cexX")
CLIENTS = {
    "curl": Client("AbcCdDeEFHhmoPQrtTuUwXyYz", "xK", CURL_VALUES),
    "wget": Client("oaOtTwQPUlADIRX", "eiB"),
    "ssh": Client("bcEeIilmOpQSw", "DFJLoRW", hosts="first"),
    "sftp": Client("BbcilPRs", "DFJoS", hosts="first"),
    "scp": Client("cilPX", "DFJoS", hosts="files"),
    "nc": _NETCAT,
    "ncat": _NETCAT,
    "netcat": _NETCAT,
    "telnet": Client("beklnX", hosts="first"),
    "ftp": Client("PsT"),
}


def stays_within(words: list[str], hosts: Iterable[str]) -> bool:
    """Whether every host that one of CLIENTS is given is among `hosts`, and there is at least one.

    `localhost` is this machine by all its names; `*.example.com` is every name below that.
    """
    whole, in_file = _patterns(tuple(hosts))
    client = CLIENTS[program(words).lower()]
    if any(ELSEWHERE.match(word) or _leads_elsewhere(client, word) for word in words[1:]):
        return False
    given = operands(words, client.valued + client.elsewhere, client.named)
    if client.hosts == "files":
        remote = [word for word in given if ":" in word]
        return bool(remote) and all(in_file.fullmatch(word) for word in remote)
    named = given[:1] if client.hosts == "first" else [word for word in given if not word.isdigit()]
    return bool(named) and all(whole.fullmatch(word) for word in named)


@functools.lru_cache(64)
def _patterns(hosts: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What matches an operand that is one of the hosts, with or without an address around it; and one's file."""
    names = "|".join(_pattern(host) for host in hosts) or r"(?!)"
    one = rf"{USER}(?:{names})"
    return (
        re.compile(rf"(?:[a-z]+://)?{one}(?::\d+)?(?:[/?#].*)?", re.DOTALL),
        re.compile(rf"{one}:.*", re.DOTALL),
    )


def _pattern(host: str) -> str:
    if host == LOOPBACK_NAME:
        return LOCAL
    if host.startswith("*."):
        return rf"(?:[\w-]+\.)+{re.escape(host[2:])}"
    return rf"\[?{re.escape(host)}\]?"


def _leads_elsewhere(client: Client, word: str) -> bool:
    """Whether a cluster of letters holds an option to another host, before one that takes the rest as its value."""
    if not word.startswith("-") or word.startswith("--"):
        return False
    first = next((letter for letter in word[1:] if letter in client.valued + client.elsewhere), "")
    return bool(first) and first in client.elsewhere
