"""`deploy print` fills the shipped files in for this machine (openruntime/cli/deployment.py)."""

from __future__ import annotations

import configparser
import json
import sys
from pathlib import Path

import pytest

from openruntime import APP
from openruntime.cli import deployment, exits
from shared.config import from_env
from shared.errors import OpenRuntimeError

ODD = "/srv/a b/100%"


def filled_in(kind: str) -> str:
    text = (APP / "deploy" / deployment.FILES[kind]).read_text()
    return deployment.filled_in(kind, text, from_env({}, data=ODD), APP)


@pytest.mark.parametrize("kind", list(deployment.FILES))
def test_every_shipped_file_is_printed(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert exits.run(["--data", ODD, "deploy", "print", kind]) == 0
    printed = capfd.readouterr().out
    assert printed == filled_in(kind)
    assert exits.run(["--data", ODD, "--json", "deploy", "print", kind]) == 0
    assert json.loads(capfd.readouterr().out) == {"kind": kind, "text": printed}


def test_supervisor_reads_back_the_program_and_the_folder() -> None:
    parsed = configparser.ConfigParser(
        interpolation=configparser.BasicInterpolation(), inline_comment_prefixes=(" ;",)
    )
    parsed.read_string(filled_in("supervisor"))
    assert parsed["program:web"]["command"].endswith(f"openruntime --data '{ODD}' web")
    assert parsed["supervisord"]["logfile"] == f"{ODD}/supervisord.log"
    assert str(Path(sys.executable).parent) in parsed["program:worker"]["command"]


def test_systemd_keeps_percent_signs_and_blanks() -> None:
    start = next(line for line in filled_in("systemd").splitlines() if line.startswith("ExecStart="))
    assert start.endswith('openruntime --data "/srv/a b/100%%" up')


def test_compose_has_no_relative_path_left() -> None:
    text = filled_in("compose")
    assert f"context: {APP}\n" in text
    assert f"- {APP}/deploy/docker/redis.conf:/etc/redis/redis.conf:ro" in text
    assert "../" not in text.partition("\nx-program")[2]


def test_a_file_that_no_longer_has_what_we_fill_in_is_an_error_not_a_wrong_file() -> None:
    with pytest.raises(OpenRuntimeError, match="does not contain"):
        deployment.filled_in("systemd", "[Service]\n", from_env({}, data="/d"), APP)
