"""No secret lands unless a person says so: not in a line, a name, a binary file, or a commit of the agent's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.commands import CommandKind
from shared.review import landings
from shared.secrets import keeping, kept

TOKEN = "ghp_abcdefghij0123456789abcdefghij012345"
KEPT = "hunter2-hunter2-long"


@pytest.fixture(autouse=True)
def _kept(site) -> Iterator[None]:
    kept.use_key(site.config)
    keeping.keep("DEPLOY", KEPT)
    yield
    kept.use_key(site.config)


def findings(problem) -> list[tuple[object, ...]]:
    return [(found["path"], found["line"], found["rule"]) for found in problem["blocking"]]


def test_secrets_refuse_the_landing_with_file_line_and_rule_and_never_the_value(site) -> None:
    task = site.task(
        f"echo 'key = {TOKEN}' >> a.txt; mkdir new; echo {KEPT} | base64 > new/encoded;"
        f" printf 'x\\0{KEPT}\\0' > blob.bin; touch 'is {KEPT}'; cp a.txt 'odd \" name'"
    )
    refused = site.refused(task, CommandKind.MERGE)
    assert (refused["status"], refused["slug"]) == (409, "landing-refused")
    assert findings(refused) == [
        ("a.txt", 4, "github-token"),
        ("blob.bin", 1, "the value of DEPLOY"),
        ("is [redacted]", None, "the value of DEPLOY"),
        ("new/encoded", 1, "the value of DEPLOY"),
        ('odd " name', 4, "github-token"),
    ]
    assert {found["overridable"] for found in refused["blocking"]} == {True}
    assert KEPT not in str(refused)
    assert TOKEN not in str(refused)
    shown = site.done(task, CommandKind.PREVIEW)
    assert (shown["clean"], shown["blocking"]) == (False, refused["blocking"])


def test_the_capture_warns_of_them_and_holds_neither(site) -> None:
    task = site.task(f"echo '{TOKEN}' >> a.txt; echo {KEPT} > 'is {KEPT}'")
    site.done(task, CommandKind.PREVIEW)
    row = landings.latest_capture(task)
    assert row is not None
    assert [(flag["kind"], flag["path"], flag["detail"]) for flag in row.flags] == [
        ("secret", "a.txt", "line 4: what looks like a github token"),
        ("secret", "is [redacted]", "the value of DEPLOY"),
        ("secret", "is [redacted]", "line 1: the value of DEPLOY"),
    ]
    for stored in (bytes(row.patch), repr(row.files).encode(), row.stat.encode()):
        assert KEPT.encode() not in stored
        assert TOKEN.encode() not in stored


def test_a_person_may_land_them_and_that_is_recorded(site) -> None:
    task = site.task(f"echo '{TOKEN}' >> a.txt")
    site.done(task, CommandKind.MERGE, override=["secrets"])
    landed = landings.last_landing(task)
    assert landed is not None
    assert [(found["kind"], found["path"], found["line"]) for found in landed.overridden] == [
        ("secrets", "a.txt", 4)
    ]
    assert TOKEN not in str(landed.overridden)


def test_a_change_that_takes_a_secret_out_lands(site) -> None:
    site.sh(f"echo {KEPT} > leaked; git add -A; git commit -qm leaked")
    task = site.task("git rm -q leaked")
    assert site.done(task, CommandKind.MERGE)["commit_oid"]


def test_a_secret_that_a_later_commit_of_the_agents_took_out_would_land_with_its_history(site) -> None:
    def work(message: str):
        return site.task(
            f"git commit -q --allow-empty -m '{message}'; echo {KEPT} > f; git add -A; git commit -qm one;"
            " echo clean > f; git commit -qam two",
            policy={"allow_git_write": True},
        )

    task = work(f"with {KEPT}")
    refused = site.refused(task, CommandKind.MERGE, strategy="rebase")
    (in_file, in_message) = sorted(findings(refused))
    assert in_file == ("f", 1, "the value of DEPLOY")
    assert str(in_message[0]).startswith("message of commit ")
    assert KEPT not in str(refused)
    assert site.done(task, CommandKind.MERGE, strategy="squash")["commit_oid"]


def test_the_lines_of_a_conflict_are_shown_without_the_secrets_in_them(site) -> None:
    task = site.task(f"echo 'mine {TOKEN} {KEPT}' > a.txt")
    site.sh(f"echo 'yours {TOKEN} too' > a.txt; git commit -qam yours")
    shown = site.done(task, CommandKind.PREVIEW)
    assert [found["path"] for found in shown["conflicts"]] == ["a.txt"]
    assert "mine [redacted] [redacted]" in str(shown)
    assert TOKEN not in str(shown)
    assert KEPT not in str(shown)
