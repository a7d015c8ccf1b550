"""What an agent asks until a person's browser shows it, and what a person says until the agent has it.

The agent is a stand-in that speaks Claude Code's protocol and writes its own clock into what it asks: a real one would
add its own time. Everything else is real: shim, worker, store, web, stream, Chromium.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from bench import dashboard
from bench.places import installation, repository
from bench.samples import Row, percentile, row, until
from tests.installation import Installation

QUESTIONS, REPLIES = 120, 200
SEEN_P50_MS, SEEN_P99_MS = 250.0, 600.0
HEARD_P50_MS, HEARD_P99_MS = 60.0, 250.0
AGENT = """#!/usr/bin/env python3
import json, sys, time
def say(**item):
    sys.stdout.write(json.dumps(item) + "\\n"); sys.stdout.flush()
def hear():
    line = sys.stdin.readline()
    if not line: sys.exit(0)
    return json.loads(line), time.time()
def tell(text):
    say(type="assistant", message={{"role": "assistant", "content": [{{"type": "text", "text": text}}]}})
if "--input-format" not in sys.argv:
    print("2.1.0"); sys.exit(0)
hear()
say(type="system", subtype="init", session_id="s", permissionMode="default", tools=["AskUserQuestion"])
for number in range({questions}):
    time.sleep(0.4)  # further apart than a page refreshes itself
    say(type="control_request", request_id=f"r{{number}}", request={{"subtype": "can_use_tool", "tool_name": "Bash",
        "input": {{"command": f"echo {{time.time():.6f}}"}}}})
    _, at = hear()
    tell(f"heard {{at:.6f}}")
while True:
    item, at = hear()
    if item.get("type") == "user": tell(f"heard {{at - float(item['message']['content']):.6f}}")
"""
#: Notes when the text of each question was first painted.
WATCH = """() => {
  window.seen = {};
  const look = () => {
    for (const node of document.querySelectorAll('#pinned pre.command')) {
      const text = node.textContent.trim();
      if (text.startsWith('echo ') && !(text in window.seen)) {
        window.seen[text] = 0;
        requestAnimationFrame(() => { window.seen[text] = Date.now() / 1000; });
      }
    }
  };
  look();
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def measure(questions: int = QUESTIONS, replies: int = REPLIES) -> list[Row]:
    """Milliseconds, p50 and p99: asked to painted, and a reply's request to the agent's standard input."""
    programs = Path(__file__).resolve().parent.parent / ".cache/bench"
    programs.mkdir(parents=True, exist_ok=True)
    program = programs / "claude"
    program.write_text(AGENT.format(questions=questions))
    program.chmod(0o755)

    with installation(PATH=f"{programs}:{os.environ['PATH']}") as (running, folder):
        until(lambda: _is_there(running), 15, every=0.05, what="the stand-in to be found")
        task_id = _start(running, repository(folder / "repo"))
        with dashboard.page(running) as page:
            page.goto(f"http://{running.address}/ui/tasks/{task_id}")
            page.wait_for_selector("#connection[data-state=live]")
            page.evaluate(WATCH)
            decided = _answer_all(running, task_id, page, questions)
            seen: dict[str, float] = page.evaluate("() => window.seen")
        heard = _reply_all(running, task_id, replies)
        health = [_timed(lambda: running.get("/health")) for _ in range(50)]
        running.post(f"/tasks/{task_id}/stop")
    painted = [1000 * (at - float(text.split()[1])) for text, at in seen.items() if at]
    quiet = percentile(health, 0.5)
    return [
        *_rows("questions: asked to painted", painted, quiet, SEEN_P50_MS, SEEN_P99_MS, questions),
        *_rows("questions: decided to stdin", decided, quiet, HEARD_P50_MS, HEARD_P99_MS, questions),
        *_rows("questions: reply to stdin", heard, quiet, HEARD_P50_MS, HEARD_P99_MS, replies),
    ]


def _rows(name: str, ages: list[float], quiet: float, p50: float, p99: float, wanted: int) -> list[Row]:
    half, most = percentile(ages, 0.5), percentile(ages, 0.99)
    whole = len(ages) >= 0.9 * wanted
    return [
        row(f"{name}, p50", half, "ms", yardstick=quiet, bar=f"<= {p50:g} ms", ok=whole and half <= p50),
        row(f"{name}, p99", most, "ms", yardstick=quiet, bar=f"<= {p99:g} ms", ok=whole and most <= p99),
    ]


def _is_there(running: Installation) -> bool:
    return any(item["runner"] == "claude-code" and item["available"] for item in running.get("/runners").body)


def _start(running: Installation, workspace: Path) -> str:
    policy = {"allow_network": True, "tool_rules": [{"tool": "*", "action": "ask"}]}
    given = {
        "title": "ask",
        "prompt": "ask",
        "runner": "claude-code",
        "workspace": str(workspace),
        "policy": policy,
    }
    task_id = str(running.post("/tasks", given).body["id"])
    running.post(f"/tasks/{task_id}/start")
    return task_id


def _answer_all(running: Installation, task_id: str, page: Any, questions: int) -> list[float]:
    """Allow each question once it was painted; ages of the decisions as the agent heard them."""
    sent = []
    for number in range(questions):
        page.wait_for_function(
            f"() => Object.values(window.seen).filter(Boolean).length > {number}", timeout=20_000
        )
        (pending,) = running.get(f"/tasks/{task_id}/approvals?status=pending").body
        sent.append(time.time())
        running.post(f"/tasks/{task_id}/approvals/{pending['id']}", {"decision": "allow"})
    heard = until(lambda: _heard(running, task_id, questions), 20, every=0.05, what="the last answer")
    return [1000 * (at - began) for at, began in zip(heard, sent, strict=True)]


def _reply_all(running: Installation, task_id: str, replies: int) -> list[float]:
    already = len(_heard(running, task_id, 0))
    for _ in range(replies):
        running.post(f"/tasks/{task_id}/reply", {"message": f"{time.time():.6f}"})
    heard = until(lambda: _heard(running, task_id, already + replies), 20, every=0.05, what="the last reply")
    return [1000 * age for age in heard[already:]]


def _heard(running: Installation, task_id: str, wanted: int) -> list[float]:
    found: list[float] = []
    after = 0
    while page := running.get(
        f"/tasks/{task_id}/events?category=agent-message&limit=1000&after={after}"
    ).body:
        found += [float(event["message"].split()[1]) for event in page]
        after = page[-1]["seq"]
    return found if len(found) >= wanted else []


def _timed(action: Any) -> float:
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)
