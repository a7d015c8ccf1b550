"""Real tasks in every state, for pictures and for looking at every kind of card."""

from __future__ import annotations

import contextlib
import json
import textwrap
from datetime import timedelta
from pathlib import Path

from shared.clock import now, parse, rfc3339
from tests.installation import OPEN, Installation, git, repository
from tests.waiting import wait_until

QUESTION = "printf 'Delete 3 stale branches? [y/N] '; read answer; echo got $answer"
FLOOD = "for n in 1 2 3; do echo \"test_hub.py::test_resume_$n PASSED\"; done; echo 'collected 48 items'; sleep 600"
EDIT = textwrap.dedent("""\
    printf 'def resume(after):\\n    return [e for e in EVENTS if e > after]\\n' > stream.py
    printf 'one\\ntwo\\nthree and a half\\nfour\\n' > a.txt
    echo wrote stream.py""")


def workspaces(folder: Path) -> tuple[Path, Path]:
    """A repository with some branches and an uncommitted edit, and a plain folder."""
    shop = repository(folder / "webshop")
    for name in ("release-2.4", "fix/login-loop"):
        git(shop, "branch", name)
    (shop / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    notes = folder / "notes"
    notes.mkdir()
    return shop, notes


def tasks(here: Installation, shop: Path, notes: Path) -> dict[str, str]:
    """One task of every kind; returns their ids by what they are."""
    ids = {
        "merged": here.run(
            "echo pinned > pins.txt; echo pinned 4 packages", shop, title="Pin the build tools"
        ),
        "failed": here.run(
            "echo 'npm ERR! missing script: lint' >&2; exit 2", shop, title="Lint the storefront"
        ),
        "review": here.run(EDIT, shop, title="Add a resume cursor to the websocket stream"),
        "done": here.run("echo 214 links checked, 0 broken", notes, title="Check the links in the handbook"),
        "stopped": here.run("sleep 600", notes, title="Reindex everything"),
    }
    for name in ("merged", "failed", "review", "done"):
        here.until(ids[name])
    here.until(ids["stopped"], "running")
    here.post(f"/tasks/{ids['stopped']}/stop")
    git(shop, "checkout", "-q", "--", "a.txt")
    assert here.post(f"/tasks/{ids['merged']}/worktree/merge", {}).status in (200, 202)
    (shop / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    ids["question"] = here.run(QUESTION, shop, title="Tidy the branches")
    gated = here.create(
        "make release VERSION=2.4.1",
        shop,
        title="Release 2.4.1",
        policy={
            **{"allow_network": True, "allow_git_write": True, "allow_secrets": True, "blocked_commands": []},
            "require_approval": True,
        },
    )
    ids["gate"] = gated["id"]
    here.post(f"/tasks/{ids['gate']}/start")
    ids["running"] = here.run(FLOOD, shop, title="Run the whole suite until it is green")
    ids["watching"] = here.run(
        "while :; do date +'%T watching src/'; sleep 5; done", notes, title="Watch the build"
    )
    ids["unstarted"] = here.create("echo later", shop, title="Write the release notes", priority=2)["id"]
    here.until(ids["question"], "needs-input")
    for name in ("running", "watching"):
        here.until(ids[name], "running")
    with contextlib.suppress(AssertionError):
        here.post("/workspaces/register", {"path": str(shop)})
    return ids


#: What each task of the group does with its answer.
WAYS = textwrap.dedent("""\
    printf 'Cache, batch, or ask again? '; read way
    case $way in
    cache) printf 'import cache\\n' > fast.py; echo cached > a.txt;;
    batch) mkdir importer; seq 1 40 > importer/batch.py; seq 1 12 > importer/queue.py
        printf 'import cache\\n' > fast.py; echo batched > a.txt;;
    esac
    echo 'took the way of the' $way""")


def group(here: Installation, shop: Path) -> str:
    """Three tasks for one goal, two that ended with different changes and one that still asks; returns the group's id."""
    goal = {"title": "Speed up the importer", "prompt": "", "workspace": str(shop), "policy": OPEN}
    variants = [{"runner": "shell"}, {"runner": "shell", "preset": "full-access"}, {"runner": "shell"}]
    checks = {"checks": [{"name": "fast", "command": 'wc -l < a.txt; echo \'{"score": 0.8}\''},
                         {"name": "small", "command": "test ! -e importer"}]}  # fmt: skip
    made = here.post("/groups", {**goal, **checks, "command": WAYS, "variants": variants}).body
    for task in made["tasks"]:
        here.post(f"/tasks/{task['id']}/start")
    for task, way in zip(made["tasks"], ("cache", "batch", None), strict=True):
        here.until(task["id"], "needs-input")
        if way:
            here.post(f"/tasks/{task['id']}/reply", {"message": way})
            here.until(task["id"])
            here.post(f"/tasks/{task['id']}/verify", {})
    return str(made["id"])


#: Runner, id, folder, title, minutes ago, and what was said in turn.
HELD = (
    ("claude-code", "0b7d5a52-6c1e-4a43-9f0e-3d2f6a1c8e01", "webshop", "Rework the checkout's error messages", 34,
     ("The checkout says only “Something went wrong”. Make every failure say what to do.",
      "I have written one sentence for each of the nine failures; the card ones name the bank's own code.")),
    ("codex", "01997a40-52d1-7d33-8c1b-5a0c3b7e9f02", "notes", "Summarise the interviews", 190,
     ("Summarise the six interviews in this folder, one page, with quotes.",
      "Done: summary.md has five themes with eleven quotes, each with its interview and line.")),
    ("claude-code", "5e3f9b0c-0c55-4b7e-8a36-71b0c9d4aa03", "notes", None, 3_000,
     ("what does `git rerere` do, in two sentences?",
      "It remembers how you resolved a conflict. When the same conflict comes again, it resolves it that way.")),
)  # fmt: skip

#: The page of the first of them.
TRANSCRIPT = f"/ui/sessions/{HELD[0][0]}/{HELD[0][1]}"
LOOKED = (
    {"type": "thinking", "thinking": "The nine failures are in `checkout/errors.py`; first see who shows them."},
    {"type": "tool_use", "id": "t1", "name": "Bash",
     "input": {"command": "rg -n 'Something went wrong' shop", "description": "Find the sentence"}},
    {"type": "tool_use", "id": "t2", "name": "Bash",
     "input": {"command": "pytest -q shop/test_checkout.py", "description": "Run the tests"}},
)  # fmt: skip
FOUND = (
    {"type": "tool_result", "tool_use_id": "t1",
     "content": "\n".join(f"shop/checkout/errors.py:{12 + 7 * n}:    return \"Something went wrong\"" for n in range(9))},
    {"type": "tool_result", "tool_use_id": "t2", "is_error": True, "content": "1 failed, 40 passed in 2.1s"},
)  # fmt: skip


def sessions(here: Installation, places: dict[str, Path]) -> None:
    """Sessions a person held in a terminal, as both programs keep them, one with a sub-agent; and seen by the worker."""
    home = Path(here.settings["HOME"])
    for runner, id, place, title, minutes, said in HELD:
        at = rfc3339(now() - timedelta(minutes=minutes))
        write = _claude if runner == "claude-code" else _codex
        write(home, id, str(places[place]), title, str(at), said)
    wait_until(
        lambda: len(here.get("/runner-sessions").body["sessions"]) > len(HELD), 15, what="the sessions"
    )


def _claude(home: Path, id: str, cwd: str, title: str | None, at: str, said: tuple[str, ...]) -> None:
    folder = home / ".claude/projects" / cwd.replace("/", "-")
    about = {"sessionId": id, "cwd": cwd}
    asked, answered = said
    turns: list[tuple[str, object]] = [("user", asked)]
    if title:
        turns += [("assistant", list(LOOKED)), ("user", list(FOUND))]
    turns.append(("assistant", [{"type": "text", "text": answered}]))
    lines: list[dict[str, object]] = [
        {
            **about,
            "timestamp": _later(at, 7 * number),
            "type": role,
            "message": {"role": role, "content": content},
        }
        for number, (role, content) in enumerate(turns)
    ]
    _write(folder / f"{id}.jsonl", [*lines, *([{"type": "ai-title", "aiTitle": title}] if title else [])])
    if title:
        agent = {**about, "timestamp": at, "isSidechain": True, "agentId": "a1b2c3d4", "type": "user"}
        text = "Find every place in the shop that shows an error to a customer"
        _write(
            folder / id / "subagents/agent-a1b2c3d4.jsonl",
            [{**agent, "message": {"role": "user", "content": text}}],
        )


def _later(at: str, seconds: int) -> str:
    return str(rfc3339(parse(at) + timedelta(seconds=seconds)))


def _codex(home: Path, id: str, cwd: str, title: str | None, at: str, said: tuple[str, ...]) -> None:
    lines: list[dict[str, object]] = [
        {"timestamp": at, "type": "session_meta", "payload": {"id": id, "cwd": cwd, "timestamp": at}}
    ]
    for role, kind, text in zip(("user", "assistant"), ("input_text", "output_text"), said, strict=True):
        payload = {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
        lines.append({"timestamp": at, "type": "response_item", "payload": payload})
    _write(home / ".codex/sessions/2026/11/22" / f"rollout-2026-11-22T10-00-00-{id}.jsonl", lines)
    _write(home / ".codex/session_index.jsonl", [{"id": id, "thread_name": title, "updated_at": at}])


def _write(path: Path, lines: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
