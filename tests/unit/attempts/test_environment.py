"""What an agent's environment holds, and what never reaches it."""

from __future__ import annotations

from shared.policy import FULL_ACCESS, Policy
from workers.attempts.environment import build

OWN = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/home/me",
    "LC_ALL": "C.UTF-8",
    "OPENRUNTIME_DATA": "/data",
    "GIT_DIR": "/elsewhere",
    "PYTHONPATH": "/evil",
    "LD_PRELOAD": "/evil.so",
    "AWS_SECRET_ACCESS_KEY": "canary",
    "ANTHROPIC_API_KEY": "sk-ant-key",
    "GRANTED": "value-granted",
}


def built(passes: tuple[str, ...] = (), granted: dict[str, str] | None = None, policy: Policy | None = None):
    return build(
        OWN,
        policy=policy or Policy(),
        passes=passes,
        additions={},
        granted=granted or {},
        task_id="task",
        attempt_id="attempt",
    )


def test_only_the_allow_list_and_the_hints_reach_an_agent() -> None:
    environment, _ = built()
    assert not {"GIT_DIR", "PYTHONPATH", "LD_PRELOAD", "OPENRUNTIME_DATA", "AWS_SECRET_ACCESS_KEY"} & set(
        environment
    )
    assert environment["LC_ALL"] == "C.UTF-8"
    assert environment["OPENRUNTIME_ATTEMPT_ID"] == "attempt"


def test_a_runner_gets_its_own_variables_and_their_keys_are_redacted() -> None:
    environment, secrets = built(passes=("ANTHROPIC_*",))
    assert environment["ANTHROPIC_API_KEY"] == "sk-ant-key"
    assert secrets == {"the worker's ANTHROPIC_API_KEY": "sk-ant-key"}


def test_what_is_granted_is_passed_over_what_the_worker_has() -> None:
    environment, _ = built(granted={"GRANTED": "value-granted", "ANTHROPIC_API_KEY": "kept"})
    assert (environment["GRANTED"], environment["ANTHROPIC_API_KEY"]) == ("value-granted", "kept")


def test_the_hints_are_those_of_the_reference_system() -> None:
    environment, _ = built()
    assert environment["OPENRUNTIME_NETWORK_MODE"] == "disabled"
    assert environment["OPENRUNTIME_GIT_WRITE"] == "false"
    assert environment["OPENRUNTIME_SECRET_ACCESS"] == "disabled"
    assert "OPENRUNTIME_SECRET_ACCESS" not in built(policy=FULL_ACCESS)[0]
