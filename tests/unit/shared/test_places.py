"""Workers and runners, workspaces, credentials, and the lock on a data directory."""

from __future__ import annotations

import json
import os
import threading
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from shared import fleet, instance, workspaces
from shared.access import accounts
from shared.clock import now
from shared.config import Config, from_env
from shared.errors import BadRequest, InstanceRunning, NotFound
from shared.fleet import RunnerState
from shared.store.database import close
from shared.store.models import Login, LoginLink, Worker
from tests.unit.shared.played import WORKER, Board

# Fleet


def test_a_worker_is_live_while_it_was_heard_lately(config: Config) -> None:
    fleet.register_worker(WORKER, "1")
    fleet.register_worker("silent", "1")
    Worker.update(seen_at=now() - timedelta(seconds=fleet.SILENT_SECONDS + 1)).where(
        Worker.id == "silent"
    ).execute()
    assert [(one.id, one.host, one.pid) for one in fleet.live_workers()] == [
        (WORKER, fleet.host(), os.getpid())
    ]
    assert {one.id for one in fleet.workers()} == {WORKER, "silent"}
    fleet.beat("silent")
    assert len(fleet.live_workers()) == 2
    fleet.register_worker(WORKER, "2")
    fleet.forget_worker("silent")
    fleet.beat("unknown")
    assert [one.version for one in fleet.workers()] == ["2"]


def test_runners_stand_in_the_reference_systems_order_known_or_not(config: Config) -> None:
    unknown = fleet.runners()
    assert [(one.name, one.available, one.command) for one in unknown] == [
        ("codex", False, "codex"),
        ("claude-code", False, "claude"),
        ("shell", True, "/bin/sh"),
    ]
    assert unknown[0].detail
    found = RunnerState("claude-code", True, "/bin/claude", "2.1", None, {"display": "x"})
    fleet.publish_runners([RunnerState("zed", True, "zed"), RunnerState("aider", True, "aider"), found])
    assert [one.name for one in fleet.runners()] == ["codex", "claude-code", "shell", "aider", "zed"]
    assert fleet.runner("claude-code") == found
    assert fleet.runner("nobody") is None


# Workspaces


def test_a_workspace_is_the_real_folder_behind_what_was_written(tmp_path: Path) -> None:
    folder = (tmp_path / "a b ?%é").resolve()
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    for text in (str(folder), f" {folder}/ ", "a b ?%é", "./x/../a b ?%é", "link"):
        assert workspaces.resolve(text, tmp_path) == folder
    for text in (None, "", "  ", "."):
        assert workspaces.resolve(text, tmp_path) == tmp_path.resolve()


@pytest.mark.parametrize("text", ["no/such", "~", "file", "file/x", "loop", "a\0b", "x" * 5000, "x/" * 5000])
def test_what_is_no_folder_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BadRequest):
        workspaces.resolve(text, tmp_path)


def test_registering_twice_touches_the_one_entry(board: Board) -> None:
    first = workspaces.register(".", board.home)
    again = workspaces.register(str(board.home), board.home)
    assert again.id == first.id == workspaces.workspace_id(str(board.home))
    assert UUID(first.id).version == 5
    assert again.updated_at > first.updated_at
    assert (first.name, workspaces.get(first.id)) == (board.home.name, first)
    for path in ("", " ", "/"):
        with pytest.raises(BadRequest):
            workspaces.register(path, board.home)


def test_defaults_merge_and_none_takes_one_away(board: Board) -> None:
    id = workspaces.register(".", board.home).id
    workspaces.change(id, {"preset": "auto-review", "verify": "make test"})
    workspaces.change(id, {"verify": None, "env": ["A"]})
    assert workspaces.defaults_for(str(board.home)) == {"preset": "auto-review", "env": ["A"]}
    workspaces.forget(id)
    assert workspaces.defaults_for(str(board.home)) == {}
    for verb in (workspaces.get, workspaces.forget, lambda id: workspaces.change(id, {})):
        with pytest.raises(NotFound):
            verb(id)
    assert board.home.is_dir()


