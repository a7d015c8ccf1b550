"""The real programs in a network of their own: they work through our proxy, and their tools get no further."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from tests.agents import site as agents

pytestmark = [pytest.mark.agents, pytest.mark.sandbox]

CLOSED = {"blocked_commands": [], "tool_rules": [{"tool": "*", "action": "ask"}], "enforcement": "required"}


class Relay:
    """Carries a port of 127.0.0.2, which only the proxy reaches, to the model server."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.2", 0))
        self.address = f"http://127.0.0.2:{self.listener.getsockname()[1]}"
        self.target = ("127.0.0.1", 1)
        threading.Thread(target=self._serve, daemon=True).start()

    def lead_to(self, address: str) -> None:
        found = urlsplit(address)
        self.target = (str(found.hostname), int(found.port or 80))

    def _serve(self) -> None:
        while True:
            try:
                endpoint, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(endpoint,), daemon=True).start()

    def _relay(self, endpoint: socket.socket) -> None:
        with endpoint, suppress(OSError), socket.create_connection(self.target) as server:
            up = threading.Thread(target=_carry, args=(endpoint, server), daemon=True)
            up.start()
            _carry(server, endpoint)
            up.join()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for endpoint in (source, sink):
        with suppress(OSError):
            endpoint.shutdown(socket.SHUT_RDWR)


@contextmanager
def relayed() -> Iterator[Relay]:
    relay = Relay()
    with relay.listener:
        yield relay
        relay.listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module", params=["claude-code", "codex"])
def proxied(request: pytest.FixtureRequest) -> Iterator[agents.Site]:
    with relayed() as relay, agents.site(request.param, MODEL_ADDRESS=relay.address) as made:
        relay.lead_to(made.model.address)
        made.options["policy"] = CLOSED
        yield made


def test_an_agent_reaches_its_model_by_the_proxy_and_its_tools_nothing_else(proxied: agents.Site) -> None:
    """Two-way, with an approval that is answered after the worker was killed."""
    installation = proxied.installation
    ours, model = urlsplit(f"//{installation.address}").port, urlsplit(proxied.model.address).port
    tried = {
        "by the proxy": "curl -sSf -m 5 http://example.com/",
        "tunnelled": "curl -sSf -m 5 https://example.com/",
        "our API": f"curl -sSf -m 5 http://127.0.0.1:{ours}/health",
        "our API by the proxy": f"curl -sSf -m 5 --noproxy nothing http://127.0.0.1:{ours}/health",
        "a port of the host": f"curl -sSf -m 5 http://127.0.0.1:{model}/",
        "an address": "curl -sS -m 5 --noproxy '*' http://1.1.1.1/",
        "metadata": "curl -sSf -m 5 http://169.254.169.254/",
    }
    command = "; ".join(f"{line} >/dev/null 2>&1 && echo 'reached: {what}'" for what, line in tried.items())
    command = f"{command}; curl -s -m 5 http://example.com/; echo all tried > tried.txt"
    calls = {"claude-code": ("Bash", "command"), "codex": ("exec_command", "cmd")}
    tool, key = calls[proxied.runner]
    task_id = proxied.start({"call": tool, "input": {key: command}}, {"say": "All done."})
    question = proxied.asked(task_id)
    installation.kill(installation.workers[0])
    installation.start_worker()
    proxied.decide(task_id, question, "allow")
    task = proxied.ended(task_id, "ready-for-review")
    assert proxied.made(task_id, "tried.txt").read_text() == "all tried\n"
    assert proxied.said(task_id)[-1] == "All done."
    results = proxied.results(task_id)
    assert [line for line in results.splitlines() if line.startswith("reached")] == []
    assert "example.com:80 is not among the hosts this task may reach." in results, "the agent reads why"
    strength, reason = task["policy_report"]["network_mode"]
    assert strength == "enforced"
    assert "(its model)" in reason
    assert "127.0.0.2" in reason
    refused = {
        (event["metadata"]["host"], event["metadata"]["port"]): event["metadata"]["verdict"]
        for event in proxied.events(task_id, "policy")
        if event["metadata"].get("host")
    }
    assert (
        refused["example.com", 80]
        == refused["example.com", 443]
        == refused["169.254.169.254", 80]
        == "refused"
    )
    assert "allowed" not in refused.values(), "what reaches the model is no news"


def test_a_host_that_a_person_opened_is_reached_from_the_next_attempt_on(proxied: agents.Site) -> None:
    installation = proxied.installation
    with relayed() as relay:
        relay.lead_to(proxied.model.address)
        command = f"curl -s -o /dev/null -w 'answered %{{http_code}}' {relay.address}/"
        policy = {"blocked_commands": [], "network_mode": "localhost", "network_hosts": ["elsewhere.example"]}
        task = installation.create(command, proxied.repository(), policy=policy)
        installation.post(f"/tasks/{task['id']}/start")
        proxied.ended(task["id"])
        with closing(sqlite3.connect(installation.data / "openruntime.sqlite3", timeout=30)) as store, store:
            granted = json.dumps([urlsplit(relay.address).netloc])
            store.execute("UPDATE task SET granted_hosts = ? WHERE id = ?", (granted, task["id"]))
        installation.post(f"/tasks/{task['id']}/start")
        proxied.ended(task["id"], attempts=2)
        events = [event["message"] for event in proxied.events(task["id"])]
        refused, reached = [message for message in events if message.startswith("answered")]
        assert refused == "answered 403" != reached
        assert f"Reached {urlsplit(relay.address).netloc}" in events
