"""An agent's work as the store has it, told without an agent: every kind of row, a request that waits, rich changes."""

from __future__ import annotations

import textwrap
from datetime import timedelta
from uuid import uuid4

from shared import approvals, fleet, timeline
from shared.approvals import Question
from shared.clock import now
from shared.config import from_env
from shared.events import Category, Draft, Kind
from shared.fleet import RunnerState
from shared.lifecycle import Status
from shared.policy import Policy, report
from shared.policy.report import Ground
from shared.store.database import close, open_store, transaction
from shared.store.models import Attempt, Task
from tests.browser.captured import WORDS, capture
from tests.installation import Installation

#: What a hostile agent, file or person could write into every place that shows text.
PAYLOADS = (
    "<script>window.__xss = 1</script>",
    '"><img src=x onerror="window.__xss=1">',
    "'><svg/onload=window.__xss=1>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066 hidden\u200b\u00ad",
    "\x1b]8;;http://evil.invalid\x1b\\click\x1b]8;;\x1b\\ \x1b[31mred\x1b[0m \x1b[2J\x07",
    "[x](javascript:window.__xss=1) ![p](http://evil.invalid/p.png) <b>bold</b>",
)
REACH = (
    "Through our proxy it reaches api.anthropic.com:443, platform.claude.com:443 (its model); nothing else."
)
GROUND = Ground("bubblewrap", hosted=True, asks=True, separable=True, network=("enforced", REACH))
TESTS = [f"\x1b[32mPASS\x1b[0m tests/test_hub.py::test_resume_{n} [{n * 2:3}%]" for n in range(1, 48)]


def open_here(here: Installation) -> None:
    """Point this process at the installation's store; `close_here` gives it back."""
    open_store(from_env({"OPENRUNTIME_DATA": str(here.data)}))


def close_here() -> None:
    close()


def worker_and_runners() -> None:
    """This process stands in for a worker, so that pages do not warn of having none."""
    fleet.register_worker("story", "0")
    fleet.publish_runners(
        [
            RunnerState("codex", True, "codex", "0.142.0"),
            RunnerState("claude-code", True, "claude", "2.1.144"),
            RunnerState("shell", True, "sh", None),
        ]
    )


def task(title: str, runner: str = "claude-code", **more: object) -> tuple[Task, Attempt]:
    """A task in its first attempt, without a process."""
    at = now() - timedelta(minutes=12)
    with transaction():
        row = Task.create(
            **{
                "id": str(uuid4()),
                "title": title,
                "prompt": "The hub test fails one run in twenty. Find out why, fix it, and push the branch.",
                "runner": runner,
                "command": "claude",
                "workspace": "/home/ada/src/webshop",
                "status": Status.RUNNING,
                "budget_minutes": 30,
                "preset": "default",
                "policy": {"budget_cents": 500},
                "effective_policy": {"budget_cents": 500},
                "policy_report": report.of(Policy(budget_cents=500), GROUND),
                "branch": "openruntime/7f3c91aa-fix-flaky-hub-test",
                "target_branch": "main",
                "base_commit": "8fe6bd5" + "0" * 33,
                "worktree_path": "/home/ada/.local/share/openruntime/worktrees/7f3c91aa",
                "execution_workspace": "/home/ada/.local/share/openruntime/worktrees/7f3c91aa",
                "runner_session_id": "7f3c91aa-0d5e-4c1a-9c31-2b7f60c2aa91",
                "ledger": {"cost_micros": 840_000, "input_tokens": 182_400, "output_tokens": 9_120},
                "created_at": at,
                "updated_at": at,
                **more,
            }
        )
        attempt = Attempt.create(
            id=str(uuid4()),
            task=row.number,
            attempt_number=1,
            runner=runner,
            status=Status.RUNNING,
            queued_at=at,
            started_at=at + timedelta(seconds=1),
            worker="story",
        )
        Task.update(live_attempt=attempt.id).where(Task.number == row.number).execute()
    return Task.get_by_id(row.number), attempt


def say(
    row: Task, attempt: Attempt, kind: Kind, text: str, category: str | None = None, **about: object
) -> int:
    metadata = {"category": category, "attempt_id": attempt.id, **about} if category else None
    with transaction():
        return timeline.append(row.number, [Draft(kind, text, metadata)], attempt.id)


