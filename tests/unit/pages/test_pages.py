"""What pages show, to whom, and how they fail."""

from __future__ import annotations

import contextlib
import gzip
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.datastructures import Headers

from shared import fleet, workspaces
from shared.clock import now
from shared.store.models import Task
from tests.unit.pages.conftest import Visitor
from tests.unit.web.conftest import HOST, Api
from web.pages import assets

PAGES = [
    "/",
    "/ui/inbox",
    "/ui/sessions",
    "/ui/workspaces",
    "/ui/runners",
    "/ui/costs",
    "/ui/audit",
    "/ui/search?q=x",
]


@pytest.mark.parametrize("path", PAGES)
def test_pages_answer_signed_in_and_lead_to_the_sign_in_without(
    visitor: Visitor, api: Api, path: str
) -> None:
    assert visitor.get(path).status_code == 200
    visitor.client.delete_cookie("openruntime_8080", domain="127.0.0.1")
    signed_out = visitor.get(path)
    assert (signed_out.status_code, signed_out.headers["Location"]) == (303, "/login")


@pytest.mark.parametrize("path", PAGES)
def test_the_navigation_leads_only_to_pages_there_are(visitor: Visitor, path: str) -> None:
    page = visitor.get(path).text
    links = {part.split('"')[0] for part in page.split('<li><a href="')[1:]}
    assert "/ui/inbox" in links
    assert {visitor.get(link).status_code for link in links if link.startswith("/")} == {200}


def test_an_address_without_a_page_says_so_on_a_page(visitor: Visitor) -> None:
    answer = visitor.get("/ui/nothing")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "There is no page at this address." in answer.text
    assert visitor.get("/ui/cards/not-an-id").mimetype == "text/html"


def test_the_api_keeps_its_problems_for_browsers_too(visitor: Visitor) -> None:
    answer = visitor.get("/tasks/not-an-id", Accept="text/html")
    assert answer.mimetype == "application/problem+json"


def test_cards_stand_in_the_column_of_their_state(visitor: Visitor, api: Api) -> None:
    by_status = {
        "needs-input": "needs", "queued": "queued", "running": "running", "ready-for-review": "review",
        "completed": "done", "failed": "ended", "stopped": "ended",
    }  # fmt: skip
    for status in by_status:
        Task.update(status=status).where(Task.id == api.new(title=status)["id"]).execute()
    for status, column in by_status.items():
        task = Task.get(Task.title == status)
        assert f'data-column="{column}"' in visitor.get(f"/ui/cards/{task.id}").text
    page = visitor.get("/").text
    assert page.count('<li class="card') == len(by_status)
    assert "<b data-count>1</b>" in page
    assert "<title>(1) Board" in page


def test_done_shows_the_last_day_unless_all_is_asked_for(visitor: Visitor, api: Api) -> None:
    old = api.new()["id"]
    Task.update(status="completed", updated_at=now() - timedelta(days=3)).execute()
    assert f"card-{old}" not in visitor.get("/").text
    assert visitor.get(f"/ui/cards/{old}").status_code == 204
    assert f"card-{old}" in visitor.get("/?done=all").text


def test_filters_are_applied_by_the_server(visitor: Visitor, api: Api, tmp_path: Path) -> None:
    here = api.new(title="needle", workspace=str(tmp_path))["id"]
    other = api.new(title="hay", workspace="/")["id"]
    for query in ("q=need", f"workspace={tmp_path}"):
        page = visitor.get(f"/?{query}").text
        assert (f"card-{here}" in page, f"card-{other}" in page) == (True, False)
    assert visitor.get(f"/ui/cards/{other}?q=need").status_code == 204


def test_the_inbox_lists_the_oldest_first(visitor: Visitor, api: Api) -> None:
    assert "Nothing needs you." in visitor.get("/ui/inbox").text
    first, second = api.new(title="first")["id"], api.new(title="second")["id"]
    Task.update(status="ready-for-review").execute()
    Task.update(updated_at=now()).where(Task.id == first).execute()
    page = visitor.get("/ui/inbox").text
    assert page.index(f"card-{second}") < page.index(f"card-{first}")


def test_what_needs_someone_is_told_without_output(visitor: Visitor, api: Api) -> None:
    task = api.new(title="Look")
    Task.update(status="failed").execute()
    assert visitor.get("/ui/needs").json == {
        "waiting": 0,
        "tasks": [{"id": task["id"], "title": "Look", "attention": "failed"}],
    }


