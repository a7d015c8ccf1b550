"""S14 and S15: text of people, agents and repositories stands on command lines as values, never as options."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.commands import CommandKind
from shared.errors import BadRequest, Refused
from tests.integration.landing.conftest import Landing
from tests.integration.landing.conftest import site as landing
from tests.unit.web.conftest import Api
from workers.attempts.starting import require_plain_words
from workers.repository import references
from workers.runners import Context, registry
from workers.runners.conformance import context

__all__ = ["landing"]

HOSTILE = [
    "--upload-pack=touch canary", "--output=canary", "-c", "-ccore.editor=touch canary", "ext::sh -c touch% canary",
    "a\nb", "@{-1}", ":/canary", "HEAD^{/canary}", "x" * 300, ".canary", "canary.lock", "canary..x", "-", "--", "canary\x7f",
    "canary~1", "refs/../canary", "canary\u202e", "$(touch canary)", "`touch canary`", "canary;touch canary", "\\canary",
    "--exec=touch canary", "-ucanary", "--receive-pack=canary", "canary//x", "canary@{u}", "canary:canary", "*canary",
]  # fmt: skip
#: Options whose next word is data whatever it begins with.
VALUED = {"-m", "--message", "--model", "--effort", "--resume", "-C", "--settings", "--mcp-config"}
WORDS = (
    st.text(max_size=40) | st.sampled_from(HOSTILE) | st.sampled_from(HOSTILE).map(lambda text: f"-{text}")
)


def misplaced(argv: Sequence[str], mark: str) -> list[str]:
    """Words with the mark in them that a program could read as an option."""
    found, data_only = [], False
    for before, word in zip(["", *argv], argv, strict=False):
        if mark in word and word.startswith("-") and not data_only and before not in VALUED:
            found.append(word)
        data_only = data_only or word in ("--", "--end-of-options")
    return found


@settings(max_examples=400, deadline=None)
@given(
    runner=st.sampled_from(["claude-code", "codex"]),
    mode=st.sampled_from(["live", "plan", "oneshot"]),
    words=st.fixed_dictionaries(
        {},
        optional={"model": WORDS, "effort": WORDS, "arguments": st.lists(WORDS, max_size=3)},
    ),
    goal=WORDS,
    session=WORDS,
)
def test_an_agents_command_line_has_the_same_form_whatever_it_is_asked(
    runner: str, mode: str, words: dict[str, Any], goal: str, session: str
) -> None:
    adapter = registry.get(runner)
    given: dict[str, Any] = {
        "goal": f"{goal} canary",
        "contained": True,
        "resume": True,
        "session_id": session,
    }
    made = context(**given, options={**words, "mode": mode})
    try:
        require_plain_words(adapter, made)
        argv = list(adapter.start(made).argv)
    except Refused:
        return
    plain = {name: "plain" for name in ("model", "effort") if words.get(name)}
    flags = [word for word in words.get("arguments", []) if word in adapter.capabilities.arguments]
    usual = list(adapter.start(_usual(mode, plain, words, session and "s")).argv)
    assert not any(
        "canary" in word for word in argv if word not in words.get("arguments", []) and word != session
    )
    changed = [word for word, known in zip(argv, usual, strict=True) if word != known]
    assert not [word for word in changed if word.startswith("-") and word not in flags]


def _usual(mode: str, plain: dict[str, str], words: dict[str, Any], session: str) -> Context:
    options = {**plain, "mode": mode, "arguments": ["plain"] * len(words.get("arguments", []))}
    return context(goal="g", contained=True, resume=True, session_id=session, options=options)


@pytest.mark.parametrize(
    "words", [["--dangerously-skip-permissions"], ["--max-turns", "--verbose"], ["plain"]]
)
def test_flags_from_before_the_runner_was_known_are_judged_at_the_start(words: list[str]) -> None:
    with pytest.raises(Refused):
        require_plain_words(registry.get("claude-code"), context(options={"arguments": words}))
    require_plain_words(registry.get("claude-code"), context(options={"arguments": ["--max-turns", "3"]}))


@pytest.mark.parametrize("session", ["--dangerously-bypass-approvals-and-sandbox", "-c", "a b", "a\nb"])
def test_a_session_an_agent_made_up_is_no_option(session: str) -> None:
    for runner in ("codex", "claude-code"):
        made = context(resume=True, session_id=session, options={"mode": "oneshot"})
        with pytest.raises(Refused):
            require_plain_words(registry.get(runner), made)


@pytest.fixture
def git_calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command line of git that is really run."""
    seen: list[list[str]] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, argv: Any, *rest: Any, **options: Any) -> None:
            if isinstance(argv, list) and argv[:1] == ["git"]:
                seen.append([str(word) for word in argv])
            super().__init__(argv, *rest, **options)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return seen


