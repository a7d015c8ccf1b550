"""A folder without git: tasks work in copies of it, and what they made lands in it all or nothing."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared import deletion, tasks
from shared.commands import CommandKind
from shared.errors import NotReady
from shared.lifecycle import Status
from shared.store.models import Capture, Command
from shared.task_place import TaskPlace
from tests.integration.landing.conftest import Landing
from tests.integration.landing.test_comparisons import changes, worked
from tests.integration.repository.conftest import describe, shell
from tests.integration.repository.test_interrupted_landing import start
from tests.unit.shared.played import said
from workers import deleting
from workers.landing import site
from workers.repository import completion, folders, landing
from workers.repository.strategies import Recipe

CONTENT = (
    "printf 'one\\ntwo\\nthree\\n' > a.txt; mkdir -p sub 'odd names'; echo b > sub/b.txt; echo g > sub/gone.txt;"
    " printf 'crlf\\r\\n' > crlf.txt; echo '* text=auto eol=crlf' > .gitattributes; printf '#!/bin/sh\\n' > run.sh;"
    " chmod 750 run.sh; echo private > private.txt; chmod 600 private.txt; ln -s a.txt link; ln -s ../outside escape;"
    " printf x > $'odd names/new\\nline'; printf y > $'odd names/\\xff'; printf z > ':(exclude)z'; echo keep > keep.txt"
)


@pytest.fixture
def plain(site: Landing, tmp_path: Path) -> Iterator[Landing]:
    """A folder without git, with everything in it that a folder may hold."""
    folder = tmp_path / "plain"
    folder.mkdir()
    (tmp_path / "outside").write_text("not the folder's\n")
    shell(folder, CONTENT)
    yield Landing(site.config, folder)
    assert (tmp_path / "outside").read_text() == "not the folder's\n"


WORK = (
    "sed -i s/two/AGENT/ a.txt; rm -r sub/gone.txt; echo new > sub/new.txt; rm link; ln -s keep.txt link;"
    " chmod +x private.txt; echo more >> private.txt; printf changed > $'odd names/new\\nline';"
    " printf changed > $'odd names/\\xff'; printf changed > ':(exclude)z'; printf 'crlf\\r\\nmore\\r\\n' > crlf.txt"
)


def test_a_task_works_in_a_copy_and_its_work_lands_in_the_folder_and_is_undone(plain) -> None:
    before = plain.state()
    task = plain.task(WORK)
    assert plain.state() == before
    assert task.place == TaskPlace.COPY
    copied = Path(task.worktree_path)
    assert copied.is_relative_to(plain.config.worktrees)
    assert (copied / "sub/b.txt").read_text() == "b\n"
    assert os.readlink(copied / "escape") == "../outside"

    shown = plain.done(task, CommandKind.PREVIEW)
    assert (shown["clean"], shown["target_branch"], shown["checked_out_at"]) == (
        True,
        None,
        str(plain.folder),
    )
    (plain.folder / "keep.txt").write_text("the person's, meanwhile\n")
    result = plain.done(task, CommandKind.MERGE)
    assert result["message"] == f"Merged into the folder {plain.folder}"
    after = plain.state()
    assert {path for path in before | after if before.get(path) != after.get(path)} == {
        *("a.txt", "sub/gone.txt", "sub/new.txt", "link", "private.txt", "crlf.txt", "keep.txt"),
        *("odd names/new\nline", "odd names/\udcff", ":(exclude)z"),
    }
    assert (plain.folder / "a.txt").read_text() == "one\nAGENT\nthree\n"
    assert (plain.folder / "crlf.txt").read_bytes() == b"crlf\r\nmore\r\n"
    assert after["private.txt"].startswith("file 700 ")  # closed to others as it was, and executable now
    assert tasks.get(task.id).status == Status.COMPLETED

    assert plain.done(task, CommandKind.UNDO_PREVIEW)["clean"]
    assert plain.done(task, CommandKind.UNDO)["message"] == f"Undid the landing on the folder {plain.folder}"
    kept = describe(str(plain.folder / "keep.txt"))
    assert plain.state() == {**before, "keep.txt": kept}
    assert tasks.get(task.id).status == Status.READY_FOR_REVIEW
    assert plain.done(task, CommandKind.MERGE, cleanup=True)
    assert plain.state()["a.txt"] == after["a.txt"]
    assert plain.done(task, CommandKind.UNDO)["message"].count("Brought the worktree back")
    assert plain.state() == {**before, "keep.txt": kept}


IN_THE_WAY = {
    "echo mine >> a.txt": ("a.txt", "modified"),
    "rm a.txt": ("a.txt", "modified"),
    "rm a.txt; ln -s keep.txt a.txt": ("a.txt", "modified"),
    "rm a.txt; mkdir a.txt; echo x > a.txt/x": ("a.txt", "modified"),
    "echo mine > sub/new.txt": ("sub/new.txt", "untracked"),
    "mkdir sub/new.txt; echo x > sub/new.txt/x": ("sub/new.txt/x", "untracked"),
    "mv sub elsewhere; ln -s elsewhere sub": ("sub", "untracked"),
    "rm -r sub; ln -s /tmp sub": ("sub", "untracked"),
}


def test_what_the_person_changed_since_and_the_task_too_is_in_the_way_and_everything_stays(plain) -> None:
    task = plain.task(WORK)
    for mine, (path, why) in IN_THE_WAY.items():
        plain.sh("cp -a . ../kept")
        plain.sh(mine)
        before = plain.state()
        waiting = plain.done(task, CommandKind.PREVIEW)["blocking"]
        assert (waiting[0]["path"], waiting[0]["why"]) == (path, why), mine
        problem = plain.refused(task, CommandKind.MERGE)
        assert (problem["status"], problem["blocking"]) == (409, waiting)
        assert plain.state() == before
        plain.sh("find . -mindepth 1 -delete; cp -a ../kept/. .; rm -r ../kept")
    plain.done(task, CommandKind.MERGE)


def test_a_task_that_was_refused_is_brought_onto_the_folder_as_it_is_now_and_lands(plain) -> None:
    task = plain.task("sed -i s/three/AGENT/ a.txt")
    plain.sh("sed -i s/one/MINE/ a.txt")
    plain.refused(task, CommandKind.MERGE)
    result = plain.done(task, CommandKind.REBASE)
    assert "Rebased onto the-folder" in result["message"]
    plain.done(task, CommandKind.MERGE)
    assert (plain.folder / "a.txt").read_text() == "MINE\ntwo\nAGENT\n"
    plain.done(task, CommandKind.UNDO)
    assert (plain.folder / "a.txt").read_text() == "MINE\ntwo\nthree\n"


def test_two_tasks_of_one_folder_land_one_after_the_other(plain) -> None:
    first, second = plain.task("echo 1 > first.txt"), plain.task("echo 2 > second.txt; echo x >> keep.txt")
    third = plain.task("echo 3 >> keep.txt")
    plain.done(first, CommandKind.MERGE)
    plain.done(second, CommandKind.MERGE)
    assert plain.refused(third, CommandKind.MERGE)["blocking"][0]["path"] == "keep.txt"
    assert (plain.folder / "keep.txt").read_text() == "keep\nx\n"
    store = list(plain.config.folders.glob("*/*.git"))
    assert len(store) == 4  # one for each task, and one with the content of all snapshots


def test_a_landed_task_goes_on_from_the_folder_as_it_is_then(plain) -> None:
    task = plain.task("echo one >> a.txt")
    plain.done(task, CommandKind.MERGE)
    plain.sh("echo mine >> keep.txt; echo mine >> a.txt")
    task = plain.again(task, "tail -1 a.txt > seen.txt; echo two >> a.txt")
    plain.done(task, CommandKind.MERGE)
    assert (plain.folder / "seen.txt").read_text() == "mine\n"
    assert (plain.folder / "a.txt").read_text() == "one\ntwo\nthree\none\nmine\ntwo\n"
    assert Capture.select().count() == 2


def test_what_cannot_be_copied_is_named_and_stays_where_it_is(plain) -> None:
    plain.sh(
        "mkdir embedded; cd embedded; git init -q; echo x > x; cd ..; mkfifo pipe; ln a.txt hard.txt; mkdir empty"
    )
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(plain.folder / "socket"))
        before = plain.state()
        task = plain.task("echo more >> hard.txt")
    told = "\n".join(text for _, text in said(task))
    assert "embedded/ (repositories of their own)" in told
    copied = Path(task.worktree_path)
    assert not any((copied / name).exists() for name in ("embedded", "pipe", "socket"))
    plain.done(task, CommandKind.MERGE)
    after = plain.state()
    assert {path for path in before | after if before.get(path) != after.get(path)} == {"hard.txt"}


def test_a_sparse_file_counts_with_its_whole_size_and_too_large_a_folder_is_refused_before_it_is_read(
    plain, monkeypatch
) -> None:
    plain.sh("truncate -s 1T huge")
    with pytest.raises(NotReady, match=r"more than 1 GiB in its files \(the largest is huge\).* in place"):
        plain.task("true")
    assert not list(plain.config.folders.glob("*/*/objects/pack/*"))
    plain.sh("rm huge")
    monkeypatch.setattr(folders, "MAX_FILES", 3)
    with pytest.raises(NotReady, match="more than 3 files"):
        plain.task("true")


@pytest.mark.parametrize("point", ["_lock", "_back_up", "half-written", "_write_files"])
def test_a_landing_killed_anywhere_is_complete_after_the_next_call(plain, tmp_path, point) -> None:
    plain.sh("mkdir gone; echo g > gone/g.txt; chmod 640 a.txt")
    task = plain.task(
        "seq 5000 > a.txt; echo new > new.txt; mkdir -p made/deep; echo m > made/deep/m.txt; rm -r gone"
    )
    kept = plain.state()
    candidate = site.candidate(task, Command(task=task.number, kind=CommandKind.MERGE, body={}), plain.config)
    intent = landing.prepare(
        candidate.repository, candidate.capture, recipe=Recipe("apply", "Land"), target_branch=None
    )
    assert plain.state() == kept
    assert start(SimpleNamespace(root=tmp_path), intent, point).wait(60) == -signal.SIGKILL
    completion.complete(intent)
    found = plain.state()
    assert found["a.txt"].startswith("file 640 ")
    assert (plain.folder / "a.txt").read_text().count("\n") == 5000
    assert {path for path in kept | found if kept.get(path) != found.get(path)} == {
        *("a.txt", "new.txt", "made", "made/deep", "made/deep/m.txt", "gone", "gone/g.txt")
    }
    assert not list(candidate.repository.common_dir.glob("*.lock"))


def test_two_states_of_a_copy_are_compared_and_what_was_deleted_for_good_leaves_no_snapshot(plain) -> None:
    task = worked(plain, "echo first >> a.txt", "echo second > sub/new.txt")
    assert changes(plain, task, "before-attempt-2", "attempt-2") == {"sub/new.txt": "added"}
    plain.done(task, CommandKind.CLEANUP, force=True)
    assert changes(plain, task, "base", "attempt-2") == {"a.txt": "modified", "sub/new.txt": "added"}
    plain.done(task, CommandKind.DELETE)
    assert folders.find(plain.config.folders, task.workspace, task.id) is not None
    deleting.delete(deletion.find(task.id), Command(body={deletion.FOR_GOOD: True}), plain.config)
    assert folders.find(plain.config.folders, task.workspace, task.id) is None


def test_a_copy_that_nobody_changed_goes_with_its_task_and_one_with_work_keeps_it(plain) -> None:
    idle = plain.task("true")
    plain.done(idle, CommandKind.DELETE)
    assert plain.worktree_path(idle) is None
    edited = plain.task("true")
    Path(edited.worktree_path, "later.txt").write_text("written after the last look\n")
    assert plain.refused(edited, CommandKind.DELETE)["slug"] == "unmerged-work"
    assert Path(edited.worktree_path, "later.txt").exists()


def test_our_own_data_and_the_home_within_a_folder_are_in_no_copy_and_nothing_lands_there(
    plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = plain.folder.parent
    home = around / "a home [1]"
    home.mkdir()
    (home / ".secret").write_text("key\n")
    monkeypatch.setenv("HOME", str(home))
    (around / ".gitignore").write_text("!*\n")
    task = plain.task("echo new > new.txt; mkdir data; echo evil > data/planted", workspace=str(around))
    copied = Path(task.worktree_path)
    assert (copied / "plain/a.txt").exists()
    assert not (copied / home.name).exists()
    assert [path.name for path in (copied / "data").iterdir()] == ["planted"]
    ended = plain.ask(task, CommandKind.MERGE)
    assert "where no task may write" in ended.result["detail"]
    assert not (plain.config.data / "planted").exists()
    plain.again(task, f"rm -r data; mkdir '{home.name}'; echo evil > '{home.name}/.profile'")
    assert "where no task may write" in plain.ask(task, CommandKind.MERGE).result["detail"]
    plain.again(task, f"rm -r '{home.name}'")
    plain.done(task, CommandKind.MERGE)
    assert (around / "new.txt").read_text() == "new\n"


@pytest.mark.parametrize("where", ["home", "data"])
def test_the_home_itself_and_what_is_in_our_data_are_refused_in_a_sentence(
    plain, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("HOME", str(plain.folder))
    folder = plain.folder if where == "home" else plain.config.data / "x"
    folder.mkdir(exist_ok=True)
    with pytest.raises(NotReady, match="keys and settings" if where == "home" else "its own data"):
        plain.task("true", workspace=str(folder))
