"""Two states of a task compared: by turns, by attempts, with what was reviewed; after a cleanup, after an undo."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from shared import attempts, creation, tasks
from shared.attempts import Ending
from shared.commands import CommandKind, State
from shared.lifecycle import Status
from shared.review import landings, marking, marks, points, turns
from shared.store.models import Attempt, Capture, Comparison, Task
from tests.integration.landing.conftest import WORKER, Landing
from tests.integration.repository.conftest import shell
from workers.attempts import capturing, place, turning
from workers.repository import retention


def worked(site: Landing, *scripts: str, **fields: Any) -> Task:
    """A task with one attempt for each script, its turns captured as a worker does it."""
    wanted = {"title": "Fix it", "prompt": "", "runner": "shell", "command": "true", **fields}
    task = creation.create(creation.NewTask(workspace=str(site.folder), **wanted), site.folder)
    for script in scripts:
        task = attempt(site, task, script)
    return task


def attempt(site: Landing, task: Task, script: str) -> Task:
    tasks.request_start(task)
    claimed = attempts.claim_next(WORKER, 1000)
    assert isinstance(claimed, Attempt)
    before = tasks.get(task.id)
    found = place.prepare(before, claimed, site.config)
    turns.begin(claimed, claimed.id, turning.before_attempt(before, claimed, site.config))
    shell(Path(found.root), script)
    kept = capturing.take(tasks.get(task.id), site.worktree(task), site.config, claimed.id, why="end")
    attempts.finish(claimed, Ending(Status.READY_FOR_REVIEW, capture=kept.id))
    return tasks.get(task.id)


def compared(site: Landing, task: Task, old: str, new: str, **more: str) -> Comparison:
    done = site.done(task, CommandKind.COMPARE, **{"from": old, "to": new, **more})
    return Comparison.get_by_id(done["comparison"])


def changes(site: Landing, task: Task, old: str, new: str, **more: str) -> dict[str, str]:
    return {file["path"]: file["status"] for file in compared(site, task, old, new, **more).files}


def view(task: Task, *paths: str) -> None:
    row = landings.latest_capture(task)
    assert row is not None
    for path in paths:
        marking.mark(task, row, marks.named(row.files, path), "owner")


def latest(site: Landing, task: Task) -> Capture:
    return capturing.take(task, site.worktree(task), site.config, why="capture")


def test_turns_and_attempts_are_compared_and_what_a_person_did_between_them_is_told_apart(site) -> None:
    task = worked(site, "echo 1 > one; sed -i s/two/2/ a.txt")
    shell(site.worktree(task).path, "echo mine > person")
    task = attempt(site, task, "echo 2 > two; rm one")
    assert changes(site, task, "base", "attempt-1") == {"a.txt": "modified", "one": "added"}
    assert changes(site, task, "attempt-1", "before-attempt-2") == {"person": "added"}
    assert changes(site, task, "before-attempt-2", "attempt-2") == {"one": "deleted", "two": "added"}
    assert changes(site, task, "turn", "latest") == {"one": "deleted", "two": "added"}
    assert changes(site, task, "attempt-2", "attempt-2") == {}
    whole = compared(site, task, "base", "latest")
    stored = landings.latest_capture(task)
    assert stored is not None
    assert (whole.patch, whole.files, whole.stat) == (stored.patch, stored.files, stored.stat)
    assert (whole.new_oid, whole.truncated) == (stored.tree_oid, False)


def test_the_same_comparison_is_made_once(site) -> None:
    task = worked(site, "echo 1 > one", "echo 2 > two")
    ids = {compared(site, task, old, "latest").id for old in ("turn", "attempt-1", "before-attempt-2")}
    assert len(ids) == 1


def test_since_the_review_only_what_changed_after_it_is_left(site) -> None:
    task = worked(
        site,
        "sed -i s/two/2/ a.txt; git mv sub/b.txt moved.txt; echo n > new; echo late > late; ln -s a.txt link",
    )
    assert set(changes(site, task, "review", "latest")) == {"a.txt", "moved.txt", "new", "late", "link"}
    view(task, "a.txt", "moved.txt", "new", "link")
    assert changes(site, task, "review", "latest") == {"late": "added"}
    task = attempt(site, task, "sed -i s/three/3/ a.txt; rm new; chmod +x moved.txt")
    row = compared(site, task, "review", "latest")
    assert {file["path"]: (file["status"], file["additions"]) for file in row.files} == {
        "a.txt": ("modified", 1), "late": ("added", 1), "moved.txt": ("modified", 0), "new": ("deleted", 0),
    }  # fmt: skip
    assert b"-three\n+3\n" in row.patch
    assert b"+2" not in row.patch.replace(b"++", b"")
    view(task, "a.txt", "late", "moved.txt")
    assert changes(site, task, "review", "latest") == {"new": "deleted"}
    assert changes(site, task, "base", "review") == {
        "a.txt": "modified", "late": "added", "link": "added", "moved.txt": "renamed", "new": "added",
    }  # fmt: skip


def test_a_viewed_deletion_and_a_viewed_file_in_the_place_of_a_folder_count_as_reviewed(site) -> None:
    task = worked(site, "rm a.txt; rm -r sub; echo file > sub")
    view(task, "a.txt", "sub/b.txt", "sub")
    assert changes(site, task, "review", "latest") == {}
    task = attempt(site, task, "printf 'one\\n' > a.txt")
    assert changes(site, task, "review", "latest") == {"a.txt": "added"}


def test_names_that_are_no_text_are_compared_and_reviewed(site) -> None:
    task = worked(site, r"printf x > $'\377.bin'; printf y > $'a\nb'")
    row = landings.latest_capture(task)
    assert row is not None
    for file in row.files:
        marking.mark(task, row, file, "owner")
    assert changes(site, task, "review", "latest") == {}
    task = attempt(site, task, r"printf z > $'\377.bin'")
    assert [os.fsencode(file["path"]) for file in compared(site, task, "review", "latest").files] == [
        "�.bin".encode()
    ]


def test_after_a_rebase_the_bases_of_the_two_sides_differ(site) -> None:
    task = worked(site, "echo 1 > one")
    site.sh("echo theirs > theirs; git add -A; git commit -qm theirs")
    site.done(task, CommandKind.REBASE)
    found = points.pair(tasks.get(task.id), "attempt-1", "latest")
    assert found.is_rebased
    assert changes(site, task, "attempt-1", "latest") == {"theirs": "added"}
    assert not points.pair(tasks.get(task.id), "base", "latest").is_rebased
    assert changes(site, task, "base", "latest") == {"one": "added"}


def test_what_was_viewed_before_a_rebase_is_compared_with_what_is_there_now_and_the_answer_says_so(
    site,
) -> None:
    task = worked(site, "sed -i s/one/1/ a.txt; echo x > x")
    view(task, "x")
    site.sh("echo four >> a.txt; git add -A; git commit -qm four")
    assert changes(site, task, "review", "latest") == {"a.txt": "modified"}
    view(task, "a.txt")
    assert not points.pair(tasks.get(task.id), "review", "latest").is_rebased
    site.done(task, CommandKind.REBASE)
    assert points.pair(tasks.get(task.id), "review", "latest").is_rebased
    row = compared(site, task, "review", "latest")
    assert [line for line in bytes(row.patch).splitlines() if line.startswith((b"+", b"-"))][2:] == [b"+four"]


def test_two_tasks_of_one_workspace_are_compared_also_when_one_is_cleaned_up(site) -> None:
    one, two = worked(site, "echo 1 > file"), worked(site, "echo 2 > file; echo more > more")
    assert changes(site, one, "latest", "latest", **{"with": two.id}) == {"file": "modified", "more": "added"}
    site.done(two, CommandKind.CLEANUP, force=True)
    Comparison.delete().execute()
    assert changes(site, one, "latest", "latest", **{"with": two.id}) == {"file": "modified", "more": "added"}


def test_comparisons_outlive_the_worktree_and_its_objects_and_an_undo(site) -> None:
    task = worked(site, "echo 1 > one; echo r > read", "rm one; echo 2 > two")
    view(task, "read")
    task = attempt(site, task, "echo r2 > read")
    site.done(task, CommandKind.CLEANUP, force=True)
    site.sh("git gc -q --prune=now")
    assert site.worktree_path(task) is None
    assert changes(site, task, "attempt-1", "attempt-2") == {"one": "deleted", "two": "added"}
    assert changes(site, task, "review", "latest") == {"read": "modified", "two": "added"}
    site.done(task, CommandKind.UNDO)
    site.sh("git gc -q --prune=now")
    Comparison.delete().execute()
    task = attempt(site, tasks.get(task.id), "echo 4 > four")
    assert changes(site, task, "attempt-1", "attempt-4") == {
        "four": "added", "one": "deleted", "read": "modified", "two": "added",
    }  # fmt: skip
    site.done(task, CommandKind.CLEANUP, force=True)
    site.sh("git gc -q --prune=now")
    Comparison.delete().execute()
    assert changes(site, task, "before-attempt-2", "attempt-4")["four"] == "added"


def test_states_whose_files_are_gone_are_refused_in_one_sentence(site) -> None:
    task = worked(site, "echo 1 > one", "echo 2 > two")
    site.done(task, CommandKind.CLEANUP, force=True)
    retention.prune(site.repository(), older_than_seconds=-1, standing=[task.id])
    assert changes(site, task, "attempt-1", "latest") == {"two": "added"}
    Comparison.delete().execute()
    retention.prune(site.repository(), older_than_seconds=-1)
    site.sh("git gc -q --prune=now")
    refused = site.ask(task, CommandKind.COMPARE, **{"from": "attempt-1", "to": "latest"})
    assert refused.state == State.REFUSED
    assert refused.result is not None
    assert (refused.result["status"], refused.result["detail"].count(".")) == (409, 1)
    assert landings.latest_capture(task)  # the last capture is still there to be read


def test_a_comparison_holds_no_secret(site) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    task = worked(site, "echo 1 > one", f"echo token={token} > two")
    row = compared(site, task, "attempt-1", "attempt-2")
    assert b"+token=" in row.patch
    assert token.encode() not in row.patch


@pytest.mark.parametrize("gone", [False, True])
def test_the_users_repository_gains_nothing_but_refs_of_ours(site, gone: bool) -> None:
    task = worked(site, "echo 1 > one", "echo 2 > two")
    before = site.state(), site.branches()
    if gone:
        site.done(task, CommandKind.CLEANUP, force=True)
    compared(site, task, "turn", "latest")
    kinds = site.sh("git for-each-ref --format='%(refname)' refs/openruntime | cut -d/ -f3 | sort -u")
    assert kinds.split() == (["captures", "recovery"] if gone else ["base"])
    assert site.state() == before[0]
    if not gone:
        assert site.branches() == before[1]
