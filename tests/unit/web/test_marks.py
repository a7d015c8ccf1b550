"""What a person has viewed, file by file and hunk by hunk, over the API."""

from __future__ import annotations

import pytest

from tests.unit.web.changed import ONE, TWO, capture, ended, file
from tests.unit.web.conftest import Api
from web.api import reviewing


def test_what_was_viewed_is_kept_and_opens_again_when_the_file_changes(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/review"
    assert api.get(path).json["files"] == []
    assert api.post(path, {"path": "b", "viewed": True}).status_code == 404
    capture([file("a.txt"), file("b")], ONE + TWO)
    assert api.post(path, {"path": "a.txt", "viewed": True, "head_oid": "d" * 40}).status_code == 409
    assert api.post(path, {"path": "nope", "viewed": True}).status_code == 404
    assert api.post(path, {"path": "b"}).status_code == 422
    for name in ("a.txt", "b"):
        marked = api.post(path, {"path": name, "viewed": True, "head_oid": "c" * 40}).json
    assert (marked["viewed"], marked["total"], marked["files"][0]["viewed_by"]) == (2, 2, "owner:token")
    capture([file("a.txt", new_blob="9" * 40), file("b")], ONE.replace(b"+diff", b"+other") + TWO, "t2")
    assert [one["state"] for one in api.get(path).json["files"]] == ["changed", "viewed"]
    assert api.post(path, {"path": "b", "viewed": False}).json["viewed"] == 0


THREE = b"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@ def f():\n one\n+two\n@@ -9 +10 @@\n-nine\n+9\n"


def test_single_hunks_are_viewed_and_stay_so_when_the_file_changes_elsewhere(api: Api) -> None:
    path = f"/tasks/{ended(api)['id']}/review"
    capture([file("a.txt"), file("b")], THREE + TWO)
    first, second = api.get(f"{path}?path=a.txt").json["files"][0]["hunks"]
    assert (first["header"], first["state"], first["viewed_by"]) == ("@@ -1,1 +1,2 @@ def f():", "open", None)
    said = {"path": "a.txt", "viewed": True, "hunk": second["hunk"]}
    assert api.post(path, {**said, "hunk": "0" * 32}).status_code == 404
    assert api.post(path, {**said, "hunk": "0" * 65}).status_code == 422
    marked = api.post(path, said).json
    assert (marked["viewed"], marked["files"][0]["state"]) == (0, "open")
    assert [one["viewed_by"] for one in marked["files"][0]["hunks"]] == [None, "owner:token"]
    capture([file("a.txt", new_blob="9" * 40), file("b")], THREE.replace(b"+two", b"+2") + TWO, "t2")
    kept = api.get(path).json["files"][0]["hunks"]
    assert [one["state"] for one in kept] == ["open", "viewed"]
    whole = api.post(path, {**said, "hunk": kept[0]["hunk"]}).json
    assert (whole["viewed"], whole["files"][0]["state"]) == (1, "viewed")
    opened = api.post(path, {**said, "viewed": False}).json["files"]
    assert [one["state"] for one in (opened[0], *opened[0]["hunks"])] == ["open", "viewed", "open"]
    assert api.get(f"{path}?path=nope").status_code == 404


def test_an_answer_lists_so_many_hunks_and_those_of_one_file_on_demand(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/tasks/{ended(api)['id']}/review"
    capture([file("a.txt"), file("b")], THREE + TWO)
    monkeypatch.setattr(reviewing, "LISTED_HUNKS", 2)
    assert [one["hunks"] is None for one in api.get(path).json["files"]] == [False, True]
    assert len(api.get(f"{path}?path=b").json["files"][0]["hunks"]) == 1
