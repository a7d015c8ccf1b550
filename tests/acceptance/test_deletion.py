"""A deleted task can be put back; deleted for good it leaves no file, and one that has something to lose is not deleted."""

from __future__ import annotations

from pathlib import Path

from tests.installation import Installation


def test_a_deleted_task_comes_back_with_its_work_and_goes_for_good_without_a_trace(
    site: Installation, repo: Path
) -> None:
    id = site.run("echo x > n.txt", repo)
    done = site.until(id, "ready-for-review")
    attempt = site.data / "attempts" / done["current_attempt"]["id"]
    assert attempt.is_dir()
    assert site.request("DELETE", f"/tasks/{id}").status == 409
    assert site.post(f"/tasks/{id}/worktree/cleanup", {"force": True}).status == 200
    assert site.request("DELETE", f"/tasks/{id}").status == 204
    assert site.get(f"/tasks/{id}").status == 404
    assert not attempt.exists()
    assert site.post(f"/deleted-tasks/{id}/restore").status == 200
    assert site.get(f"/tasks/{id}/diff").body["files"][0]["path"] == "n.txt"
    assert site.post(f"/tasks/{id}/undo").status == 200
    assert site.post(f"/tasks/{id}/worktree/cleanup", {"force": True}).status == 200
    assert site.request("DELETE", f"/tasks/{id}").status == 204
    assert site.request("DELETE", f"/deleted-tasks/{id}").status == 204
    assert [*site.data.rglob(f"*{id}*"), *site.data.rglob(f"*{attempt.name}*")] == []


def test_a_deleted_task_without_a_worktree_leaves_no_file_either(site: Installation, plain: Path) -> None:
    done = site.until(site.run("true", plain), "completed")
    attempt = site.data / "attempts" / done["current_attempt"]["id"]
    assert attempt.is_dir()
    assert site.request("DELETE", f"/tasks/{done['id']}").status == 204
    assert not attempt.exists()
