"""Errors become one sentence and an exit code (openruntime/cli/exits.py)."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from openruntime.cli import access, exits
from openruntime.cli.context import Invocation
from shared.errors import ConfigError, Conflict, LandingRefused


@pytest.fixture
def where_raises(monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes the command `where` fail as told."""

    def arrange(error: BaseException) -> None:
        def fail(_: Invocation) -> None:
            raise error

        monkeypatch.setattr(access.where, "callback", lambda: fail(Invocation()))

    return arrange


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Conflict("It is running."), 1, "It is running.\n"),
        (ConfigError("PORT is bad."), 2, "PORT is bad.\n"),
        (Conflict("two\nlines \x1b[2Jhere"), 1, "two lines here\n"),
        (KeyboardInterrupt(), 130, None),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_each_error_has_its_code_and_one_sentence(
    where_raises, error: BaseException, code: int, said: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    where_raises(error)
    assert exits.run(["where"]) == code
    assert said is None or capfd.readouterr().err == said


def test_an_internal_error_names_its_report_and_the_report_names_no_argument(
    where_raises, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where_raises(ZeroDivisionError("a bug"))
    assert exits.run(["--data", str(tmp_path), "where"]) == 3
    said = capsys.readouterr().err
    report = Path(re.search(r"report is in (\S+)", said)[1])
    assert report.parent == tmp_path
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text()
    assert "- command: where" in text
    assert "ZeroDivisionError: a bug" in text


@pytest.mark.parametrize("words", [["bogus"], ["ps", "--bogus"], ["stop"], ["up", "--port", "x"], ["run"]])
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert exits.run(words) == 2
    assert capsys.readouterr().err


def test_a_bad_setting_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "many")
    assert exits.run(["where"]) == 2
    assert capsys.readouterr().err.startswith("PORT must be a whole number")


def test_a_refused_landing_names_what_stands_in_the_way() -> None:
    error = LandingRefused("The landing would overwrite your changes.", blocking=[{"path": "a.txt"}, "b.txt"])
    assert exits.sentence(error) == "The landing would overwrite your changes: a.txt, b.txt."
    many = LandingRefused("Conflicts.", conflicts=[f"{n}" for n in range(30)])
    assert exits.sentence(many).endswith("9 and 20 more.")


def test_help_lists_every_command_with_its_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    from openruntime.cli.root import MODULES

    assert exits.run(["--help"]) == 0
    listed = capsys.readouterr().out.partition("Commands:")[2]
    assert all(re.search(rf"^  {name} +\S", listed, re.M) for name in MODULES)
