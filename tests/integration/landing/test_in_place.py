"""A task that works in a person's folder itself, by their consent: what it edits is seen, and can be taken back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from shared import attempts, creation, deletion, tasks
from shared.attempts import Ending
from shared.commands import CommandKind
from shared.errors import Conflict, NotReady
from shared.lifecycle import Status
from shared.review import landings
from shared.store.models import Attempt, Command, Task
from shared.task_place import TaskPlace
from tests.integration.landing.conftest import WORKER, Landing
from tests.integration.repository.conftest import shell
from tests.unit.shared.played import said
from workers import deleting
from workers.attempts import closing, place
from workers.janitor import let_go_of_the_old

CONTENT = (
    "echo a > a.txt; echo gone > gone.txt; chmod 600 a.txt; printf '.env\\ncache/\\n' > .gitignore; echo key > .env;"
    " mkdir -p cache sub; echo old > cache/c; ln -s a.txt link; mkdir embedded; cd embedded; git init -q; echo e > e"
)


@pytest.fixture
def plain(site: Landing, tmp_path: Path) -> Landing:
    folder = tmp_path / "plain"
    folder.mkdir()
    shell(folder, CONTENT)
    return Landing(site.config, folder)


def worked(plain: Landing, script: str, task: Task | None = None) -> Task:
    """A task that consented to work in place, after (one more) attempt that ran `script`."""
    if task is None:
        wanted: dict[str, Any] = {"title": "Fix", "prompt": "", "runner": "shell", "command": "true"}
        new = creation.NewTask(**wanted, workspace=str(plain.folder), options={"place": "in-place"})
        task = creation.create(new, plain.folder)
    tasks.request_start(task)
    attempt = attempts.claim_next(WORKER, 1000)
    assert isinstance(attempt, Attempt)
    found = place.prepare(tasks.get(task.id), attempt, plain.config)
    assert (found.root, found.cwd, found.worktree) == (str(plain.folder), str(plain.folder), None)
    shell(plain.folder, script)
    drafts, waits, _ = closing.capture(tasks.get(task.id), attempt, plain.config)
    assert not waits
    attempts.finish(attempt, Ending(Status.COMPLETED, drafts=drafts))
    return tasks.get(task.id)


def test_what_it_edits_is_there_at_once_and_an_undo_takes_it_back(plain) -> None:
    before = plain.state()
    task = worked(
        plain, "echo more >> a.txt; rm gone.txt; mkdir new; echo n > new/n; rm link; ln -s .env link"
    )
    assert (task.place, task.status, task.worktree_path) == (TaskPlace.IN_PLACE, Status.COMPLETED, None)
    capture = landings.latest_capture(task)
    assert sorted(file["path"] for file in capture.files) == ["a.txt", "gone.txt", "link", "new/n"]
    assert ("lifecycle", f"These edits are in {plain.folder} already; an undo takes them back") in said(task)
    shown = plain.done(task, CommandKind.UNDO_PREVIEW)
    assert (shown["clean"], sorted(shown["files"])) == (True, ["a.txt", "gone.txt", "link", "new/n"])
    plain.done(task, CommandKind.UNDO)
    assert plain.state() == before
    assert tasks.get(task.id).status == Status.COMPLETED
    with pytest.raises(AssertionError, match="nothing to undo"):
        plain.done(task, CommandKind.UNDO)


def test_one_undo_takes_back_all_attempts_and_none_what_the_person_edited_since(plain) -> None:
    before = plain.state()
    task = worked(plain, "echo one >> a.txt")
    task = worked(plain, "echo two >> a.txt; echo two > two.txt", task)
    kept = (plain.folder / "a.txt").read_text()
    (plain.folder / "a.txt").write_text("mine\n")
    problem = plain.refused(task, CommandKind.UNDO)
    assert problem["blocking"] == [{"path": "a.txt", "why": "modified"}]
    assert (plain.folder / "a.txt").read_text() == "mine\n"
    assert (plain.folder / "two.txt").exists()
    (plain.folder / "a.txt").write_text(kept)
    plain.done(task, CommandKind.UNDO)
    assert plain.state() == before


def test_what_no_snapshot_holds_is_never_taken_for_the_task_s_and_so_never_taken_away(plain) -> None:
    """Ignored before and not after, too large before and small after, a repository before and files after."""
    plain.sh(f"truncate -s {60 << 20} large; printf x > $'odd\\nname.env'; echo '*.env' >> .gitignore")
    task = worked(
        plain, "rm .gitignore; echo small > large; rm -rf embedded/.git; echo more >> .env; echo n > new"
    )
    told = " ".join(text for _, text in said(task))
    assert "large (too large for the snapshot)" in told
    assert "embedded/ (repositories of their own)" in told
    capture = landings.latest_capture(task)
    assert sorted(file["path"] for file in capture.files) == [".gitignore", "new"]
    plain.done(task, CommandKind.UNDO)
    for path in (".env", "cache/c", "large", "embedded/e", "odd\nname.env", ".gitignore"):
        assert (plain.folder / path).exists(), path
    assert not (plain.folder / "new").exists()


def test_there_is_nothing_to_merge_to_clean_up_or_to_push_and_nothing_of_the_folder_is_ever_removed(
    plain,
) -> None:
    task = worked(plain, "echo more >> a.txt")
    for kind in (CommandKind.MERGE, CommandKind.REBASE, CommandKind.CLEANUP, CommandKind.PUSH):
        with pytest.raises(Conflict, match="in place"):
            landings.request_work(task, kind, {"force": True} if kind is CommandKind.CLEANUP else {})
    before = plain.state()
    let_go_of_the_old(plain.config)
    plain.done(task, CommandKind.DELETE)
    plain.done(deletion.put_back(deletion.find(task.id)), CommandKind.UNDO_PREVIEW)  # as long as it is kept
    plain.done(task, CommandKind.DELETE)
    gone = deletion.find(task.id)
    deleting.delete(gone, Command(body={deletion.FOR_GOOD: True}), plain.config)
    assert plain.state() == before
    assert not [name for name in os.listdir(plain.config.folders) if name != ".locks"]
    assert not (plain.config.repositories / task.id).exists()


def test_consent_is_for_folders_without_git(plain, site) -> None:
    for landing, folder in ((site, site.folder), (plain, plain.folder / "embedded")):
        landing.folder = folder
        with pytest.raises(NotReady, match="in a git repository: a task works in a worktree there"):
            worked(landing, "true")


def test_two_tasks_do_not_edit_one_folder_at_once(plain) -> None:
    first = worked(plain, "true")
    tasks.request_start(first)
    with pytest.raises(NotReady, match="Another task is editing"):
        worked(plain, "true")


def test_a_folder_that_holds_our_data_or_the_person_s_keys_is_not_worked_in_in_place(
    plain, monkeypatch
) -> None:
    with pytest.raises(NotReady, match="keeps its own data"):
        worked(Landing(plain.config, plain.config.data.parent), "true")
    monkeypatch.setenv("HOME", str(plain.folder / "sub"))
    with pytest.raises(NotReady, match="holds your keys"):
        worked(plain, "true")
