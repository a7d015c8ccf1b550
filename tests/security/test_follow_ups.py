"""What comes after the first start, a reply, another attempt, runs under the policy that was frozen, in the same containment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import Installation, installed, repository

pytestmark = pytest.mark.sandbox
PROBE = "(echo x > {outside}) 2>&1; ls -A {home}; echo tried"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("follow")) as running:
        yield running


def test_a_later_attempt_is_contained_as_the_first_whatever_the_workspace_says_by_then(
    here: Installation, tmp_path: Path
) -> None:
    work, outside = repository(tmp_path / "repo"), tmp_path / "outside"
    first = here.run(PROBE.format(outside=outside, home=here.data), work, policy={})
    here.until(first)
    place = here.post("/workspaces/register", {"path": str(work)}).body
    wide = {"preset": "full-access", "tool_rules": [{"tool": "*", "action": "allow"}]}
    assert here.request("PATCH", f"/workspaces/{place['id']}", wide).status == 200
    assert here.request("PATCH", f"/tasks/{first}", {"preset": "full-access"}).status == 409
    assert here.post(f"/tasks/{first}/start").status == 200
    task = here.until(first)
    starts = here.get(f"/audit?task={first}&kind=start").body
    assert [row["detail"]["policy_hash"] for row in starts] == [task["policy_hash"]] * 2
    assert task["policy_report"]["workspace_access"][0] == "enforced"
    assert here.output(first).count("tried") == 2
    assert "token" not in here.output(first)
    assert not outside.exists()


def test_a_reply_to_a_shell_meets_the_rules_before_it_reaches_the_shell(
    here: Installation, tmp_path: Path
) -> None:
    work = repository(tmp_path / "repo")
    task = here.run("sh", work, policy={})
    refused = here.post(f"/tasks/{task}/reply", {"message": "git push origin main"})
    assert (refused.status, refused.body["slug"]) == (403, "policy-violation")
    assert refused.body["findings"][0]["rule"] == "blocked_commands"
    assert here.post(f"/tasks/{task}/reply", {"message": "echo said; exit"}).status in (200, 202)
    here.until(task)
    assert here.output(task) == ["said"]
