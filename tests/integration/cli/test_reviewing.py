"""`review`, `comment` and `comments`: what is asked of the server, and what a person reads of the answer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.cli.conftest import Cli
from tests.integration.cli.standin_api import Api

BY = {"viewed_by": "owner:token", "viewed_at": "2026-01-01T10:11:12Z"}
NOBODY = {"viewed_by": None, "viewed_at": None}
KEY = "ab" * 16
HUNKS = [
    {"hunk": KEY, "header": "@@ -1,3 +1,4 @@ def f()", "state": "viewed", **BY},
    {"hunk": f"{KEY}-2", "header": "@@ -9 +10 @@", "state": "open", **NOBODY},
]
FILES = [
    {"path": "a b.py", "path_b64": None, "state": "changed", **BY, "hunks": HUNKS},
    {"path": "logo.png", "path_b64": None, "state": "open", **NOBODY, "hunks": []},
]
REVIEW = {"task_id": "x", "head_oid": "c" * 40, "total": 2, "viewed": 0, "files": FILES}


@pytest.fixture
def task(api: Api) -> str:
    path = f"/tasks/{api.task('aaaa1111')['id']}"
    api.answers["GET", f"{path}/review"] = 200, REVIEW
    api.answers["POST", f"{path}/review"] = 200, REVIEW
    return path


def posted(api: Api) -> list[tuple[str, Any]]:
    return [(path, body) for method, path, body in api.asked if method == "POST"]


def test_a_review_is_a_table_of_files_or_of_hunks(api: Api, cli: Cli, task: str) -> None:
    told = cli("review", "aaaa")
    assert [row.split() for row in told.out.splitlines()] == [
        ["STATE", "HUNKS", "BY", "WHEN", "FILE"],
        ["changed", "1/2", "owner:token", "2026-01-01", "10:11", "a", "b.py"],
        ["open", "logo.png"],
    ]
    assert told.err == "0 of 2 files viewed.\n"
    api.answers["GET", f"{task}/review"] = 200, {**REVIEW, "files": FILES[:1]}
    rows = cli("review", "aaaa", "a b.py").out.splitlines()
    assert api.asked[-1][1] == f"{task}/review?path=a+b.py"
    assert rows[1].split()[:2] == ["abababab", "viewed"]
    assert rows[2] == "abababab-2  open                                   a b.py @@ -9 +10 @@"
    assert cli("--json", "review", "aaaa").out.startswith("{\n")


def test_files_and_hunks_are_marked_and_opened_again(api: Api, cli: Cli, task: str) -> None:
    assert "a b.py" in cli("review", "aaaa", "--viewed", "a b.py", "logo.png").out
    cli("review", "aaaa", "--open", "logo.png")
    cli("review", "aaaa", "--viewed", "--hunk", "abababab-2", "a b.py")
    cli("review", "aaaa", "--viewed", "--hunk", "abababab", "a b.py")
    place = f"{task}/review"
    assert posted(api) == [
        (place, {"path": "a b.py", "viewed": True}),
        (place, {"path": "logo.png", "viewed": True}),
        (place, {"path": "logo.png", "viewed": False}),
        (place, {"path": "a b.py", "viewed": True, "hunk": f"{KEY}-2"}),
        (place, {"path": "a b.py", "viewed": True, "hunk": KEY}),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--viewed",), "Name the files that are meant.\n"),
        (("--viewed", "--open", "a"), "Say either --viewed or --open.\n"),
        (("--hunk", "ab", "a"), "A hunk is marked with --viewed or --open, and one file.\n"),
        (("--viewed", "--hunk", "ab", "a", "b"), "A hunk is marked with --viewed or --open, and one file.\n"),
        (("--viewed", "--hunk", "cd", "a b.py"), "No hunks of the file are called 'cd'.\n"),
        (("--viewed", "--hunk", "ab", "a b.py"), "2 hunks of the file are called 'ab'.\n"),
    ],
)
def test_what_cannot_be_meant_changes_nothing(
    api: Api, cli: Cli, task: str, words: tuple[str, ...], said: str
) -> None:
    done = cli("review", "aaaa", *words)
    assert (done.code, done.err, posted(api)) == (1, said, [])


def remark(id: str, **more: Any) -> dict[str, Any]:
    known = {"path": "a.py", "side": "new", "line": 3, "last_line": 5, "body": "Why\n\x1b[2Jthis?"}
    return {"id": id, **known, "state": "draft", "outdated": False, **more}


def test_a_comment_is_a_draft_on_lines(api: Api, cli: Cli, task: str) -> None:
    api.answers["POST", f"{task}/comments"] = 200, remark("c0ffee00-1")
    assert cli("comment", "aaaa", "dir:x/a.py:3-5", "Why", "this?").out == "c0ffee00  draft on a.py:3-5\n"
    cli("comment", "aaaa", "a.py:3", "--old", "Why?")
    assert [body for _, body in posted(api)] == [
        {"path": "dir:x/a.py", "line": 3, "last_line": 5, "body": "Why this?"},
        {"path": "a.py", "line": 3, "side": "old", "body": "Why?"},
    ]
    refused = cli("comment", "aaaa", "a.py", "Why?")
    assert (refused.code, refused.err) == (1, "Name the lines as PATH:LINE or PATH:LINE-LINE.\n")


def test_comments_are_listed_sent_deleted_and_resolved(api: Api, cli: Cli, task: str) -> None:
    known = [
        remark("c0ffee00-1", outdated=True),
        remark("c0ffee11-1", state="addressed", side="old", last_line=3),
    ]
    place = f"{task}/comments"
    api.answers["GET", place] = 200, known
    rows = cli("comments", "aaaa").out.splitlines()
    assert rows[1].startswith("c0ffee00  draft, outdated  a.py:3-5")
    assert rows[2].startswith("c0ffee11  addressed        a.py:3 (old)")
    assert "\x1b" not in "".join(rows)
    for one in ("c0ffee00-1", "c0ffee11-1"):
        api.answers["DELETE", f"{place}/{one}"] = 200, []
        api.answers["POST", f"{place}/{one}/resolve"] = 200, remark(one)
    cli("comments", "aaaa", "--delete", "c0ffee0", "--resolve", "c0ffee1")
    cli("comments", "aaaa", "--reopen", "c0ffee1")
    assert ("DELETE", f"{place}/c0ffee00-1", None) in api.asked
    assert posted(api) == [(f"{place}/c0ffee11-1/resolve", {"resolved": done}) for done in (True, False)]
    api.answers["POST", f"{place}/send"] = 202, {"status": "running", "pending_command": {"kind": "reply"}}
    assert (
        cli("comments", "aaaa", "--send").out == "aaaa1111  reply accepted, not yet done (task is running)\n"
    )
    assert "'c0ffee' begins the ids of 2 comments" in cli("comments", "aaaa", "--delete", "c0ffee").err
