"""Which names and origins are ours: a page elsewhere may reach this port, but not under one of our names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.config import Config, is_loopback
from shared.errors import BadRequest, Forbidden, Misdirected

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - never a name to answer to
DEFAULT_PORT = 80
#: `name`, `a.b`, `1.2.3.4` or `[v6]`, with or without a port; no user, comma, space or path.
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
ABSOLUTE = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Names:
    """The hosts this server answers to, and the origins it trusts."""

    hosts: frozenset[str]
    own_origins: frozenset[str]
    cors_origins: frozenset[str]

    def require_host(self, host: str | None, target: str) -> str:
        """The request's host. Raises BadRequest for a malformed one, Misdirected for another's.

        `target` is the request line's target: in absolute form its authority must be the host itself.
        """
        if not host or not HOST.fullmatch(host):
            raise BadRequest("The request needs one well-formed Host header.")
        absolute = ABSOLUTE.match(target)
        if absolute and absolute.group(1).lower() != host.lower():
            raise BadRequest("The request's target and its Host header differ.")
        if host.lower() not in self.hosts:
            raise Misdirected("This server does not answer to that host name; see OPENRUNTIME_PUBLIC_HOSTS.")
        return host.lower()

    def require_origin(self, origin: str | None) -> None:
        """Raises Forbidden for an origin that is neither ours nor listed."""
        if origin is not None and origin not in self.own_origins and origin not in self.cors_origins:
            raise Forbidden("Requests from this origin are not allowed; see OPENRUNTIME_CORS_ORIGINS.")


def names(config: Config) -> Names:
    """Loopback names with our port, the bound address, and the public names."""
    port = config.port
    local = [f"{name}:{port}" for name in LOOPBACK]
    if not is_loopback(config.host) and config.host not in WILDCARDS:
        bound = f"[{config.host}]" if ":" in config.host else config.host
        local.append(f"{bound}:{port}")
    public = []
    for name in config.public_hosts:
        public += [name.lower()] if _has_port(name) else [name.lower(), f"{name.lower()}:{port}"]
    if port == DEFAULT_PORT:
        local += [name.rpartition(":")[0] for name in local]
    origins = {f"http://{name}" for name in [*local, *public]} | {f"https://{name}" for name in public}
    return Names(frozenset([*local, *public]), frozenset(origins), frozenset(config.cors_origins))


def _has_port(name: str) -> bool:
    return bool(re.search(r":[0-9]+$", name))
