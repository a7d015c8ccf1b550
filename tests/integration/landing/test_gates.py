"""Gates stand before a landing: their objections are shown, refuse it, and are recorded when a person overrides them."""

from __future__ import annotations

from pathlib import Path

from shared import tasks, workspaces
from shared.commands import CommandKind
from shared.review import landings, marking, marks
from shared.review.gates import GateKind
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from workers.attempts import closing
from workers.landing import gates


def test_every_kind_of_objection_has_its_gate() -> None:
    assert set(gates.GATES) == set(GateKind)


def test_changed_configuration_refuses_until_a_person_says_so_and_is_shown(site) -> None:
    task = site.task("echo four >> a.txt")
    site.sh(
        "git config core.fsmonitor /tmp/x; git config branch.main.remote origin; git config remote.o.url https://me:pw@x/y;"
        "printf '#!/bin/sh\\n' > .git/hooks/post-merge; chmod +x .git/hooks/post-merge"
    )
    shown = site.done(task, CommandKind.PREVIEW)
    assert (shown["clean"], shown["conflicts"]) == (False, [])
    hook = f"hook {site.folder}/.git/hooks/post-merge: added: a program of 10 bytes"
    assert [(found["kind"], found["why"]) for found in shown["blocking"]] == [
        ("changed-configuration", hook),
        ("changed-configuration", "setting core.fsmonitor: added: /tmp/x"),
        ("changed-configuration", "setting remote.o.url: added: https://x/y"),
    ]
    refused = site.refused(task, CommandKind.MERGE, override=["file-globs"])
    assert (refused["status"], refused["slug"], refused["blocking"]) == (
        409,
        "landing-refused",
        shown["blocking"],
    )
    result = site.done(task, CommandKind.MERGE, override=["changed-configuration"])
    assert result["message"].endswith("; overridden: changed-configuration")
    landed = landings.last_landing(task)
    assert landed is not None
    assert landed.overridden == shown["blocking"]


def test_most_of_the_files_are_not_deleted_without_a_persons_word(site) -> None:
    site.sh("for n in $(seq 20); do echo $n > f$n; done; git add -A; git commit -qm many")
    task = site.task("rm -r * .git")
    refused = site.refused(task, CommandKind.MERGE)
    assert [(found["kind"], found["path"], found["why"], found["overridable"]) for found in refused["blocking"]] == [
        ("mass-deletion", "", "The change deletes more than half of the files: 22 of 22 files.", True)
    ]  # fmt: skip
    site.done(task, CommandKind.MERGE, override=["mass-deletion"])
    assert site.sh("git ls-files") == ""


def test_a_workspace_may_require_that_every_file_is_viewed_as_it_lands(site) -> None:
    task = site.task("echo four >> a.txt; echo new > b.txt")
    assert site.done(task, CommandKind.PREVIEW)["clean"]
    row = workspaces.register(task.workspace, site.folder)
    workspaces.change(row.id, {"review": "required"})
    shown = site.done(task, CommandKind.PREVIEW)
    assert [(one["kind"], one["path"]) for one in shown["blocking"]] == [
        ("unreviewed", "a.txt"),
        ("unreviewed", "b.txt"),
    ]
    seen = landings.latest_capture(task)
    for file in seen.files:
        marking.mark(task, seen, file, "owner")
    Path(task.worktree_path, "b.txt").write_text("newer\n")
    refused = site.refused(task, CommandKind.MERGE)
    assert [one["path"] for one in refused["blocking"]] == ["b.txt"]
    site.done(task, CommandKind.MERGE, override=["unreviewed"])
    assert [one["path"] for one in landings.last_landing(task).overridden] == ["b.txt"]


