"""What a task's programs asked the network for, on its policy page, and the hosts a person opens there."""

from __future__ import annotations

import pytest

from shared import policy, tasks, timeline
from shared.errors import Conflict
from shared.events import Category, Draft, Kind
from shared.network import host_grants
from shared.store.database import transaction
from shared.store.models import AuditEntry, Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import Api


@pytest.fixture
def task(api: Api) -> Task:
    return tasks.get(api.new()["id"])


def told(task: Task, *asked: tuple[str, int, str, int]) -> None:
    """Events as a proxy's notes become."""
    drafts = [
        Draft(Kind.LIFECYCLE, "asked", {"category": Category.POLICY, "host": host, "port": port, "verdict": verdict,
                                        "count": count, "why": ""})
        for host, port, verdict, count in asked
    ]  # fmt: skip
    with transaction():
        timeline.append(task.number, drafts)


def test_what_was_asked_for_is_summed_up_and_refused_hosts_can_be_opened(
    visitor: Visitor, task: Task
) -> None:
    told(
        task,
        ("mirror.example", 443, "refused", 1),
        ("mirror.example", 443, "refused", 2),
        ("a.example", 80, "allowed", 5),
    )
    told(task, ("", 0, "refused", 9), ("localhost", 5432, "refused", 1))
    page = visitor.get(f"/ui/tasks/{task.id}/policy").text
    assert "mirror.example:443" in page
    assert "×3" in page
    assert "×5" in page
    assert page.count("Allow<span") == 1, "neither what was reached, nor what its network mode shuts"
    assert visitor.send(f"/ui/tasks/{task.id}/hosts", {"host": "mirror.example:443"}).status_code == 303
    assert host_grants.of(task.number) == ["mirror.example:443"]
    page = visitor.get(f"/ui/tasks/{task.id}/policy").text
    assert "Opened to this task" in page
    assert "Allow<span" not in page
    assert (
        visitor.send(f"/ui/tasks/{task.id}/hosts/remove", {"host": "mirror.example:443"}).status_code == 303
    )
    assert host_grants.of(task.number) == []
    kinds = [entry.kind for entry in AuditEntry.select().order_by(AuditEntry.seq.desc()).limit(2)]
    assert kinds == ["remove-host", "grant-host"]


def test_a_host_that_is_none_is_refused_with_a_sentence(visitor: Visitor, task: Task) -> None:
    answer = visitor.send(f"/ui/tasks/{task.id}/hosts", {"host": "https://*/"})
    assert "needs" in answer.text or "is no" in answer.text or "has no port" in answer.text
    assert host_grants.of(task.number) == []


def test_granted_hosts_stand_beside_the_policy_s_and_are_bounded(task: Task) -> None:
    own = policy.Policy(network_hosts=("a.example",))
    for host in ("A.example", "b.example:8443", "b.example:8443"):
        host_grants.add(task, host)
    assert host_grants.with_granted(task, own).network_hosts == ("a.example", "b.example:8443")
    Task.update(granted_hosts=[f"h{number}.example" for number in range(100)]).execute()
    with pytest.raises(Conflict, match="100"):
        host_grants.add(task, "one.more.example")
