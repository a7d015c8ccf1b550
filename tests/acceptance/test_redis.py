"""The same job with Redis as the carrier of messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.installation import git, installed, repository


@pytest.mark.redis
def test_a_task_lands_with_redis_as_its_broker_and_the_loss_of_all_its_data_loses_none(
    tmp_path: Path, redis_url: str
) -> None:
    import redis

    folder = repository(tmp_path / "repo")
    with installed(tmp_path / "installation", broker=redis_url) as installation:
        first = installation.run("printf 'go? '; read x; echo $x > a.txt", folder)
        installation.until(first, "needs-input")
        assert installation.post(f"/tasks/{first}/reply", {"message": "redis"}).status == 200
        assert installation.until(first)["status"] == "ready-for-review"
        assert installation.post(f"/tasks/{first}/worktree/merge").status == 200
        assert git(folder, "show", "main:a.txt") == "redis"

        installation.kill(installation.workers[0])
        second = installation.create("echo again", tmp_path)["id"]
        assert installation.post(f"/tasks/{second}/start").status == 202
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        installation.start_worker()
        assert installation.until(second, timeout=15)["status"] == "completed"
