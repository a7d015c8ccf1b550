"""A landing that is killed anywhere is finished or taken back by the next call; what is the user's stays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from shared.errors import Conflict, LandingRefused
from tests.integration.repository.conftest import describe
from workers.repository import completion, landing, shadow
from workers.repository.completion import Intent
from workers.repository.strategies import Recipe

ROOT = Path(__file__).parents[3]
WORK = "seq 5000 > a.txt; echo new > new.txt; mkdir -p made/deep; echo m > made/deep/m.txt; rm -r gone; mv d.txt moved.txt"
USER = "echo staged > s; git add s; echo mine >> sub/b.txt; echo loose > loose; echo secret > .env"

# Runs `complete` in a process that kills itself at a named point, leaving the checkout as git would.
VICTIM = """
import os, signal, sys
from pathlib import Path
from workers.repository import checkout, completion
from workers.repository.completion import Intent

intent = Intent.from_json(Path(sys.argv[1]).read_text())
point = sys.argv[2]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def after(name):
    real = getattr(checkout, name)
    setattr(checkout, name, lambda *words: (real(*words), die()))

def half_written(repository, place, update, own, paths, lock):
    top = place.path
    (top / "a.txt").write_text("1\\n2\\n3")
    (top / "new.txt").write_text("new\\n")
    (top / "made/deep").mkdir(parents=True)
    (top / "made/deep/m.txt").write_text("")
    (top / "gone/g.txt").unlink()
    (top / "gone").rmdir()
    die()

if point == "half-written":
    checkout._write_files = half_written
elif point == "in-install":
    real = os.replace
    checkout.os.replace = lambda source, target: die() if str(target).endswith("/index") else real(source, target)
elif point == "installed":
    real = os.replace
    checkout.os.replace = lambda source, target: (real(source, target), die() if str(target).endswith("/index") else None)
elif point in ("branch-locked", "head-locked"):
    real = checkout._move_branch
    def locked(repository, place, update, *more):
        if point == "head-locked":
            real(repository, place, update, *more)
        else:
            (repository.common_dir / "refs/heads/main.lock").write_text(update.new + "\\n")
        (place.git_dir / "HEAD.lock").touch()
        die()
    checkout._move_branch = locked
elif point != "none":
    after(point)
