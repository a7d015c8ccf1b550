"""The reference system's scenarios of isolated runs, diffs, merges and cleanups, against real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import said
from tests.installation import Installation, git

CHANGE = "echo four >> a.txt; echo new > n.txt"


def changed(site: Installation, repo: Path, command: str = CHANGE) -> dict[str, Any]:
    return site.until(site.run(command, repo), "ready-for-review")


def test_21_isolated_run_and_diff(site: Installation, repo: Path) -> None:
    done = changed(site, repo)
    assert Path(done["worktree_path"]).is_dir()
    assert Path(done["execution_workspace"]).is_relative_to(done["worktree_path"])
    assert done["base_commit"] == git(repo, "rev-parse", "HEAD")
    assert "a.txt" in done["diff_stat"]
    assert "n.txt" in done["diff_stat"]
    assert [event["kind"] for event in done["events"]].count("diff") == 1
    assert git(repo, "status", "--porcelain") == ""
    diff = site.get(f"/tasks/{done['id']}/diff").body
    assert diff["isolated"] is True
    assert "+four" in diff["patch"]
    assert "new file mode" in diff["patch"]
    assert "a.txt" in diff["stat"]
    assert {file["path"] for file in diff["files"]} == {"a.txt", "n.txt"}
    only = site.get(f"/tasks/{done['id']}/diff?path=n.txt").body
    assert "+new" in only["patch"]
    assert "+four" not in only["patch"]
    nested = changed(site, repo / "sub", "echo c >> b.txt")
    assert nested["execution_workspace"].rstrip("/").endswith("/sub")


def test_22_merge_then_cleanup(site: Installation, repo: Path) -> None:
    done = changed(site, repo)
    path = f"/tasks/{done['id']}"
    preview = site.post(f"{path}/worktree/preview")
    assert preview.status == 200
    assert (preview.body["conflicts"], preview.body["blocking"]) == ([], [])
    merged = site.post(f"{path}/worktree/merge")
    assert merged.status == 200, merged.body
    assert merged.body["task"]["worktree_merged_at"]
    assert merged.body["task"]["status"] == "completed"
    assert merged.body["message"]
    assert (repo / "a.txt").read_text().endswith("four\n")
    assert (repo / "n.txt").read_text() == "new\n"
    assert git(repo, "rev-list", "--count", "HEAD") == "2"
    again = site.post(f"{path}/worktree/merge")
    assert (again.status, "already" in said(again)) == (409, True)
    cleaned = site.post(f"{path}/worktree/cleanup")
    assert (cleaned.status, bool(cleaned.body["task"]["worktree_cleaned_at"])) == (200, True)
    assert not Path(done["worktree_path"]).exists()
    assert len(git(repo, "worktree", "list").splitlines()) == 1
    assert site.post(f"{path}/worktree/cleanup").status == 200
    assert "+four" in site.get(f"{path}/diff").body["patch"]


def test_22_apply_leaves_uncommitted_edits_as_the_reference_system_does(
    site: Installation, repo: Path
) -> None:
    done = changed(site, repo)
    merged = site.post(f"/tasks/{done['id']}/worktree/merge", {"strategy": "apply"})
    assert merged.status == 200, merged.body
    assert git(repo, "rev-list", "--count", "HEAD") == "1"
    assert (repo / "n.txt").read_text() == "new\n"


def test_23_an_edit_in_the_way_refuses_and_another_is_kept(site: Installation, repo: Path) -> None:
    done = changed(site, repo)
    (repo / "a.txt").write_text("mine\n")
    refused = site.post(f"/tasks/{done['id']}/worktree/merge")
    assert (refused.status, bool(refused.body["blocking"])) == (409, True)
    assert (repo / "a.txt").read_text() == "mine\n"
    assert not (repo / "n.txt").exists()
    git(repo, "checkout", "a.txt")
    (repo / "sub/b.txt").write_text("mine too\n")
    assert site.post(f"/tasks/{done['id']}/worktree/merge").status == 200
    assert (repo / "sub/b.txt").read_text() == "mine too\n"
    assert (repo / "n.txt").exists()


@pytest.mark.parametrize("obstacle", ["staged", "untracked", "conflict"])
def test_23_what_the_user_has_is_never_overwritten(site: Installation, repo: Path, obstacle: str) -> None:
    done = changed(site, repo)
    if obstacle == "staged":
        (repo / "a.txt").write_text("mine\n")
        git(repo, "add", "a.txt")
    elif obstacle == "untracked":
        (repo / "n.txt").write_text("mine\n")
    else:
        (repo / "a.txt").write_text("one\ntwo\nthree\nother\n")
        git(repo, "commit", "-qam", "other")
    before = git(repo, "rev-parse", "HEAD"), git(repo, "status", "--porcelain"), (repo / "a.txt").read_text()
    refused = site.post(f"/tasks/{done['id']}/worktree/merge")
    assert refused.status == 409
    assert refused.body.get("blocking") or refused.body.get("conflicts")
    assert (
        git(repo, "rev-parse", "HEAD"),
        git(repo, "status", "--porcelain"),
        (repo / "a.txt").read_text(),
    ) == before


def test_23_other_merges_that_are_refused(site: Installation, repo: Path, plain: Path) -> None:
    for place in ({}, {"place": "in-place"}):
        nowhere = site.until(site.run("true", plain, **place), "completed")
        answer = site.post(f"/tasks/{nowhere['id']}/worktree/merge")
        assert (answer.status, "no worktree" in said(answer)) == (409, True), place
    unchanged = site.until(site.run("true", repo), "completed")
    answer = site.post(f"/tasks/{unchanged['id']}/worktree/merge")
    assert (answer.status, "no changes" in said(answer)) == (409, True)
    live = site.run("sleep 30", repo)
    site.until(live, "running")
    assert site.post(f"/tasks/{live}/worktree/merge").status == 409
    assert site.post(f"/tasks/{live}/worktree/cleanup").status == 409
    site.post(f"/tasks/{live}/stop")
    site.until(live, "stopped")


def test_23_what_the_agent_committed_is_seen_and_lands(site: Installation, repo: Path) -> None:
    commit = "git -c user.name=a -c user.email=a@b commit -qam agent"
    done = changed(site, repo, f"echo four >> a.txt; {commit}")
    assert "+four" in site.get(f"/tasks/{done['id']}/diff").body["patch"]
    assert site.post(f"/tasks/{done['id']}/worktree/merge").status == 200
    assert (repo / "a.txt").read_text().endswith("four\n")