def met(row: Task, attempt: Attempt, host: str, port: int, verdict: str, count: int) -> None:
    """A host that its programs asked the proxy for."""
    where = f"{host}:{port}"
    why = f"{where} is not among the hosts this task may reach." if verdict == "refused" else ""
    about = {"verdict": verdict, "host": host, "port": port, "count": count, "why": why}
    say(
        row, attempt, Kind.LIFECYCLE, f"{why or f'Reached {where}'} ({count} times)", Category.POLICY, **about
    )


def lines(row: Task, attempt: Attempt, texts: list[str], stream: Kind = Kind.STDOUT) -> None:
    metadata = {"category": "runner-output", "stream": str(stream), "attempt_id": attempt.id}
    with transaction():
        timeline.append(row.number, [Draft(stream, text, metadata) for text in texts], attempt.id)


def call(
    row: Task, attempt: Attempt, tool: str, title: str, result: str, *, failed: bool = False, **given: object
) -> None:
    """A tool's call and its result."""
    name = str(uuid4())
    say(row, attempt, Kind.STDOUT, title, Category.TOOL_CALL, tool=tool, tool_use_id=name, input=given)
    say(row, attempt, Kind.STDOUT, result, Category.TOOL_RESULT, tool_use_id=name, failed=failed)


def hub_test() -> Task:
    """The agent that asks to push: every kind of row, and a request that waits."""
    row, attempt = task("Fix flaky hub test")
    say(row, attempt, Kind.LIFECYCLE, "Task created")
    say(
        row,
        attempt,
        Kind.LIFECYCLE,
        "Created an isolated worktree on branch openruntime/7f3c91aa-fix-flaky-hub-test",
    )
    say(
        row,
        attempt,
        Kind.STDOUT,
        "I'll run the test in a loop first, to see how often it fails and **where**.",
        Category.AGENT_MESSAGE,
    )
    call(
        row,
        attempt,
        "Bash",
        "pytest tests/test_hub.py -q --count 20",
        "\n".join(TESTS),
        command="pytest tests/test_hub.py -q --count 20",
    )
    met(row, attempt, "mirror.example", 443, "refused", 3)
    met(row, attempt, "docs.example", 443, "allowed", 2)
    call(row, attempt, "Read", "server/hub.py", "def resume(after):\n    ...", file_path="server/hub.py")
    say(
        row,
        attempt,
        Kind.STDOUT,
        "The subscriber is added after the page is read, so an event in between is lost.",
        Category.AGENT_THINKING,
    )
    call(
        row,
        attempt,
        "Bash",
        "pytest tests/test_hub.py::test_resume -x",
        "\x1b[31mE   AssertionError: 41 != 42\x1b[0m\n1 failed in 0.31s",
        failed=True,
        command="pytest tests/test_hub.py::test_resume -x",
    )
    say(
        row,
        attempt,
        Kind.STDOUT,
        textwrap.dedent("""\
        Found it. `resume()` reads the page **before** it subscribes, so an event committed in between reaches nobody:

        1. read events after the cursor,
        2. *an event is committed here*,
        3. subscribe.

        I'll swap the two and drop what arrives twice:

        ```python
        def resume(after):
            queue = subscribe()
            return [e for e in page(after) if e.seq > after], queue
        ```"""),
        Category.AGENT_MESSAGE,
    )
    call(
        row,
        attempt,
        "Edit",
        "server/hub.py:257",
        "The file was updated.",
        file_path="server/hub.py",
        old_string="page = read(after)\nqueue = subscribe()",
        new_string="queue = subscribe()\npage = read(after)",
    )
    say(
        row,
        attempt,
        Kind.INPUT,
        "Please keep the cursor exclusive, and add a test that commits in between.",
        Category.REPLY,
        delivery="live",
    )
    call(
        row,
        attempt,
        "Bash",
        "pytest tests/test_hub.py -q --count 200",
        "200 passed in 41.20s",
        command="pytest tests/test_hub.py -q --count 200",
    )
    lines(
        row,
        attempt,
        ["\x1b[33mwarning\x1b[0m: connection pool is at its limit", "retrying in 2 s"],
        Kind.STDERR,
    )
    say(row, attempt, Kind.LIFECYCLE, "204 lines were dropped: the log reached its limit", Category.GAP)
    say(row, attempt, Kind.STDOUT, "All 200 runs pass. Pushing the branch now.", Category.AGENT_MESSAGE)
    say(
        row, attempt, Kind.DIFF, " server/hub.py | 4 ++--\n 2 files changed, 31 insertions(+), 2 deletions(-)"
    )
    with transaction():
        for number, command in enumerate(
            ("git push origin openruntime/7f3c91aa-fix-flaky-hub-test", "gh pr create --fill --base main")
        ):
            approvals.ask(
                attempt.id,
                row.number,
                Question(
                    f"r{number}",
                    "Bash",
                    "Claude wants to run a command",
                    command,
                    {"command": command},
                    "/home/ada/.local/share/openruntime/worktrees/7f3c91aa",
                    ("network", "writes outside the worktree"),
                ),
            )
        Task.update(status=Status.NEEDS_INPUT).where(Task.number == row.number).execute()
    return Task.get_by_id(row.number)


