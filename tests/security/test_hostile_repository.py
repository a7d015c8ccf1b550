"""Every command of a worker that touches a repository, on one in which everything git could run is a trap."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest

from shared import commands, deletion, tasks, workspaces
from shared.commands import STEERING, CommandKind
from shared.review import landings, marking
from shared.store.models import Command, Task
from tests.integration.landing.conftest import WORKER, Landing, site
from tests.integration.repository.conftest import personal_config
from tests.security.vectors import EVERYTHING, PLAIN, VECTORS, Trap
from workers import inspection, work
from workers.attempts import capturing, configured
from workers.repository import capture, checkout, discovery

__all__ = ["personal_config", "site"]


@dataclass
class Hostile:
    """A person's repository, and tasks whose agents planted the vector wherever they could."""

    site: Landing
    trap: Trap
    vector: str
    made: list[Task] = field(default_factory=list)

    def task(self, **fields: Any) -> Task:
        """A fresh task with a change of its own, after its agent did its worst."""
        number = len(self.made)
        found = self.site.task(f"echo {number} > new-{number}.txt; echo {number} >> f-{number}.txt", **fields)
        self.trap.spring_as_agent(self.vector, self.site.worktree(found))
        self.made.append(found)
        return found

    @property
    def first(self) -> Task:
        """One that is only looked at."""
        return self.made[0] if self.made else self.task()

    def merge(self, strategy: str, **fields: Any) -> Task:
        """Land a fresh task, whatever of git's configuration changed."""
        found = self.task(**fields)
        self.site.done(found, CommandKind.MERGE, strategy=strategy, override=["changed-configuration"])
        return tasks.get(found.id)


def look_around(here: Hostile) -> None:
    workspaces.register(str(here.site.folder), here.site.folder)
    assert inspection.look(str(here.site.folder))["branches"]
    assert discovery.locate(here.site.folder) is not None


def look_for_settings(here: Hostile) -> None:
    found = configured.look(here.first, (".claude/**", ".mcp.json"), here.site.config)
    assert found == []


def capture_live(here: Hostile) -> None:
    taken = capture.take(here.site.worktree(here.first), refresh=True)
    assert capture.patch_of(taken, taken.files[0].path)


def end_attempt(here: Hostile) -> None:
    task = here.first
    assert capturing.take(task, here.site.worktree(task), here.site.config, why="end").files


def compare(here: Hostile) -> None:
    here.site.done(here.first, CommandKind.CAPTURE)
    row = landings.latest_capture(here.first)
    assert row is not None
    marking.mark(here.first, row, row.files[0], "owner")
    for old in ("base", "review"):
        here.site.done(here.first, CommandKind.COMPARE, **{"from": old, "to": "latest"})


def previewed(strategy: str, **body: str) -> Callable[[Hostile], None]:
    return lambda here: here.site.done(here.first, CommandKind.PREVIEW, strategy=strategy, **body) and None


def landed(strategy: str, **fields: Any) -> Callable[[Hostile], None]:
    return lambda here: here.merge(strategy, **fields) and None


