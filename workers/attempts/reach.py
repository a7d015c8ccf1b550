"""What a contained attempt reaches beyond its own loopback: its model's API, and the hosts its policy lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from shared import instance
from shared.config import Config
from shared.network import hosts
from shared.network.hosts import Listed
from shared.policy import NetworkMode, Policy
from shared.policy.report import Line
from workers.attempts import proxying, sandbox
from workers.attempts.sandbox.bounds import Network
from workers.runners import Runner
from workers.shim.landlock import TCP_SINCE

PROXY_PORT = 3128
#: Each is two sockets that are handed from one process to another in one message.
MAX_FORWARDS = 60
PORTS = {"http": 80, "https": 443}
OWN_LOOPBACK = "localhost,127.0.0.1,::1"
#: These names of the host's loopback the agent reaches under the same name; others only through the proxy.
FORWARDED = frozenset(OWN_LOOPBACK.split(","))


@dataclass(frozen=True)
class Reach:
    """`shared`: the agent has the host's network. `launch` is the shim's part, None where no proxy is needed;
    `environment` leads programs to it. `line` is what the policy's report says, None for the table's own words.
    `ports` are the only ones it may connect to where nothing but ports can be told apart.
    """

    shared: bool = False
    launch: Mapping[str, Any] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    line: Line | None = None
    ports: tuple[int, ...] = ()

    @property
    def network(self) -> Network:
        """As the bounds of a contained command name it."""
        if self.shared:
            return "shared"
        return "own" if self.launch is None else "proxied"


def is_separable(runner: Runner, tier: sandbox.Tier) -> bool:
    """Whether its agents can be given a network of their own here: it says where its model is, and we get in there."""
    return hasattr(runner, "model_urls") and tier.name == "bubblewrap" and proxying.problem() is None


def of(
    policy: Policy,
    tier: sandbox.Tier,
    config: Config,
    *,
    hosted: bool = False,
    model_urls: Sequence[str] | None = None,
) -> Reach:
    """What a command in this tier is given. `model_urls` is None for a runner that does not say where its model is: a
    hosted one then needs the host's network.
    """
    if policy.network is NetworkMode.ENABLED or not (policy.contained and tier.works):
        return Reach(shared=True)
    if hosted and model_urls is None:
        return Reach(shared=True)
    model = list(dict.fromkeys(filter(None, map(_endpoint, model_urls or ()))))
    listed = hosts.parsed(policy.network_hosts)
    ours = _our_ports(config)
    local = [entry for entry in listed if hosts.is_loopback(entry[0])]
    usable = [entry for entry in local if policy.network is NetworkMode.LOCALHOST and entry[1] not in ours]
    if tier.name == "landlock":
        return _by_ports(tier, [*model, *usable, *(entry for entry in listed if entry not in local)], hosted)
    if (hosted or policy.network_hosts) and (problem := proxying.problem()):
        return _without_a_proxy(problem, hosted)
    forwards = [(host, port) for host, port in dict.fromkeys((*model, *usable)) if port and host in FORWARDED]
    listed = [entry for entry in listed if entry not in local or entry in usable]
    if not listed and not model:
        return Reach(line=("enforced", "The agent has a network of its own, with nothing else in it."))
    forwards = list({port: (host, port) for host, port in reversed(forwards)}.values())[:MAX_FORWARDS]
    port = next(port for port in range(PROXY_PORT, 65535) if port not in {taken for _, taken in forwards})
    launch = {"port": port, "listed": listed, "model": model, "forwards": forwards, "ours": ours}
    line: Line = ("enforced", _sentence(model, listed, [entry for entry in local if entry not in usable]))
    return Reach(False, launch, _environment(port), line)


def _by_ports(tier: sandbox.Tier, entries: Sequence[Listed], hosted: bool) -> Reach:
    """Landlock tells ports apart, not hosts, and only of TCP; before it knew them, hosted agents share the network."""
    ports = {port for _, port in entries if port} | {
        port for _, known in entries if known is None for port in hosts.WEB_PORTS
    }
    if tier.landlock < TCP_SINCE or not ports:
        return Reach(shared=hosted)
    named = ", ".join(map(str, sorted(ports)))
    said = f"Of TCP it and its tools reach only the ports {named}, but on any host; of UDP everything."
    return Reach(line=("advisory", said), ports=tuple(sorted(ports)))


def _without_a_proxy(problem: str, hosted: bool) -> Reach:
    if hosted:
        said = f"This agent must reach its model's API, and its tools share that network: {problem}"
        return Reach(shared=True, line=("advisory", said))
    return Reach(line=("enforced", f"It reaches nothing, also not the hosts that are listed: {problem}"))


def _sentence(model: Sequence[Listed], listed: Sequence[Listed], shut: Sequence[Listed]) -> str:
    """What it reaches, for the person."""
    parts = [f"{_names(model)} (its model)"] if model else []
    parts += [_names(listed)] if listed else []
    said = f"Through our proxy it reaches {' and '.join(parts)}; nothing else."
    return f"{said} Not reachable: {_names(shut)}." if shut else said


def _names(entries: Sequence[Listed]) -> str:
    return ", ".join(map(hosts.written, entries))


def _environment(port: int) -> dict[str, str]:
    """Upper and lower case, as programs disagree; HTTP's proxy for all, as many cannot speak SOCKS."""
    address = f"http://127.0.0.1:{port}"
    named = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), address) | {"NO_PROXY": OWN_LOOPBACK}
    lower = {name.lower(): value for name, value in named.items()}
    return {**named, **lower, "NODE_USE_ENV_PROXY": "1"}


def _endpoint(url: str) -> tuple[str, int] | None:
    """The host and port of an address; None for what is none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    name = hosts.normal(parts.hostname or "")
    return (name, port) if name and port else None


def _our_ports(config: Config) -> list[int]:
    """Ports of this host that no entry opens: the web server's, and the broker's."""
    served = urlsplit(instance.running_at(config) or config.url)
    broker = urlsplit(config.broker)
    found = {config.port, served.port, broker.port or 6379 if broker.scheme.startswith("redis") else None}
    return sorted(filter(None, found))
