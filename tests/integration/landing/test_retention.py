"""What landings and cleanups keep in the user's repository is there for thirty days, and then goes by itself."""

from __future__ import annotations

import os
import time

from shared import archive
from shared.clock import from_micros
from shared.commands import CommandKind
from shared.store.database import transaction
from shared.store.models import Task
from workers.janitor import let_go_of_the_old
from workers.repository import retention

DAYS = archive.KEPT_DAYS * 86_400


def kept(site) -> list[str]:
    return site.sh("git for-each-ref --format='%(refname)' refs/openruntime").split()


def age(site, seconds: int) -> None:
    """As if everything kept had been made that long ago."""
    logs = site.folder / ".git/logs/refs/openruntime"
    for place in [path for path in logs.rglob("*") if path.is_file()]:
        text = place.read_text().replace(
            f"> {int(time.time()) // 10_000}", f"> {(int(time.time()) - seconds) // 10_000}"
        )
        place.write_text(text)


def test_a_recovery_ref_and_a_backup_go_after_thirty_days_and_not_before(site) -> None:
    site.sh("echo mine >> sub/b.txt")
    landed = site.task("echo four >> a.txt")
    site.done(landed, CommandKind.MERGE)
    dropped = site.task("echo n > n")
    site.done(dropped, CommandKind.CLEANUP, force=True)
    wanted = [f"refs/openruntime/backup/{landed.id}", f"refs/openruntime/recovery/{dropped.id}"]
    assert set(wanted) <= set(kept(site))
    assert retention.prune(site.repository(), older_than_seconds=DAYS) == 0
    age(site, DAYS + 20_000)
    assert retention.prune(site.repository(), older_than_seconds=DAYS, spare=[dropped.id]) == 1
    assert retention.prune(site.repository(), older_than_seconds=DAYS) == 1
    assert not set(wanted) & set(kept(site))


def test_the_janitor_lets_go_of_them_and_of_checks_that_were_left(site) -> None:
    dropped = site.task("echo n > n")
    site.done(dropped, CommandKind.CLEANUP, force=True)
    left = site.config.checks / "left"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    age(site, DAYS + 20_000)
    with transaction():
        Task.update(worktree_cleaned_at=from_micros(0)).execute()
    let_go_of_the_old(site.config)
    assert (kept(site), left.exists()) == ([], False)
