"""Gates stand before a landing: their objections are shown, refuse it, and are recorded when a person overrides them."""

from __future__ import annotations

import pytest

from shared import landing_gates, landings
from shared.commands import CommandKind
from shared.landing_gates import GateKind
from shared.store.database import transaction
from shared.store.models import Task
from workers.landing import gates


def test_every_kind_of_objection_has_its_gate() -> None:
    assert set(gates.GATES) == set(GateKind)


def test_changed_configuration_is_shown_and_refuses_whatever_is_overridden(site) -> None:
    task = site.task("echo four >> a.txt")
    with transaction():
        Task.update(worktree={"tampered": True}).where(Task.id == task.id).execute()
    shown = site.done(task, CommandKind.PREVIEW)
    assert (shown["clean"], shown["conflicts"]) == (False, [])
    assert [(found["kind"], found["overridable"]) for found in shown["blocking"]] == [
        ("changed-configuration", False)
    ]
    refused = site.refused(task, CommandKind.MERGE, override=["changed-configuration"])
    assert (refused["status"], refused["slug"], refused["blocking"]) == (
        409,
        "landing-refused",
        shown["blocking"],
    )


def test_what_is_in_the_way_in_the_checkout_is_told_apart(site) -> None:
    task = site.task("echo four >> a.txt")
    site.sh("echo mine >> a.txt")
    refused = site.refused(task, CommandKind.MERGE)
    assert refused["blocking"] == [
        {"kind": "checkout", "overridable": False, "path": "a.txt", "why": "modified"}
    ]
    assert site.done(task, CommandKind.PREVIEW)["blocking"] == refused["blocking"]


@pytest.fixture
def overridable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one gate there is, as if a person might override it."""
    monkeypatch.setattr(landing_gates, "OVERRIDABLE", frozenset(GateKind))


def test_an_override_lands_and_is_recorded_with_the_landing(site, overridable: None) -> None:
    task = site.task("echo four >> a.txt")
    with transaction():
        Task.update(worktree={"tampered": True}).where(Task.id == task.id).execute()
    site.refused(task, CommandKind.MERGE)
    result = site.done(task, CommandKind.MERGE, override=["changed-configuration"])
    assert result["message"].endswith("; overridden: changed-configuration")
    landed = landings.last_landing(task)
    assert landed is not None
    assert [found["kind"] for found in landed.overridden] == ["changed-configuration"]
