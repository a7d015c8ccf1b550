"""`openruntime token` against a real server: minted, used, listed and revoked as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

from shared.clock import now, parse
from tests.installation import Installation


def typed(site: Installation, *words: str) -> tuple[int, str, str]:
    argv = [sys.executable, "-P", "-m", "openruntime", *words]
    done = subprocess.run(argv, env=site.environment, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def test_a_token_is_made_used_listed_and_revoked(site: Installation) -> None:
    code, out, told = typed(site, "token", "create", "--name", "ci", "--expires", "30d")
    secret = out.strip()
    assert (code, secret[:9]) == (0, "or_token_")
    assert "not shown again" in told
    assert secret not in told
    as_program = {"Authorization": f"Bearer {secret}"}
    assert site.request("GET", "/tasks", headers=as_program).status == 200
    assert site.request("POST", "/tokens", {}, as_program).status == 403
    (row,) = json.loads(typed(site, "--json", "token", "ls")[1])
    assert row["name"] == "ci"
    assert timedelta(days=29) < parse(row["expires_at"]) - now() < timedelta(days=31)
    assert typed(site, "token", "revoke", "ci")[0] == 0
    assert site.request("GET", "/tasks", headers=as_program).status == 401
    assert typed(site, "token", "revoke", "ci")[0] == 1


def test_a_wrong_lifetime_is_a_matter_of_usage(site: Installation) -> None:
    for text in ("soon", "30", "-1d", "2026-13-01", ""):
        code, out, told = typed(site, "token", "create", "--expires", text)
        assert (code, out) == (2, ""), text
        assert "30d" in told
