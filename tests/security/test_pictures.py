"""Bytes of pictures that an agent chose leave the server so that they can be looked at, and do nothing else."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.review import landings, versions
from shared.review.landings import CaptureRecord
from shared.review.versions import TEXT, Version
from shared.store.models import Task
from tests.unit.pages.conftest import Visitor
from tests.unit.rendering.payloads import PAYLOADS, judged
from tests.unit.versions import samples
from tests.unit.web.conftest import Api

NOTHING = "default-src 'none'; sandbox; style-src 'unsafe-inline'; frame-ancestors 'none'"
SCRIPTED = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
PATCH = b"diff --git a/%s b/%s\nGIT binary patch\nliteral 512\nzcmV\n\nliteral 10\nRcm\n\n"


def changed(api: Api, *names: str, old: str | None = "1" * 40, new: str | None = "2" * 40) -> Task:
    """A task that changed binary files of these names from one version to another."""
    task: Task = Task.get(Task.id == api.new()["id"])
    empty = {"path_b64": None, "old_path": None, "old_mode": "100644", "new_mode": "100644", "binary": True}
    files: list[dict[str, Any]] = [
        {"path": name, "status": "modified", "old_blob": old, "new_blob": new, **empty} for name in names
    ]
    patch = b"".join(PATCH % (b"x", b"x") for _ in names)
    landings.keep_capture(task, CaptureRecord("b" * 40, "c" * 40, "t1", "stat", files, patch, False, []))
    return task


def keep(task: Task, blob: str, media_type: str, content: bytes, *size: int) -> None:
    width, height = size or (None, None)
    versions.keep(task, [Version(blob * 40, media_type, content, width, height)])


@pytest.mark.parametrize(
    ("media_type", "content"),
    [("image/png", samples.png()), ("image/svg+xml", SCRIPTED), ("image/x-icon", b"\0")],
)
def test_a_picture_is_served_as_what_it_is_and_may_do_nothing(
    visitor: Visitor, api: Api, media_type: str, content: bytes
) -> None:
    task = changed(api, "a")
    keep(task, "2", media_type, content)
    for answer in (
        visitor.get(f"/ui/tasks/{task.id}/changes/picture/{'2' * 40}"),
        api.get(f"/tasks/{task.id}/blob?path=a"),
    ):
        assert (answer.status_code, answer.data) == (200, content)
        assert answer.headers["Content-Type"] == media_type
        assert answer.headers.getlist("Content-Security-Policy") == [NOTHING]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"


def test_only_pictures_of_the_task_itself_are_served(visitor: Visitor, api: Api) -> None:
    task, other = changed(api, "a"), changed(api, "a")
    keep(other, "2", "image/png", samples.png())
    keep(task, "1", TEXT, b"<script>alert(1)</script>")
    page = f"/ui/tasks/{task.id}/changes/picture"
    for blob in ("2" * 40, "1" * 40, "0", "..%2f..", "%00"):
        assert visitor.get(f"{page}/{blob}").status_code == 404, blob
    for query in ("path=a", "path=a&side=old", "path=nope"):
        assert api.get(f"/tasks/{task.id}/blob?{query}").status_code == 404, query
    for query in ("", "path=a&side=left", f"path={'x' * 9000}"):
        assert api.get(f"/tasks/{task.id}/blob?{query}").status_code == 422, query
    assert api.get(f"/tasks/{api.new()['id']}/blob?path=a").status_code == 404
    assert visitor.client.get(f"{page}/{'1' * 40}", headers={"Host": "evil.example"}).status_code == 421


def partial(visitor: Visitor, task: Task, name: str) -> str:
    return visitor.get(f"/ui/tasks/{task.id}/changes/file?{urlencode({'path': name})}").text


def test_both_versions_are_shown_with_their_sizes_and_compared_where_these_are_equal(
    visitor: Visitor, api: Api
) -> None:
    task = changed(api, "a.png")
    keep(task, "1", "image/png", samples.png(), 3, 2)
    keep(task, "2", "image/gif", samples.gif(), 3, 2)
    shown = partial(visitor, task, "a.png")
    assert f"PNG · 3 × 2 · {len(samples.png())} bytes" in shown
    assert f"GIF · 3 × 2 · {len(samples.gif())} bytes" in shown
    assert shown.count("<img ") == 2
    assert "Show what differs" in shown
    other = changed(api, "b.png")
    keep(other, "2", "image/png", samples.png(), 3, 2)
    shown = partial(visitor, other, "b.png")
    assert (shown.count("<img "), "Show what differs" in shown) == (1, False)
    assert "This version is not shown" in shown


def test_a_picture_that_unpacks_to_too_much_is_only_linked(visitor: Visitor, api: Api) -> None:
    task = changed(api, "a.png", old=None)
    keep(task, "2", "image/png", samples.bomb(), 30_000, 30_000)
    shown = partial(visitor, task, "a.png")
    assert "<img" not in shown
    assert f'href="/ui/tasks/{task.id}/changes/picture/{"2" * 40}"' in shown


def test_where_no_picture_is_kept_a_binary_file_is_noted_with_its_sizes(visitor: Visitor, api: Api) -> None:
    shown = partial(visitor, changed(api, "a.png"), "a.png")
    assert "A binary file, not shown. 10 bytes → 512 bytes" in shown


OURS = re.compile(
    r'<a class="backdrop" href="/ui/tasks/[0-9a-f-]{36}/changes/picture/2{40}"><img src="/ui/tasks/[0-9a-f-]{36}/changes/picture/2{40}" alt="[^"<>]*" loading="lazy"'
    r' decoding="async"></a>|</?(figure|figcaption)>'
)


def test_hostile_names_stay_text_beside_a_picture(visitor: Visitor, api: Api) -> None:
    names = [f"{number} {payload}" for number, payload in enumerate(PAYLOADS)]
    task = changed(api, *names, old=None)
    keep(task, "2", "image/svg+xml", SCRIPTED)
    for name in names:
        shown = partial(visitor, task, name)
        assert "<img " in shown
        judged(OURS.sub("", shown))