def hostile() -> Task:
    """Every payload in every place that shows text."""
    row, attempt = task(
        "Hostile " + PAYLOADS[0] + PAYLOADS[4],
        branch="b" + PAYLOADS[1] + PAYLOADS[4],
        workspace="/src/" + PAYLOADS[2],
    )
    for payload in PAYLOADS:
        say(row, attempt, Kind.STDOUT, payload, Category.AGENT_MESSAGE)
        say(row, attempt, Kind.STDOUT, payload, Category.AGENT_THINKING)
        lines(row, attempt, [payload])
        lines(row, attempt, [payload], Kind.STDERR)
        call(row, attempt, payload, payload, payload, **{payload: payload, "long": payload + "\n" + payload})
        for kind, category in (
            (Kind.INPUT, Category.REPLY), (Kind.LIFECYCLE, Category.NEEDS_INPUT), (Kind.LIFECYCLE, Category.GAP),
            (Kind.ERROR, Category.REPLY_ERROR), (Kind.LIFECYCLE, Category.ATTEMPT_FAILED), (Kind.DIFF, None),
            (Kind.LIFECYCLE, None), (Kind.INPUT, None),
        ):  # fmt: skip
            say(row, attempt, kind, payload, category, reason=payload)
    with transaction():
        for number, payload in enumerate(PAYLOADS):
            approvals.ask(
                attempt.id,
                row.number,
                Question(f"h{number}", payload, payload, payload, {payload: payload}, payload, (payload,)),
            )
        Task.update(status=Status.NEEDS_INPUT).where(Task.number == row.number).execute()
    capture(
        row, [(f"dir/{payload}.txt".replace("\n", ""), [payload], [payload + " new"]) for payload in PAYLOADS]
    )
    return Task.get_by_id(row.number)


def flood(row: Task, attempt: Attempt, count: int) -> None:
    """Many lines of output, quickly."""
    texts = [
        f"\x1b[32mPASS\x1b[0m tests/test_{WORDS[n % len(WORDS)]}.py::test_{n} [{n % 100:3}%]"
        for n in range(count)
    ]
    for start in range(0, count, 5_000):
        lines(row, attempt, texts[start : start + 5_000])


def asks_a_question(text: str = "Which database should the tests use?") -> Task:
    """An agent that wants to know something before it goes on."""
    row, attempt = task("Set up the test database")
    say(
        row,
        attempt,
        Kind.STDOUT,
        "Before I write the fixtures I need to know two things.",
        Category.AGENT_MESSAGE,
    )
    options = [
        {"label": "SQLite", "description": "In memory, nothing to install."},
        {"label": "PostgreSQL", "description": "As in production, needs a container."},
    ]
    given = {
        "questions": [
            {"question": text, "header": "Database", "options": options, "multiSelect": False},
            {"question": "Which suites?", "header": "Suites", "multiSelect": True,
             "options": [{"label": "unit", "description": ""}, {"label": "browser", "description": ""}]},
        ]
    }  # fmt: skip
    with transaction():
        choices = tuple(given["questions"])
        approvals.ask(
            attempt.id,
            row.number,
            Question("q", "AskUserQuestion", f"Claude asks: {text}", None, given, choices=choices),
        )
        Task.update(status=Status.NEEDS_INPUT).where(Task.number == row.number).execute()
    return Task.get_by_id(row.number)
