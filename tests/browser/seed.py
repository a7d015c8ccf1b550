"""Real tasks in every state, for pictures and for looking at every kind of card."""

from __future__ import annotations

import contextlib
import textwrap
from pathlib import Path

from tests.installation import Installation, git, repository

QUESTION = "printf 'Delete 3 stale branches? [y/N] '; read answer; echo got $answer"
FLOOD = "for n in 1 2 3; do echo \"test_hub.py::test_resume_$n PASSED\"; done; echo 'collected 48 items'; sleep 600"
EDIT = textwrap.dedent("""\
    printf 'def resume(after):\\n    return [e for e in EVENTS if e > after]\\n' > stream.py
    printf 'one\\ntwo\\nthree and a half\\nfour\\n' > a.txt
    echo wrote stream.py""")


def workspaces(folder: Path) -> tuple[Path, Path]:
    """A repository with some branches and an uncommitted edit, and a plain folder."""
    shop = repository(folder / "webshop")
    for name in ("release-2.4", "fix/login-loop"):
        git(shop, "branch", name)
    (shop / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    notes = folder / "notes"
    notes.mkdir()
    return shop, notes


def tasks(here: Installation, shop: Path, notes: Path) -> dict[str, str]:
    """One task of every kind; returns their ids by what they are."""
    ids = {
        "merged": here.run(
            "echo pinned > pins.txt; echo pinned 4 packages", shop, title="Pin the build tools"
        ),
        "failed": here.run(
            "echo 'npm ERR! missing script: lint' >&2; exit 2", shop, title="Lint the storefront"
        ),
        "review": here.run(EDIT, shop, title="Add a resume cursor to the websocket stream"),
        "done": here.run("echo 214 links checked, 0 broken", notes, title="Check the links in the handbook"),
        "stopped": here.run("sleep 600", notes, title="Reindex everything"),
    }
    for name in ("merged", "failed", "review", "done"):
        here.until(ids[name])
    here.until(ids["stopped"], "running")
    here.post(f"/tasks/{ids['stopped']}/stop")
    git(shop, "checkout", "-q", "--", "a.txt")
    assert here.post(f"/tasks/{ids['merged']}/worktree/merge", {}).status in (200, 202)
    (shop / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    ids["question"] = here.run(QUESTION, shop, title="Tidy the branches")
    gated = here.create(
        "make release VERSION=2.4.1",
        shop,
        title="Release 2.4.1",
        policy={
            **{"allow_network": True, "allow_git_write": True, "allow_secrets": True, "blocked_commands": []},
            "require_approval": True,
        },
    )
    ids["gate"] = gated["id"]
    here.post(f"/tasks/{ids['gate']}/start")
    ids["running"] = here.run(FLOOD, shop, title="Run the whole suite until it is green")
    ids["watching"] = here.run(
        "while :; do date +'%T watching src/'; sleep 5; done", notes, title="Watch the build"
    )
    ids["unstarted"] = here.create("echo later", shop, title="Write the release notes", priority=2)["id"]
    here.until(ids["question"], "needs-input")
    for name in ("running", "watching"):
        here.until(ids[name], "running")
    with contextlib.suppress(AssertionError):
        here.post("/workspaces/register", {"path": str(shop)})
    return ids