def test_a_file_with_an_open_hunk_is_not_viewed(site) -> None:
    site.sh("seq 40 > c.txt; git add c.txt; git commit -qm more")
    workspaces.change(workspaces.register(str(site.folder), site.folder).id, {"review": "required"})
    task = site.task("sed -i 's/^3$/three/; s/^30$/thirty/' c.txt")
    site.done(task, CommandKind.CAPTURE)
    seen = landings.latest_capture(task)
    first, second = marks.of(task, seen).hunks(seen.files[0])
    marking.mark_hunk(task, seen, seen.files[0], first.key, "owner")
    shown = site.done(task, CommandKind.PREVIEW)["blocking"]
    assert [(one["path"], one["why"]) for one in shown] == [("c.txt", "1 of 2 hunks not viewed")]
    marking.mark_hunk(task, seen, seen.files[0], second.key, "owner")
    assert site.done(task, CommandKind.PREVIEW)["clean"]
    Path(task.worktree_path, "c.txt").write_text("added\n" + Path(task.worktree_path, "c.txt").read_text())
    refused = site.refused(task, CommandKind.MERGE)["blocking"]
    assert [one["why"] for one in refused] == ["1 of 2 hunks not viewed"]


def test_configuration_that_was_put_back_refuses_nothing(site) -> None:
    task = site.task("echo four >> a.txt")
    site.sh("git config filter.x.smudge evil")
    site.refused(task, CommandKind.MERGE)
    site.sh("git config --unset filter.x.smudge; git config --remove-section filter.x || true")
    site.done(task, CommandKind.MERGE)


def test_a_change_an_uncontained_agent_made_is_not_forgotten_by_the_next_start(site) -> None:
    task = site.task("git config core.hooksPath /tmp/hooks")
    attempt = Attempt.get(Attempt.task == task.number)
    assert [draft.kind for draft in closing._tampering(task, attempt, site.config)] == ["error"]
    with transaction():
        known = tasks.get(task.id).worktree
        Task.update(worktree={**known, "tampered": True}).where(Task.id == task.id).execute()
    task = site.again(task, "echo four >> a.txt")
    refused = site.refused(task, CommandKind.MERGE)
    assert [found["why"] for found in refused["blocking"]] == ["setting core.hookspath: added: /tmp/hooks"]


def test_files_outside_the_policys_globs_refuse_and_are_flagged(site) -> None:
    policy = {"allowed_file_globs": ["src/**", "*.md"]}
    task = site.task(
        "mkdir -p src/x; echo 1 > src/x/y.py; echo 1 > sub/README.md; echo four >> a.txt", policy=policy
    )
    refused = site.refused(task, CommandKind.MERGE)
    why = "Not among the files the policy allows to be changed."
    expected = {"kind": "file-globs", "path": "a.txt", "why": why, "overridable": True}
    assert refused["blocking"] == [expected]
    row = landings.latest_capture(task)
    assert row is not None
    assert {file["path"] for file in row.files if "outside-globs" in file["flags"]} == {"a.txt"}
    site.done(task, CommandKind.MERGE, override=["file-globs"])


def test_globs_of_a_workspace_below_the_root_start_there(site) -> None:
    policy = {"allowed_file_globs": ["*.txt", "/a.txt"]}
    script = "echo 1 >> a.txt; echo 1 >> sub/b.txt; echo 1 > c.txt"
    task = site.task(script, policy=policy, workspace=str(site.folder / "sub"))
    refused = site.refused(task, CommandKind.MERGE)
    assert [found["path"] for found in refused["blocking"]] == ["c.txt"]


def test_a_file_moved_away_from_where_it_must_stay_is_flagged(site) -> None:
    task = site.task("mkdir src; git mv a.txt src/a.txt", policy={"allowed_file_globs": ["src/**"]})
    refused = site.refused(task, CommandKind.MERGE)
    assert [found["path"] for found in refused["blocking"]] == ["src/a.txt"]


def test_what_is_in_the_way_in_the_checkout_is_told_apart(site) -> None:
    task = site.task("echo four >> a.txt")
    site.sh("echo mine >> a.txt")
    refused = site.refused(task, CommandKind.MERGE)
    assert refused["blocking"] == [
        {"kind": "checkout", "overridable": False, "path": "a.txt", "why": "modified"}
    ]
    assert site.done(task, CommandKind.PREVIEW)["blocking"] == refused["blocking"]