completion.complete(intent)
"""
POINTS = (
    "_lock",
    "_back_up",
    "half-written",
    "_write_files",
    "branch-locked",
    "head-locked",
    "_move_branch",
    "in-install",
    "installed",
    "_install",
)
INDEX_POINTS = ("branch-locked", "head-locked", "in-install", "installed")  # applying has no part in them
CASES = [(point, "squash") for point in POINTS] + [
    (point, "apply") for point in POINTS if point not in INDEX_POINTS
]


def start(desk, intent: Intent, point: str) -> subprocess.Popen:
    place = desk.root / "intent.json"
    place.write_text(intent.to_json())
    env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(desk.root)}  # it leaves its shadow behind
    return subprocess.Popen(
        [sys.executable, "-P", "-c", VICTIM, str(place), point], env=env, start_new_session=True
    )


def prepared(desk, strategy: str = "squash") -> Intent:
    taken = desk.change(WORK)
    desk.sh(USER)
    return landing.prepare(desk.repository(), taken, recipe=Recipe(strategy, "Land"), target_branch="main")


def assert_landed(desk, intent: Intent, strategy: str = "squash") -> None:
    status = "A  s\n M sub/b.txt\n?? loose"
    if strategy == "apply":
        status = "M a.txt\n D d.txt\n D gone/g.txt\nA  s\n M sub/b.txt\n?? loose\n?? made/\n?? moved.txt\n?? new.txt"
    assert desk.sh("git status --porcelain") == status
    assert desk.sh("git rev-parse main") == (
        intent.previous_oid if strategy == "apply" else intent.commit_oid
    )
    assert (desk.folder / "made/deep/m.txt").read_text() == "m\n"
    assert desk.sh("cat s sub/b.txt loose .env") == "staged\nb\nmine\nloose\nsecret"
    assert desk.sh("wc -l < a.txt") == "5000"
    assert not list(desk.folder.glob(".git/**/*.lock"))
    assert desk.sh("git for-each-ref refs/openruntime/landing") == ""
    assert not (Path(intent.home) / "landing").exists()


@pytest.mark.parametrize(("point", "strategy"), CASES)
def test_a_killed_landing_is_complete_after_the_next_call_and_the_one_after(desk, point, strategy) -> None:
    intent = prepared(desk, strategy)
    assert start(desk, intent, point).wait(60) == -signal.SIGKILL
    done = completion.complete(intent)
    assert_landed(desk, intent, strategy)
    if strategy == "squash":
        assert completion.complete(intent) == done
        assert_landed(desk, intent, strategy)


def test_a_file_the_user_rewrote_after_the_kill_is_left_alone_and_named(desk) -> None:
    intent = prepared(desk)
    assert start(desk, intent, "half-written").wait(60) == -signal.SIGKILL
    (desk.folder / "a.txt").write_text("rewritten by hand\n")
    with pytest.raises(Conflict, match=r"a\.txt"):
        completion.complete(intent)
    assert (desk.folder / "a.txt").read_text() == "rewritten by hand\n"
    assert not (desk.folder / "new.txt").exists()
    assert (desk.folder / "gone/g.txt").read_text() == "g\n"
    assert desk.sh("git status --porcelain") == "M a.txt\nA  s\n M sub/b.txt\n?? loose"
    with pytest.raises(LandingRefused):
        completion.complete(intent)


def test_a_lock_of_the_users_own_git_is_not_taken_for_ours(desk) -> None:
    intent = prepared(desk)
    assert start(desk, intent, "_lock").wait(60) == -signal.SIGKILL
    (desk.folder / ".git/index.lock").unlink()
    (desk.folder / ".git/index.lock").write_text("theirs")
    with pytest.raises(LandingRefused):
        completion.complete(intent)
    assert (desk.folder / ".git/index.lock").read_text() == "theirs"


@pytest.mark.parametrize("content", ["", "0" * 40])
def test_a_ref_that_the_users_own_git_has_locked_is_said_and_stays_locked(desk, content) -> None:
    intent = prepared(desk)
    before = desk.state()
    lock = desk.folder / ".git/refs/heads/main.lock"
    lock.write_text(content)
    with pytest.raises(Conflict, match=r"locked by another git command.*main\.lock"):
        completion.complete(intent)
    assert lock.read_text() == content
    lock.unlink()
    assert desk.state() == before
    assert start(desk, intent, "_lock").wait(60) == -signal.SIGKILL
    lock.write_text("0" * 40)
    with pytest.raises(Conflict, match="locked"):
        completion.complete(intent)
    assert lock.read_text() == "0" * 40


def test_killed_with_its_git_at_any_moment_a_landing_converges(desk) -> None:
    """The process and every git it started die together, at moments nobody chose."""
    intent = prepared(desk)
    chosen = random.Random(7)
    for _ in range(6):
        victim = start(desk, intent, "none")
        deadline = time.monotonic() + 20
        place = desk.folder / ".git" / f"openruntime-{intent.task_id}.lock"
        while not place.exists() and victim.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(chosen.uniform(0, 0.08))
        for process in [*_family(victim.pid)]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        victim.wait(20)
    completion.complete(intent)
    assert_landed(desk, intent)


def kill_at_random(desk, intent: Intent, chosen: random.Random) -> str:
    """Start the landing and kill it with its git; returns how far it had come: untouched, locked or moved."""
    victim = start(desk, intent, "none")
    marker = desk.folder / ".git" / f"openruntime-{intent.task_id}.lock"
    deadline = time.monotonic() + 20
    while not marker.exists() and victim.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(chosen.uniform(0, 0.4))
    for process in _family(victim.pid):
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    victim.wait(20)
    if desk.sh("git rev-parse main") == intent.commit_oid:
        return "moved"
    return "locked" if marker.exists() else "untouched"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_killed_landings_lose_and_change_nothing(desk) -> None:
    """One landing after the other on one checkout with work of the user's in it, each killed once, then completed."""
    desk.sh(USER)
    chosen = random.Random(11)
    found: Counter[str] = Counter()
    expected = {path: what for path, what in desk.state().items() if not path.startswith(".git/")}
    for number in range(200):
        name = f"f{number}"
        taken = desk.change(f"seq {number} {number + 3000} > {name}", f"task-{number:04}")
        recipe = Recipe("squash", f"Land {number}")
        intent = landing.prepare(desk.repository(), taken, recipe=recipe, target_branch="main")
        found[kill_at_random(desk, intent, chosen)] += 1
        completion.complete(intent)
        expected[name] = describe(str(desk.create(f"task-{number:04}").path / name))
        assert {path: what for path, what in desk.state().items() if not path.startswith(".git/")} == expected
        assert desk.sh("git rev-parse main; git status --porcelain") == (
            f"{intent.commit_oid}\nA  s\n M sub/b.txt\n?? loose"
        )
    assert sum(found.values()) == 200
    assert found["locked"] > 20, found
    print(dict(found))


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def test_an_exception_in_the_middle_puts_the_checkout_back(desk, monkeypatch) -> None:
    intent = prepared(desk)
    before = desk.state()

    class Interrupted(BaseException):
        pass

    def fail(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr("workers.repository.checkout._move_branch", fail)
        with pytest.raises(Interrupted):
            completion.complete(intent)
    assert desk.state() == before
    completion.complete(intent)
    assert_landed(desk, intent)


def test_what_killed_processes_left_is_swept_and_what_is_in_use_is_not(desk, monkeypatch) -> None:
    start(desk, prepared(desk), "_lock").wait(60)
    monkeypatch.setattr("tempfile.tempdir", str(desk.root))
    assert shadow.sweep() == 0
    assert list(desk.root.glob(f"{shadow.PREFIX}*"))
    assert shadow.sweep(older_than_seconds=-1) == 1
    assert not list(desk.root.glob(f"{shadow.PREFIX}*"))


def test_an_intent_survives_as_text(desk) -> None:
    intent = prepared(desk)
    assert Intent.from_json(intent.to_json()) == intent