def test_a_whole_life_of_hostile_names_runs_nothing(landing: Landing, git_calls: list[list[str]]) -> None:
    """Title, file names, branch and message, from worktree to landing and cleanup."""
    files = [name for name in HOSTILE if "/" not in name and len(name) < 200 and name not in (".", "..")]
    script = "\n".join(f"printf x > ./{_quoted(name)}" for name in files)
    landing.sh("git branch -q 'canary;touch-canary'")
    task = landing.task(script, title="--upload-pack=touch canary", target_branch="canary;touch-canary")
    landing.done(task, CommandKind.CAPTURE)
    landing.done(task, CommandKind.PREVIEW)
    landing.done(task, CommandKind.MERGE, message="--amend\n-c canary\n\n--author=canary")
    assert landing.sh("git log -1 --format=%B 'canary;touch-canary' --").startswith("--amend")
    landing.done(task, CommandKind.CLEANUP)
    assert {tuple(argv): found for argv in git_calls if (found := misplaced(argv, "canary"))} == {}
    assert len(git_calls) > 30
    assert not list(Path(landing.folder).rglob("canary"))
    assert not Path("canary").exists()


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "'\\''") + "'"


@settings(max_examples=150, deadline=None, suppress_health_check=[])
@given(name=WORDS)
def test_a_name_of_a_branch_is_a_name_or_refused(name: str) -> None:
    try:
        assert references.branch_name(name) == name
    except BadRequest:
        return
    assert not name.startswith("-")
    assert subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"]).returncode == 0


def test_hostile_references_are_refused_or_merely_unknown(
    landing: Landing, git_calls: list[list[str]]
) -> None:
    repository = landing.repository()
    for name in HOSTILE:
        with pytest.raises(BadRequest):
            references.resolve(repository, name)
    assert {tuple(argv): found for argv in git_calls if (found := misplaced(argv, "canary"))} == {}
    assert not list(Path(landing.folder).rglob("canary"))


BAD_NAMES = [
    "LD_PRELOAD", "LD_LIBRARY_PATH", "GIT_DIR", "GIT_SSH_COMMAND", "PYTHONPATH", "PYTHONSTARTUP", "OPENRUNTIME_DATA",
    "OPENRUNTIME_TOKEN", "A=B", "A\nB", "A\0B", "A B", "", "1A", "Ä", "-A", "A-B", "A;B", "${A}", "A" * 129,
]  # fmt: skip


def test_variables_of_ours_and_of_loaders_cannot_be_granted(api: Api) -> None:
    shell = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}
    wrong = {name: status for name in BAD_NAMES if (status := _status(api, {**shell, "env": [name]})) != 422}
    assert wrong == {}
    workspace = api.post("/workspaces/register", {"path": api.new()["workspace"]}).json
    for name in BAD_NAMES:
        assert api("PATCH", f"/workspaces/{workspace['id']}", {"env": [name]}).status_code == 422, name


def _status(api: Api, body: dict[str, Any]) -> int:
    return api.post("/tasks", body).status_code


@pytest.mark.parametrize("field", ["base_ref", "target_branch"])
def test_a_reference_that_looks_like_an_option_is_refused_at_the_door(api: Api, field: str) -> None:
    shell = {"title": "t", "prompt": "p", "runner": "shell", "command": "true"}
    options = [text for text in HOSTILE if text.startswith("-") or "\n" in text or " " in text]
    assert {_status(api, {**shell, field: text}) for text in options} == {400}
