"""Tasks for one goal begin at one commit, whatever the repository does between their starts."""

from __future__ import annotations

from shared import groups
from shared.creation import NewTask
from shared.store.models import Task
from tests.integration.landing.conftest import Landing


def _group(site: Landing, **fields: str) -> list[Task]:
    wanted = NewTask("Try", "", "shell", command="true", workspace=str(site.folder), **fields)
    return groups.create([wanted] * 2, site.folder)


def test_every_task_of_a_group_begins_where_the_first_did(site: Landing) -> None:
    began = site.sh("git rev-parse HEAD").strip()
    first, second = _group(site)
    assert site.again(first, "echo 1 > one").base_commit == began
    site.sh("git commit -q --allow-empty -m moved")
    assert site.again(second, "echo 2 > two").base_commit == began
    assert groups.get(str(first.group_id)).base_commit == began
    assert site.task("true").base_commit == site.sh("git rev-parse HEAD").strip()


def test_a_group_on_a_branch_begins_at_its_tip(site: Landing) -> None:
    site.sh("git branch side; git commit -q --allow-empty -m moved")
    tip = site.sh("git rev-parse side").strip()
    first, second = _group(site, base_ref="side")
    assert [site.again(task, "true").base_commit for task in (first, second)] == [tip, tip]


def test_in_a_repository_without_a_commit_each_begins_empty(site: Landing) -> None:
    site.sh("rm -rf .git; git init -q -b main")
    first, second = (site.again(task, "true") for task in _group(site))
    assert first.base_commit == second.base_commit
