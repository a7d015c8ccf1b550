"""What a worker resolves for an attempt by name, and what it masks."""

from __future__ import annotations

import pytest

from shared.errors import NotReady
from shared.secrets import kept
from workers.attempts import granting

OWN = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "GRANTED": "from-the-worker",
    "BOTH": "from-the-worker",
    "SHORT": "12345",
    "OTHER_API_KEY": "0123456789abcdef",
    "CI_TOKEN": "disabled",
    "OPENRUNTIME_DATA": "/data/directory",
    "LD_PRELOAD": "/evil.so",
}
KEPT = {"KEPT": "from-the-kept", "BOTH": "from-the-kept", "LD_PRELOAD": "/kept.so"}


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "values", lambda: KEPT)


def test_a_kept_secret_comes_before_the_workers_variable() -> None:
    assert granting.resolve(["KEPT", "GRANTED", "BOTH"], OWN) == {
        "KEPT": "from-the-kept",
        "GRANTED": "from-the-worker",
        "BOTH": "from-the-kept",
    }


@pytest.mark.parametrize("name", ["MISSING", "SHORT", "OPENRUNTIME_DATA", "LD_PRELOAD"])
def test_what_cannot_be_granted_is_refused_by_name(name: str) -> None:
    with pytest.raises(NotReady, match=f"granted {name}, which"):
        granting.resolve(["KEPT", name], OWN)


def test_what_every_agent_has_is_no_secret() -> None:
    assert granting.resolve(["HOME", "PATH", "LC_ALL"], OWN) == {}


def test_a_worker_tells_names_only_of_what_it_could_grant() -> None:
    assert granting.variables(OWN) == ["BOTH", "CI_TOKEN", "GRANTED", "HOME", "OTHER_API_KEY", "PATH"]


def test_everything_kept_or_granted_and_the_workers_credentials_are_masked() -> None:
    masked = granting.to_mask({**OWN, "KEPT_TOKEN": "\udcff0123456789abcdef"}, {"BOTH": "from-the-worker"})
    assert masked == {
        **KEPT,
        "the worker's BOTH": "from-the-worker",
        "the worker's OTHER_API_KEY": "0123456789abcdef",
        "the worker's KEPT_TOKEN": "\udcff0123456789abcdef",
    }