def merge_cut_off(here: Hostile) -> None:
    """The worker dies after the files were written: they are put back, and the next one lands it."""
    task = here.task()
    with (
        mock.patch.object(checkout, "_move_branch", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        here.site.ask(task, CommandKind.MERGE)
    commands.release(WORKER)
    (again,) = commands.open_work(tasks.get(task.id))
    taken = commands.take(again.id, WORKER)
    assert taken is not None
    work.carry_out(taken, here.site.config)
    assert tasks.get(task.id).worktree_merged_at is not None


def undo(here: Hostile) -> None:
    task = here.merge("squash")
    here.site.done(task, CommandKind.UNDO_PREVIEW)
    here.site.done(task, CommandKind.UNDO)


def push(here: Hostile) -> None:
    """The remote was there before the agent's work; what is planted in the configuration is not asked for anything."""
    remote = here.site.folder.parent / "remote.git"
    if not remote.exists():
        subprocess.run(["git", "init", "-q", "--bare", remote], env=PLAIN, check=True)
        # Over there the account's own hooks count; on this side none does.
        subprocess.run(["git", "-C", remote, "config", "core.hooksPath", "/dev/null"], env=PLAIN, check=True)
    here.site.sh(f"git config --replace-all remote.target.url {remote}")
    override = ["changed-configuration"]
    for task in (here.task(), here.merge("squash")):
        here.site.done(task, CommandKind.PUSH_PREVIEW, remote="target")
        here.site.done(task, CommandKind.PUSH, remote="target", override=override)


def clean_up_and_bring_back(here: Hostile) -> None:
    task = here.task()
    here.site.done(task, CommandKind.CLEANUP, force=True)
    here.site.done(task, CommandKind.UNDO)
    assert here.site.worktree_path(task) is not None


def start_again(here: Hostile) -> None:
    task = here.task()
    here.site.again(task, "true")


def delete(here: Hostile) -> None:
    task = here.task()
    here.site.done(task, CommandKind.CLEANUP, force=True)
    assert landings.latest_capture(task) is not None
    here.site.done(task, CommandKind.DELETE)
    with pytest.raises(Command.DoesNotExist):  # it went with its task
        taken = commands.take(deletion.request_for_good(deletion.find(task.id)).id, WORKER)
        assert taken is not None
        work.carry_out(taken, here.site.config)
        Command.get_by_id(taken.id)


#: A new operation is one line here; `test_every_command_is_tried` finds a kind of command that none of them names.
OPERATIONS: dict[str, Callable[[Hostile], Any]] = {
    "look around": look_around,
    "start": lambda here: here.task(),
    "look": look_for_settings,
    "start again": start_again,
    "capture": lambda here: here.site.done(here.first, CommandKind.CAPTURE),
    "live capture and one file": capture_live,
    "compare": compare,
    "end of an attempt": end_attempt,
    "preview squash": previewed("squash"),
    "preview merge elsewhere": previewed("merge", target_branch="side"),
    "preview rebase": previewed("rebase"),
    "preview apply": previewed("apply"),
    "merge by squash": landed("squash"),
    "merge by merge": landed("merge"),
    "merge by rebase": landed("rebase"),
    "merge by apply": landed("apply"),
    "merge elsewhere": landed("merge", target_branch="side"),
    "merge of own commits": landed("rebase", policy={"allow_git_write": True}),
    "merge cut off": merge_cut_off,
    "verify": lambda here: here.site.done(here.task(options={"verify": "true"}), CommandKind.VERIFY),
    "rebase": lambda here: here.site.ask(here.task(), CommandKind.REBASE),
    "undo and undo-preview": undo,
    "push and push-preview": push,
    "cleanup": clean_up_and_bring_back,
    "delete": delete,
}


def test_every_command_is_tried() -> None:
    named = " ".join(OPERATIONS)
    assert [kind for kind in CommandKind if kind not in STEERING and kind not in named] == []


def test_plain_git_does_run_what_is_planted(site: Landing, tmp_path) -> None:
    """The traps have teeth: a person's own `git status` and `git diff` spring them."""
    trap = Trap.at(tmp_path)
    trap.spring(EVERYTHING, site.folder / ".git", site.folder)
    subprocess.run("git status; git diff", shell=True, cwd=site.folder, env=PLAIN, capture_output=True)
    assert trap.canary.exists()


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(EVERYTHING, id="everything"),
        *(pytest.param(vector, id=name, marks=pytest.mark.slow) for name, vector in VECTORS.items()),
    ],
)
def test_no_operation_runs_anything(site: Landing, tmp_path, vector: str) -> None:
    trap = Trap.at(tmp_path)
    trap.spring_tree(vector, site.folder)
    site.sh(
        "for n in $(seq 0 30); do echo $n > f-$n.txt; done; git add -A; git commit -qm more; git branch side"
    )
    site.sh("echo mine >> sub/b.txt; echo loose > loose")
    trap.spring_git(vector, site.folder / ".git")
    here = Hostile(site, trap, vector)
    for name, operation in OPERATIONS.items():
        operation(here)
        assert not trap.canary.exists(), name
    assert (site.folder / "sub/b.txt").read_text() == "b\nmine\n"