def test_the_list_begins_with_the_servers_folder_then_goes_by_use(board: Board) -> None:
    folders = [board.home / name for name in ("old", "new", "registered", "gone")]
    for folder in folders:
        folder.mkdir()
    old, new, registered, gone = (str(folder) for folder in folders)
    board.new(workspace=new)
    board.new(workspace=gone)
    workspaces.register(old, board.home)
    workspaces.register(registered, board.home)
    board.new(workspace=old)
    board.new(workspace=new)
    Path(gone).rmdir()
    found = workspaces.listed(board.home)
    assert [path for _, _, path in found] == [str(board.home), new, old, registered]
    assert [name for _, name, _ in found][1:] == ["new", "old", "registered"]


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("Fix the login!", "fix-the-login"),
        ("", "task"),
        ("漢字", "task"),
        ("a" * 99, "a" * 40),
        ("../../x", "x"),
        ("x" * 39 + " y", "x" * 39),
    ],
)
def test_a_title_becomes_the_readable_part_of_a_branch(text: str, slug: str) -> None:
    assert workspaces.slug(text) == slug


# Accounts


def test_the_owners_token_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    config = from_env({}, data=tmp_path / "data")
    tokens: set[str] = set()
    threads = [threading.Thread(target=lambda: tokens.add(accounts.owner_token(config))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 1
    (token,) = tokens
    assert len(token) >= 40
    assert config.token_file.stat().st_mode & 0o777 == 0o600
    assert config.data.stat().st_mode & 0o777 == 0o700
    assert os.listdir(config.data) == ["token"]
    assert accounts.is_owner(config, token)
    for other in ("", token[:-1], f"{token}x", "\udc80"):
        assert not accounts.is_owner(config, other)


def test_an_empty_token_file_is_made_anew(tmp_path: Path) -> None:
    config = from_env({}, data=tmp_path)
    config.token_file.touch()
    assert accounts.is_owner(config, accounts.owner_token(config))
    assert not accounts.is_owner(config, "")


def test_a_sign_in_link_works_once_and_for_five_minutes(config: Config) -> None:
    link, late = accounts.mint_link(), accounts.mint_link()
    assert link not in [row.hash for row in LoginLink.select()]
    assert accounts.redeem(link)
    assert not accounts.redeem(link)
    LoginLink.update(expires_at=now() - timedelta(seconds=1)).execute()
    assert not accounts.redeem(late)
    assert not accounts.redeem("")
    accounts.mint_link()
    assert LoginLink.select().count() == 1


def test_twenty_uses_of_one_link_sign_in_once(config: Config) -> None:
    link, used = accounts.mint_link(), []

    def use() -> None:
        used.append(accounts.redeem(link))
        close()

    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(used) == [False] * 19 + [True]


def test_a_browser_login_ends_with_sign_out_or_after_thirty_days(config: Config) -> None:
    cookie, csrf = accounts.sign_in()
    other, _ = accounts.sign_in()
    found = accounts.login(cookie)
    assert found is not None
    assert (found.csrf, cookie == found.hash) == (csrf, False)
    assert accounts.login("x") is None
    accounts.sign_out(cookie)
    assert accounts.login(cookie) is None
    Login.update(expires_at=now()).execute()
    assert accounts.login(other) is None
    accounts.sign_in()
    assert Login.select().count() == 1


# The instance


def test_one_instance_holds_a_data_directory(tmp_path: Path) -> None:
    config = from_env({}, data=tmp_path / "data")
    with instance.hold(config):
        instance.publish(config, "http://127.0.0.1:1")
        with pytest.raises(InstanceRunning, match=r"127\.0\.0\.1:1"), instance.hold(config):
            pass
    assert instance.running_at(config) == "http://127.0.0.1:1"
    with instance.hold(config):
        instance.withdraw(config)
    assert instance.running_at(config) is None
    modes = {path.name: path.stat().st_mode & 0o777 for path in config.data.iterdir()}
    assert modes == {"instance.lock": 0o600}


@pytest.mark.parametrize("note", ["", "[]", "{", '{"pid": 1}', "\0"])
def test_a_spoilt_note_is_no_instance(tmp_path: Path, note: str) -> None:
    config = from_env({}, data=tmp_path)
    (tmp_path / "instance.json").write_text(note)
    assert instance.running_at(config) is None
    instance.withdraw(config)


def test_another_instances_note_stays(tmp_path: Path) -> None:
    config = from_env({}, data=tmp_path)
    (tmp_path / "instance.json").write_text(json.dumps({"url": "http://x", "pid": os.getpid() + 1}))
    instance.withdraw(config)
    assert instance.running_at(config) == "http://x"