def test_a_missing_runner_comes_with_the_command_that_installs_it(visitor: Visitor) -> None:
    told = {
        "install": "npm install -g thing",
        "containment": {"name": "none", "works": False, "detail": "no bwrap", "fix": ["sudo fix"]},
    }
    fleet.publish_runners([fleet.RunnerState("codex", False, "codex", capabilities=told)])
    page = visitor.get("/ui/runners").text
    assert 'data-copy="npm install -g thing"' in page
    assert "Advisory" in page
    assert 'data-copy="sudo fix"' in page
    assert "Workspace access" in page, "which field holds in which tier"
    assert "None (here)" in page


def test_workspaces_are_added_given_defaults_and_removed(visitor: Visitor, tmp_path: Path) -> None:
    assert visitor.send("/ui/workspaces/add", {"path": str(tmp_path)}).status_code == 303
    id = workspaces.workspace_id(str(tmp_path.resolve()))
    assert visitor.send(f"/ui/workspaces/{id}/defaults", {"preset": "full-access"}).status_code == 303
    assert workspaces.get(id).defaults == {"preset": "full-access"}
    page = visitor.send("/ui/workspaces/add", {"path": "/no/such", "back": "/ui/workspaces"})
    assert (page.status_code, "does not exist" in page.text, 'value="/no/such"' in page.text) == (
        400,
        True,
        True,
    )
    assert visitor.send(f"/ui/workspaces/{id}/remove").status_code == 303
    assert visitor.send(f"/ui/workspaces/{id}/remove", {"back": "/ui/workspaces"}).status_code == 404


def test_a_folder_that_cannot_be_listed_says_why(visitor: Visitor, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    assert "inside" in visitor.get(f"/ui/workspaces/browse?path={tmp_path}").text
    assert str(Path.home()) in visitor.get("/ui/workspaces?browse=~").text
    assert "cannot be listed" in visitor.get(f"/ui/workspaces/browse?path={tmp_path}/none").text


def test_what_a_worker_saw_in_a_folder_is_offered(visitor: Visitor, tmp_path: Path) -> None:
    path = str(tmp_path)
    assert "current branch" in visitor.get(f"/ui/branches?workspace={path}").text
    assert workspaces.wanted_inspections() == [path]
    workspaces.inspected(
        path, {"repository": True, "branch": "main", "branches": ["main", "x"], "dirty": True}
    )
    assert workspaces.wanted_inspections() == []
    partial = visitor.get(f"/ui/branches?workspace={path}").text
    assert "main *" in partial
    assert '<option value="x">' in partial
    assert workspaces.wanted_inspections() == [], "it was looked at a moment ago"


def test_text_is_packed_for_whoever_can_unpack_it(visitor: Visitor) -> None:
    def got(path: str, **headers: str) -> tuple[int, bytes, Headers]:
        with contextlib.closing(visitor.get(f"/static/{path}", **headers)) as answer:
            return answer.status_code, answer.data, answer.headers

    path, unpacks = "css/tokens.css", {"Accept-Encoding": "gzip, br"}
    (_, plain, told), (_, packed, told_packed) = got(path), got(path, **unpacks)
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2
    assert (told_packed["Content-Encoding"], told.get("Content-Encoding")) == ("gzip", None)
    assert all("Accept-Encoding" in headers["Vary"] for headers in (told, told_packed))
    assert told["ETag"] != told_packed["ETag"]
    assert got(path, **unpacks, **{"If-None-Match": told_packed["ETag"]})[0] == 304
    assert got(path, **{"Accept-Encoding": "gzip;q=0"})[1] == plain
    assert "Content-Encoding" not in got("fonts/inter-5.3.0.woff2", **unpacks)[2]


def test_assets_change_their_address_with_their_content(visitor: Visitor, tmp_path: Path) -> None:
    sheet = visitor.get("/").text.partition('stylesheet" href="')[2].partition('"')[0]
    for address, wanted in ((sheet, "immutable"), ("/static/css/tokens.css", "no-cache")):
        with visitor.client.get(address, headers={"Host": HOST}) as answer:
            assert answer.status_code == 200
            assert wanted in answer.headers["Cache-Control"]
    assert visitor.client.get("/static/../app.py", headers={"Host": HOST}).status_code == 404
    (tmp_path / "a.css").write_text("a")
    before = assets.digest_of(tmp_path)
    (tmp_path / "a.css").write_text("b")
    assert assets.digest_of(tmp_path) != before
