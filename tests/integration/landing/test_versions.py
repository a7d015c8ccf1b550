"""Pictures are kept with a capture, texts when they are asked for; both without secrets, bounded, and after a cleanup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import commands, deletion
from shared.clock import now
from shared.commands import CommandKind
from shared.review import comments, landings, marks, versions
from shared.review.comments import Side
from shared.secrets import keeping as secret_keeping
from shared.secrets import kept as kept_secrets
from shared.store.models import KeptVersion, Task, TaskGroup
from tests.integration.landing.conftest import Landing
from tests.unit.versions import samples
from workers import work
from workers.versions import keeping

KEPT = "hunter2-hunter2-long"
SEVERAL_LINES = "first-line-of-it\nsecond-line-of-it\nthird-line-of-it"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, content in {
        "old.png": samples.png(3, 2), "new.png": samples.png(5, 4, red=10), "logo.svg": samples.SVG,
        "secret.png": samples.png(text=KEPT.encode()), "noise": bytes(range(256)) * 4, "bomb.png": samples.bomb(),
        "large.png": samples.png() + bytes(versions.PICTURE_BYTES), "fake.png": b"\x89PNG, says its name\0",
    }.items():  # fmt: skip
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def kept_secret(site: Landing) -> Iterator[None]:
    kept_secrets.use_key(site.config)
    secret_keeping.keep("DEPLOY", KEPT)
    secret_keeping.keep("SEVERAL", SEVERAL_LINES)
    yield
    kept_secrets.use_key(site.config)


def captured(site: Landing, task: Task) -> dict[str, dict[str, object]]:
    """The files of a fresh capture, by path."""
    site.done(task, CommandKind.CAPTURE)
    row = landings.latest_capture(task)
    assert row is not None
    return {file["path"]: file for file in row.files}


def kept(task: Task, file: dict[str, object], side: str = "new") -> KeptVersion | None:
    return versions.find(task, str(file[f"{side}_blob"] or ""))


def test_both_versions_of_a_picture_are_kept_whatever_it_is_called(site: Landing, pictures: Path) -> None:
    site.sh(f"cp {pictures}/old.png odd.bin; git add -A; git commit -qm picture")
    task = site.task(
        f"cp {pictures}/new.png odd.bin; cp {pictures}/logo.svg {pictures}/noise {pictures}/fake.png ."
    )
    files = captured(site, task)
    old, new = kept(task, files["odd.bin"], "old"), kept(task, files["odd.bin"])
    assert old is not None
    assert new is not None
    assert (old.media_type, old.width, old.height) == ("image/png", 3, 2)
    assert (new.media_type, new.width, new.height) == ("image/png", 5, 4)
    assert bytes(new.content) == (pictures / "new.png").read_bytes()
    drawn = kept(task, files["logo.svg"])
    assert drawn is not None
    assert (drawn.media_type, bytes(drawn.content)) == ("image/svg+xml", samples.SVG)
    assert kept(task, files["noise"]) is None
    assert kept(task, files["fake.png"]) is None


def test_a_picture_that_holds_a_secret_is_not_kept_and_a_drawing_only_masked(
    site: Landing, pictures: Path, kept_secret: None
) -> None:
    task = site.task(f"cp {pictures}/secret.png .; echo '<svg><!-- {KEPT} --></svg>' > drawn.svg")
    files = captured(site, task)
    assert kept(task, files["secret.png"]) is None
    drawn = kept(task, files["drawn.svg"])
    assert drawn is not None
    assert bytes(drawn.content) == b"<svg><!-- [redacted] --></svg>\n"


def test_pictures_are_bounded_each_and_together_and_those_of_the_latest_capture_stay(
    site: Landing, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (pictures / "new.png").stat().st_size
    monkeypatch.setattr(versions, "TASK_PICTURE_BYTES", 2 * size + 10)
    monkeypatch.setattr(keeping, "TASK_PICTURE_BYTES", 3 * size)
    task = site.task(f"cp {pictures}/large.png .; cp {pictures}/new.png a.png")
    files = captured(site, task)
    assert kept(task, files["large.png"]) is None
    assert kept(task, files["a.png"]) is not None
    for number in range(3):
        task = site.again(task, f"cp {pictures}/new.png b.png; printf {number} >> b.png")
        latest = captured(site, task)
    assert kept(task, latest["a.png"]) is not None
    assert kept(task, latest["b.png"]) is not None
    assert KeptVersion.select().count() == 2


def test_a_capture_stands_when_its_pictures_cannot_be_read(
    site: Landing, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping.objects, "sizes", _unreadable)
    task = site.task(f"cp {pictures}/new.png .")
    files = captured(site, task)
    assert list(files) == ["new.png"]
    assert kept(task, files["new.png"]) is None


def _unreadable(*_: object) -> dict[str, int]:
    raise OSError("an input/output error")


def test_a_text_is_kept_when_it_is_asked_for_with_its_lines_and_without_secrets(
    site: Landing, kept_secret: None
) -> None:
    secret = SEVERAL_LINES.replace("\n", "\\n")
    task = site.task(f"printf 'a\\n{KEPT}\\n{secret}\\nlast\\n' > a.txt")
    files = captured(site, task)
    assert kept(task, files["a.txt"]) is None
    for side in ("old", "new"):
        site.done(task, CommandKind.FILE, blob=files["a.txt"][f"{side}_blob"])
    old, new = kept(task, files["a.txt"], "old"), kept(task, files["a.txt"])
    assert old is not None
    assert new is not None
    assert bytes(old.content) == b"one\ntwo\nthree\n"
    assert bytes(new.content).split(b"\n") == [b"a", b"[redacted]", b"[redacted]", b"", b"", b"last", b""]


def test_a_text_is_read_after_a_cleanup_out_of_the_persons_repository_until_it_is_gone_there(
    site: Landing,
) -> None:
    task = site.task("echo four >> a.txt; echo new > new.txt")
    files = captured(site, task)
    site.done(task, CommandKind.CLEANUP, force=True)
    assert site.worktree_path(task) is None
    site.done(task, CommandKind.FILE, blob=files["a.txt"]["new_blob"])
    found = kept(task, files["a.txt"])
    assert found is not None
    assert bytes(found.content) == b"one\ntwo\nthree\nfour\n"
    site.sh(
        "git for-each-ref --format='delete %(refname)' refs/openruntime | git update-ref --stdin; git gc -q --prune=now"
    )
    refused = site.refused(task, CommandKind.FILE, blob=files["new.txt"]["new_blob"])
    assert (refused["status"], refused["detail"]) == (409, "This version of the file is not kept any more.")


def test_a_text_of_another_task_of_the_group_is_read_for_the_one_it_is_compared_with(site: Landing) -> None:
    first, second = site.task("true"), site.task("echo only here > new.txt")
    blob = captured(site, second)["new.txt"]["new_blob"]
    assert site.refused(first, CommandKind.FILE, blob=blob)["status"] == 409
    group = TaskGroup.create(id=first.id, created_at=now())
    Task.update(group_id=group.id).execute()
    site.done(first, CommandKind.FILE, blob=blob)
    found = versions.find(first, str(blob))
    assert found is not None
    assert bytes(found.content) == b"only here\n"


def test_a_long_text_is_kept_in_whole_lines_and_a_binary_one_refused(
    site: Landing, kept_secret: None
) -> None:
    task = site.task(
        f"head -c 300 /dev/zero > blob.bin; for n in $(seq 1 27000); do echo 'a line of forty characters in all {KEPT}'; done > long.txt"
    )
    files = captured(site, task)
    site.done(task, CommandKind.FILE, blob=files["long.txt"]["new_blob"])
    found = kept(task, files["long.txt"])
    assert found is not None
    assert found.is_cut
    text = bytes(found.content)
    assert len(text) <= versions.TEXT_BYTES
    assert set(text.split(b"\n")) == {b"a line of forty characters in all [redacted]", b""}
    refused = site.refused(task, CommandKind.FILE, blob=files["blob.bin"]["new_blob"])
    assert refused["detail"] == "This is a binary file; it has no lines."


def test_the_texts_of_files_that_were_commented_on_are_kept_with_each_capture(site: Landing) -> None:
    task = site.task("echo four >> a.txt; echo new > new.txt")
    file: marks.File = captured(site, task)["a.txt"]
    comments.add(task, file, Side.NEW, (1, 1), "one", "why?", "owner")
    task = site.again(task, "echo five >> a.txt; echo more > other.txt")
    files = captured(site, task)
    found = kept(task, files["a.txt"])
    assert found is not None
    assert bytes(found.content) == b"one\ntwo\nthree\nfour\nfive\n"
    assert kept(task, files["new.txt"]) is None


def test_what_is_kept_goes_with_its_task(site: Landing, pictures: Path) -> None:
    task = site.task(f"cp {pictures}/new.png .")
    captured(site, task)
    assert KeptVersion.select().count() == 1
    site.done(task, CommandKind.CLEANUP, force=True)
    assert KeptVersion.select().count() == 1
    for ask, left in ((deletion.request, 1), (deletion.request_for_good, 0)):
        taken = commands.take(ask(Task.get_by_id(task.number)).id, "worker-1")
        assert taken is not None
        work.carry_out(taken, site.config)
        assert KeptVersion.select().count() == left
