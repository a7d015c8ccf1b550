"""Errors, settings, instants, events and the lifecycle: values without a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock, config, errors, lifecycle
from shared.config import from_env
from shared.errors import ConfigError, Conflict, GitFailed, OpenRuntimeError, Refused
from shared.events import event_id
from shared.lifecycle import ENDED, LIVE, Status, StopReason

STATUSES = {
    "BadRequest": 400, "Unauthenticated": 401, "Forbidden": 403, "PolicyViolation": 403, "NotFound": 404,
    "Conflict": 409, "LandingRefused": 409, "UnmergedWork": 409, "NotReady": 412, "TooLarge": 413,
    "UnsupportedMedia": 415, "Misdirected": 421, "WrongShape": 422, "TooManyRequests": 429,
    "NotImplementedHere": 501, "Unavailable": 503,
}  # fmt: skip


def below(kind: type[OpenRuntimeError]) -> list[type[OpenRuntimeError]]:
    return [found for child in kind.__subclasses__() for found in (child, *below(child))]


def test_every_refusal_has_its_status_and_a_slug_of_its_own() -> None:
    refusals = [kind for kind in below(Refused) if kind.__module__ == "shared.errors"]
    assert {kind.__name__: kind("x").status for kind in refusals} == STATUSES
    assert len({kind("x").slug for kind in refusals}) == len(refusals)


def test_the_docstring_draws_the_whole_tree() -> None:
    ours = [kind for kind in below(OpenRuntimeError) if kind.__module__ == "shared.errors"]
    assert [kind.__name__ for kind in ours if kind.__name__ not in (errors.__doc__ or "")] == []


def test_a_refusal_carries_its_sentence_and_further_fields() -> None:
    refused = errors.LandingRefused("In the way.", blocking=["a"])
    assert (str(refused), refused.detail, refused.extra) == (
        "In the way.",
        "In the way.",
        {"blocking": ["a"]},
    )


def test_usage_errors_exit_with_2_and_others_with_1() -> None:
    assert ConfigError("x").exit_code == 2
    assert Conflict("x").exit_code == 1


@pytest.mark.parametrize(
    ("stderr", "said"),
    [("a\nfatal: no\n", "git push failed: fatal: no"), ("", "git push failed: exit code 3")],
)
def test_a_failed_git_says_its_last_line(stderr: str, said: str) -> None:
    assert str(GitFailed(["push", "x"], 3, stderr)) == said


# Instants


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_comes_back_from_microseconds_and_from_text(at: datetime) -> None:
    assert clock.from_micros(clock.to_micros(at)) == at
    text = clock.rfc3339(at)
    assert text is not None
    assert text.endswith("Z")
    assert clock.parse(text) == at


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 9))
def test_the_reference_systems_instants_are_read_with_up_to_nine_digits(at: datetime, digits: int) -> None:
    fraction = f"{at.microsecond:06d}789"[:digits]
    text = f"{at:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + (f".{fraction}" if fraction else "") + "+00:00"
    found = clock.parse(text)
    assert found == at.replace(microsecond=int(fraction[:6].ljust(6, "0") or 0))


def test_other_zones_become_utc_and_none_stays_none() -> None:
    at = datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=3)))
    assert clock.rfc3339(at) == "2026-01-01T00:00:00.000000Z"
    assert clock.parse("2026-01-01T03:00:00+03:00") == at
    assert clock.rfc3339(None) is None


@pytest.mark.parametrize("text", ["", "x", ".", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_instant_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        clock.parse(text)


def test_an_events_id_is_derived_from_its_task_and_place() -> None:
    task, other = str(uuid4()), str(uuid4())
    assert UUID(event_id(task, 1)).version == 5
    assert event_id(task, 1) == event_id(task.upper(), 1)
    assert len({event_id(task, 1), event_id(task, 2), event_id(other, 1)}) == 3


# The lifecycle

MOVES = {
    (Status.QUEUED, target) for target in (Status.RUNNING, Status.NEEDS_INPUT, Status.STOPPED, Status.FAILED)
} | {
    (source, target)
    for source in LIVE
    for target in (*ENDED, *LIVE, Status.QUEUED)
    if source is not target
} | {
    (source, target)
    for source in ENDED
    for target in (Status.QUEUED, Status.NEEDS_INPUT, Status.COMPLETED)
}  # fmt: skip


@pytest.mark.parametrize(("source", "target"), list(product(Status, Status)))
def test_a_move_between_states_is_legal_or_a_conflict(source: Status, target: Status) -> None:
    assert (source in lifecycle.sources(target)) == ((source, target) in MOVES)
    if (source, target) in MOVES:
        lifecycle.require(source, target)
    else:
        with pytest.raises(Conflict, match=f"{source}.*{target}"):
            lifecycle.require(source, target)


def test_live_and_ended_share_nothing_and_only_queued_is_neither() -> None:
    assert {Status.QUEUED} == set(Status) - LIVE - ENDED
    assert not LIVE & ENDED


@pytest.mark.parametrize(
    ("code", "stopped", "changed", "failed"),
    list(product((0, 1, 137, None), (None, *StopReason), (False, True), (False, True))),
)
def test_how_an_attempt_ends(code: int | None, stopped: str | None, changed: bool, failed: bool) -> None:
    found = lifecycle.after_exit(code=code, stop_reason=stopped, has_changes=changed, failed=failed)
    if stopped:
        assert found is Status.STOPPED
    elif failed or code != 0:
        assert found is Status.FAILED
    else:
        assert found is (Status.READY_FOR_REVIEW if changed else Status.COMPLETED)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((0, None, ""), "exit status: 0"),
        ((None, 9, "SIGKILL"), "signal: 9 (SIGKILL)"),
        ((None, 63, ""), "signal: 63"),
        ((None, None, ""), None),
    ],
)
def test_an_exit_is_worded_as_the_reference_system_does(
    given: tuple[int | None, int | None, str], said: str | None
) -> None:
    assert lifecycle.exit_status(*given) == said


# Settings


def test_the_defaults_stand_in_the_contract(tmp_path: Path, home: Path) -> None:
    found = from_env({}, data=tmp_path)
    assert (found.host, found.port, found.broker, found.max_attempts) == ("127.0.0.1", 8080, "sqlite", 8)
    assert (found.public_hosts, found.cors_origins, found.behind_proxy) == ((), (), False)
    assert found.database == tmp_path / "openruntime.sqlite3"
    assert found.url == "http://127.0.0.1:8080"
    assert config.default_data(config.APP) == config.APP / "data"
    assert home in config.default_data(tmp_path).parents


def test_every_setting_is_read() -> None:
    found = from_env(
        {
            "OPENRUNTIME_DATA": "~/data",
            "OPENRUNTIME_DB": "sub/../x.db",
            "OPENRUNTIME_BROKER": "redis://h:1/0",
            "OPENRUNTIME_HOST": "[::1]",
            "PORT": "0",
            "OPENRUNTIME_MAX_ATTEMPTS": " 3 ",
            "OPENRUNTIME_CONTAINMENT": "landlock",
            "OPENRUNTIME_PUBLIC_HOSTS": "a.example, b.example:81,,",
            "OPENRUNTIME_CORS_ORIGINS": "https://A.example:443/ , http://[::1]:3000",
            "OPENRUNTIME_BEHIND_PROXY": "1",
        }
    )
    assert found.data == Path.home() / "data"
    assert found.database == Path.cwd() / "x.db"
    assert (found.broker, found.host, found.port, found.max_attempts) == ("redis://h:1/0", "::1", 0, 3)
    assert found.url == "http://[::1]:0"
    assert found.public_hosts == ("a.example", "b.example:81")
    assert found.cors_origins == ("https://a.example", "http://[::1]:3000")
    assert found.behind_proxy
    assert found.containment == from_env(found.environ()).containment == "landlock"


def test_the_legacy_database_name_is_read_when_ours_is_unset(tmp_path: Path) -> None:
    legacy = {"MANAGED_AGENTS_DB": str(tmp_path / "old.db")}
    assert from_env(legacy).database == tmp_path / "old.db"
    both = {**legacy, "OPENRUNTIME_DB": str(tmp_path / "new.db")}
    assert from_env(both).database == tmp_path / "new.db"
    assert from_env({**legacy, "OPENRUNTIME_DB": ""}).database == tmp_path / "old.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *product(["PORT"], ["x", "-1", "65536", "8080.0", "8_0", "٣", "9" * 5000, "0x50"]),
        *product(["OPENRUNTIME_MAX_ATTEMPTS"], ["0", "-1", "10001", "many"]),
        *product(["OPENRUNTIME_BROKER"], ["x", "http://h", "amqp://h", "redis://[", "SQLITE"]),
        *product(["OPENRUNTIME_HOST"], ["a/b", "a b", "a,b", "u@h", "127.0.0.1:80"]),
        *product(
            ["OPENRUNTIME_CORS_ORIGINS"],
            [
                "*",
                "null",
                "a.example",
                "https://",
                "ftp://a",
                "https://a/b",
                "https://a?b",
                "https://a#b",
                "https://u@a",
                "https://[",
                "https://*.a",
            ],
        ),
        ("OPENRUNTIME_CONTAINMENT", "docker"),
        ("OPENRUNTIME_DATA", "~nobody-of-that-name/x"),
        ("OPENRUNTIME_DB", "~nobody-of-that-name/x"),
    ],
)
def test_an_unusable_setting_is_one_sentence(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_env({name: value})
    sentence = str(caught.value)
    assert name in sentence or value in sentence
    assert len(sentence) < 200
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("127.evil.example", False),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert config.is_loopback(host) is loopback


def test_a_child_process_reads_the_same_settings(tmp_path: Path) -> None:
    found = from_env(
        {"OPENRUNTIME_HOST": "::1", "PORT": "81", "MANAGED_AGENTS_DB": "/x/old.db"}, data=tmp_path
    )
    again = from_env(found.environ())
    assert (again.data, again.database, again.host, again.port) == (tmp_path, Path("/x/old.db"), "::1", 81)


def test_every_path_of_ours_lies_in_the_data_directory(tmp_path: Path) -> None:
    found = from_env({}, data=tmp_path)
    places = {found.token_file, found.broker_file, found.worktrees, found.attempts, found.repositories}
    assert {place.parent for place in places} == {tmp_path}
    assert len(places) == 5
