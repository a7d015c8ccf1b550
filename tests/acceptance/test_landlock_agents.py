"""The real agents where only Landlock contains them: they work, resume, and reach none of what is not theirs."""

from __future__ import annotations

import pytest

from tests.agents.site import site
from workers.shim import landlock

pytestmark = [
    pytest.mark.agents,
    pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock"),
]

PLANTED = "planted"
TRY = (
    "cat ~/.ssh/key; for file in $SETTINGS ~/planted ../planted; do (echo planted >> $file) 2>/dev/null && echo WROTE $file; done;"
    ' cat ../../token; python3 -c \'import socket; socket.create_connection(("127.0.0.1", $PORT)); print("REACHED")\';'
    " git status --short; echo x > kept; mktemp > /dev/null && echo TEMPORARY"
)
SETTINGS = {"claude-code": "$CLAUDE_CONFIG_DIR/settings.json", "codex": "$CODEX_HOME/config.toml"}


@pytest.mark.parametrize("runner", ["claude-code", "codex"])
def test_a_real_agent_works_and_resumes_there_and_reaches_nothing_else(runner: str) -> None:
    with site(runner, OPENRUNTIME_CONTAINMENT="landlock", CLAUDE_CONFIG_DIR=None) as agent:
        (agent.folder / "home/.ssh").mkdir()
        (agent.folder / "home/.ssh/key").write_text("PRIVATE")
        tried = TRY.replace("$SETTINGS", SETTINGS[runner]).replace(
            "$PORT", agent.installation.address.split(":")[1]
        )
        task_id = agent.start({"run": tried}, {"say": "Done."}, policy={})
        task = agent.ended(task_id, "ready-for-review")
        results = agent.results(task_id)
        assert "TEMPORARY" in results
        assert "Permission denied" in results
        assert all(word not in results for word in ("PRIVATE", "WROTE", "REACHED", agent.installation.token))
        assert agent.made(task_id, "kept").read_text() == "x\n"
        report = task["policy_report"]
        assert {report[field][0] for field in ("workspace_access", "agent_home", "allow_git_write")} == {
            "enforced"
        }
        assert agent.model.address.split(":")[-1] in report["network_mode"][1], "its model's port"
        agent.reply(task_id, "And then?")
        again = agent.ended(task_id, "ready-for-review", attempts=2)
        assert again["runner_session_id"] == task["runner_session_id"]
        assert agent.said(task_id) == ["Done.", "The script is over."]
        (home,) = (agent.installation.data / "homes" / task_id).glob("*.view")
        assert not list(home.parent.glob("*.logins")), "copies of logins are put away"
