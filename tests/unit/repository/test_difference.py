"""Summaries and sections of stored patches, worktree records, names and locks: no git needed."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Unavailable
from workers.repository import directory
from workers.repository.difference import ChangedFile, section, summary
from workers.repository.locks import held
from workers.repository.worktree import Worktree, load, save, slug

PLAIN = ChangedFile("a", None, None, None, "modified", 1, 2, False, "1", "2", "100644", "100644")


def test_a_summary_counts_scales_and_escapes() -> None:
    files = (
        PLAIN,
        replace(PLAIN, path="b\x1b[31m", additions=400, deletions=0),
        replace(PLAIN, path="bin", binary=True, additions=0, deletions=0),
        replace(PLAIN, path="new", old_path="old", status="renamed", additions=0, deletions=0),
    )
    lines = summary(files).split("\n")
    assert lines[0] == " a          |   3 +-" or lines[0].startswith(" a ")
    assert "\x1b" not in summary(files)
    assert "b\\x1b[31m" in lines[1]
    assert lines[1].count("+") == 40
    assert lines[2].endswith("| Bin")
    assert "old => new" in lines[3]
    assert lines[-1] == " 4 files changed, 401 insertions(+), 2 deletions(-)"
    assert summary(()) == ""


def test_sections_follow_the_order_of_the_files_also_over_type_changes() -> None:
    files = (
        PLAIN,
        replace(PLAIN, path="t", status="type-changed"),
        replace(PLAIN, path="z", old_path="y", status="renamed"),
    )
    text = b"diff --git a/a b/a\n+x\n-diff --git no\ndiff --git a/t b/t\n1\ndiff --git a/t b/t\n2\ndiff --git a/y b/z\n3\n"
    assert section(text, files, b"a") == b"diff --git a/a b/a\n+x\n-diff --git no\n"
    assert section(text, files, b"t") == b"diff --git a/t b/t\n1\ndiff --git a/t b/t\n2\n"
    assert section(text, files, b"y") == section(text, files, b"z") == b"diff --git a/y b/z\n3\n"
    assert section(text, files, b"none") is None
    assert section(text[:40], files, b"t") is None


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\0" not in raw))
def test_a_changed_file_keeps_any_name_through_json(raw) -> None:
    try:
        raw.decode()
        file = replace(PLAIN, path=raw.decode())
    except UnicodeDecodeError:
        import base64

        file = replace(PLAIN, path=raw.decode("utf-8", "replace"), path_b64=base64.b64encode(raw).decode())
    again = ChangedFile.from_dict(file.to_dict())
    assert again == file
    assert again.raw_path == raw


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Fix the Bug!", "fix-the-bug"),
        ("", "task"),
        ("é ü", "task"),
        ("--rf ../..", "rf"),
        ("a" * 90, "a" * 40),
        ("x.lock", "x-lock"),
    ],
)
def test_a_title_becomes_a_branch_safe_slug(title, expected) -> None:
    assert slug(title) == expected


def test_a_worktree_record_survives_and_a_torn_one_is_none(tmp_path: Path) -> None:
    home = tmp_path / "task-1"
    record = Worktree(
        "task-1", tmp_path / os.fsdecode(b"\xff"), tmp_path / "x", "b", "0" * 40, 1, False, "sha1", tmp_path, tmp_path,
        home / "agent.git", home / "capture.git", (tmp_path, tmp_path / "y"),
    )  # fmt: skip
    save(record, ready=True)
    assert load(tmp_path, "task-1") == (record, True)
    (home / "worktree.json").write_bytes(b'{"ready": tr')
    assert load(tmp_path, "task-1") is None


def test_our_directories_borrow_from_odd_paths_and_find_all_lenders(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "info").mkdir(parents=True)
    (tmp_path / "one/info/alternates").write_text("../two\n# comment\n")
    (tmp_path / "two/info/alternates").write_text(f"{tmp_path}/one\n")
    assert directory.object_directories(tmp_path / "one") == (tmp_path / "one", tmp_path / "two")
    directory.borrow(tmp_path / "own", [Path("/a b"), Path('/x\n"y')])
    assert (tmp_path / "own/objects/info/alternates").read_bytes() == b'/a b\n"/x\\012\\"y"\n'


def test_a_lock_excludes_threads_and_gives_up_in_words(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with held(tmp_path, "key"):
            order.append("second")

    with held(tmp_path, "key"):
        thread = threading.Thread(target=second)
        thread.start()
        with pytest.raises(Unavailable), held(tmp_path, "key", timeout_seconds=0.1):
            pass
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
