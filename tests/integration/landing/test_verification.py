"""Checks judge exactly the merged tree, contained, and refuse, advise or are overridden on record."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared import tasks, timeline, workspaces
from shared.commands import CommandKind
from shared.review import checks, landings
from shared.review.checks import Verdict
from shared.store.database import close
from shared.store.models import CheckResult, Landing
from tests.unit.shared.played import said
from workers.attempts import errand
from workers.attempts.errand import Done
from workers.landing import verification

WORK = "echo four >> a.txt; echo new > new.txt"


def test_a_required_check_sees_the_merged_tree_and_passes_before_it_lands(site) -> None:
    task = site.task(WORK, options={"verify": "test -f new.txt && test -f theirs && git log -1 --format=%s"})
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs; echo loose > loose")
    assert site.done(task, CommandKind.PREVIEW)["verify"] == {"state": "not-run"}
    site.done(task, CommandKind.MERGE)
    row = CheckResult.get()
    assert (row.verdict, row.tree_oid, row.output) == (
        "passed",
        site.sh("git rev-parse main^{tree}"),
        "Preview\n",
    )
    landed = landings.last_landing(task)
    assert [(one["name"], one["mode"], one["state"]) for one in landed.checks] == [
        ("verify", "required", "passed")
    ]
    assert [one["state"] for one in tasks.get(task.id).checks] == ["passed"]
    assert not [*site.config.checks.glob("*-*")]


def test_a_failing_required_check_refuses_and_shows_its_output(site) -> None:
    task = site.task(
        WORK, options={"verify": 'echo broken; echo \'{"note": "2 of 3 tests", "score": 0.5}\'; exit 3'}
    )
    refused = site.refused(task, CommandKind.MERGE)
    assert [found["kind"] for found in refused["blocking"]] == ["verify"]
    assert (refused["status"], refused["blocking"][0]["overridable"]) == (409, True)
    shown = site.done(task, CommandKind.PREVIEW)
    assert (shown["clean"], shown["verify"], shown["blocking"]) == (
        False,
        {"state": "failed"},
        refused["blocking"],
    )
    assert {name: shown["checks"][0][name] for name in ("score", "note", "exit_code")} == {
        "score": 0.5, "note": "2 of 3 tests", "exit_code": 3,
    }  # fmt: skip
    events = [
        event
        for event in timeline.page(task, limit=1000)
        if (event.metadata or {}).get("category") == "check"
    ]
    assert [event.kind for event in events] == ["stdout", "error"]
    assert events[0].message.startswith("broken\n")
    assert said(task)[-1] == ("error", "The merge was refused: The check verify failed on the merged tree.")


def test_an_override_lands_in_spite_of_it_and_is_recorded(site) -> None:
    task = site.task(WORK, options={"verify": "exit 1"})
    site.refused(task, CommandKind.MERGE)
    assert "overridden: verify" in site.done(task, CommandKind.MERGE, override=["verify"])["message"]
    assert "failed" in Landing.get(Landing.state == "landed").overridden[0]["why"]


def test_an_override_beforehand_runs_nothing_and_says_so(site) -> None:
    task = site.task(WORK, options={"verify": "exit 1"})
    site.done(task, CommandKind.MERGE, override=["verify"])
    assert CheckResult.select().count() == 0
    assert "was not run" in Landing.get().overridden[0]["why"]


def test_an_advisory_check_is_shown_and_lands(site) -> None:
    task = site.task(WORK, options={"checks": [{"name": "lint", "command": "exit 1"}]})
    ran = site.done(task, CommandKind.VERIFY)
    assert [(one["name"], one["mode"], one["state"]) for one in ran["checks"]] == [
        ("lint", "advisory", "failed")
    ]
    assert ran["verify"] == {"state": "off"}
    site.done(task, CommandKind.MERGE)
    assert [(one["name"], one["state"]) for one in landings.last_landing(task).checks] == [("lint", "failed")]


def test_a_landing_records_no_verdict_on_another_tree(site) -> None:
    task = site.task(WORK, options={"checks": [{"name": "lint", "command": "true"}]})
    site.done(task, CommandKind.VERIFY)
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs")
    site.done(task, CommandKind.MERGE)
    assert [(one["name"], one["state"]) for one in landings.last_landing(task).checks] == [
        ("lint", "not-run")
    ]


def test_a_result_holds_for_its_tree_and_a_moved_target_is_checked_anew(site) -> None:
    task = site.task(WORK, options={"verify": "! test -f theirs"})
    assert site.done(task, CommandKind.VERIFY)["verify"] == {"state": "passed"}
    first = CheckResult.get().finished_at
    site.done(task, CommandKind.VERIFY)
    assert CheckResult.get().finished_at == first
    site.done(task, CommandKind.VERIFY, again=True)
    assert CheckResult.get().finished_at > first
    site.sh("echo t > theirs; git add theirs; git commit -qm theirs")
    assert site.done(task, CommandKind.PREVIEW)["verify"] == {"state": "not-run"}
    assert site.refused(task, CommandKind.MERGE)["blocking"][0]["kind"] == "verify"


def test_a_target_that_moves_while_the_check_runs_is_checked_again(site, monkeypatch) -> None:
    """The check itself stands in for the person who commits meanwhile, once."""
    task = site.task(WORK, options={"verify": "true"})
    real, moved = verification.before_landing, []

    def then_move(*words) -> None:
        real(*words)
        if not moved:
            moved.append(
                site.sh("echo t > theirs; git add theirs; git commit -qm theirs; git rev-parse HEAD")
            )

    monkeypatch.setattr(verification, "before_landing", then_move)
    site.done(task, CommandKind.MERGE)
    assert CheckResult.select().count() == 2
    assert site.sh("git rev-parse main^; git rev-parse main^{tree}").split() == [
        moved[0], CheckResult.select().order_by(CheckResult.finished_at.desc()).get().tree_oid,
    ]  # fmt: skip


def test_a_check_that_takes_too_long_is_ended_and_refuses(site) -> None:
    task = site.task(WORK, options={"verify": "echo begun; sleep 60", "verify_seconds": 1})
    assert site.refused(task, CommandKind.MERGE)["blocking"][0]["why"].endswith(
        "timed-out on the merged tree."
    )
    assert CheckResult.get().output == "begun\n"


@pytest.mark.sandbox
def test_a_check_reads_and_writes_nothing_but_its_checkout(site) -> None:
    canary = site.folder.parent / "canary"
    script = f"echo x > {canary}; echo x >> {site.folder}/a.txt; cat {site.config.data}/*; ls {site.config.worktrees}; echo in > inside"
    task = site.task(WORK, options={"verify": f"({script}) 2>/dev/null; test -f inside"})
    before = site.state()
    assert site.done(task, CommandKind.VERIFY)["verify"] == {"state": "passed"}
    assert (site.state(), canary.exists(), CheckResult.get().output) == (before, False, "")
    assert not (site.worktree(task).path / "inside").exists()


def test_conflicts_leave_nothing_to_check(site) -> None:
    task = site.task("sed -i s/two/AGENT/ a.txt", options={"verify": "true"})
    site.sh("sed -i s/two/USER/ a.txt; git commit -qam theirs")
    assert site.refused(task, CommandKind.VERIFY)["conflicts"][0]["path"] == "a.txt"
    assert site.refused(task, CommandKind.MERGE)["conflicts"][0]["path"] == "a.txt"
    assert CheckResult.select().count() == 0


def test_what_was_reviewed_is_asked_for_before_anything_runs(site) -> None:
    task = site.task(WORK, options={"verify": "true"})
    assert "changed since" in site.refused(task, CommandKind.MERGE, head_oid="f" * 40)["detail"]
    assert CheckResult.select().count() == 0


def test_a_task_adds_to_its_workspaces_checks_and_weakens_none(site) -> None:
    row = workspaces.register(str(site.folder), site.folder)
    workspaces.change(row.id, {"verify": "true", "checks": [{"name": "lint", "command": "a"}]})
    own = {
        "verify": "false",
        "verify_mode": "off",
        "checks": [{"name": "lint", "command": "b"}, {"name": "x", "command": "c"}],
    }
    task = site.task(WORK, options=own)
    assert [(one.name, one.command, one.mode) for one in checks.of(task)] == [
        ("verify", "true", "required"), ("lint", "a", "advisory"), ("x", "c", "advisory"),
    ]  # fmt: skip


def test_a_check_that_ran_before_its_worker_died_is_taken_over_not_run_again(site, monkeypatch) -> None:
    task = site.task(WORK, options={"verify": "date +%N"})
    kept: list[str] = []

    def die(*words, **said) -> None:
        kept.append(said["output"])
        raise RuntimeError("as if killed here")

    with monkeypatch.context() as patched:
        patched.setattr(checks, "keep", die)
        site.refused(task, CommandKind.VERIFY)
    site.done(task, CommandKind.VERIFY)
    assert [CheckResult.get().output] == kept


def test_an_interrupted_worker_leaves_no_check_running_and_the_next_merge_runs_it_again(site) -> None:
    task = site.task(WORK, options={"verify": "test -f go || sleep 60"})
    errand.interrupted.set()
    try:
        refused = site.refused(task, CommandKind.MERGE)
    finally:
        errand.interrupted.clear()
    assert "it was stopped (user)" in refused["detail"]
    site.again(task, "touch go")
    site.done(task, CommandKind.MERGE)


def test_the_same_check_asked_for_twice_at_once_runs_once(site) -> None:
    task = site.task(WORK, options={"verify": "sleep 0.3"})

    def ask(strategy: str) -> None:
        site.done(task, CommandKind.VERIFY, strategy=strategy)
        close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, ("squash", "rebase")))
    said = [event.message for event in timeline.page(task, limit=1000)]
    assert len([message for message in said if message.startswith("Check verify passed")]) == 1


@pytest.mark.parametrize(
    ("code", "said", "verdict", "score"),
    [
        (0, "", Verdict.PASSED, None),
        (1, "", Verdict.FAILED, None),
        (None, "", Verdict.FAILED, None),
        (0, {"pass": False}, Verdict.FAILED, None),
        (1, {"pass": True, "score": 1}, Verdict.FAILED, 1.0),
        (0, {"score": True}, Verdict.PASSED, None),
        (0, {"score": "high", "note": 3}, Verdict.PASSED, None),
        (0, [1], Verdict.PASSED, None),
    ],
)
def test_a_verdict_is_the_exit_code_and_what_the_last_line_says(code, said, verdict, score) -> None:
    text = f"noise\n{json.dumps(said)}\n" if said else "noise"
    found, fields = verification.judged(Done(code, False, None, text, 5))
    assert (found, fields.get("score")) == (verdict, score)


@pytest.mark.parametrize("text", ['{"score": NaN}', '{"score": 1e999}', "{", ""])
def test_a_last_line_that_is_no_object_says_nothing(text) -> None:
    assert "score" not in verification.judged(Done(0, False, None, text, 5))[1]
