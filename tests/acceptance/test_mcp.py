"""An agent's own client speaks to `openruntime mcp`: it hands out work and follows it, and decides nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from tests.installation import Installation, installed, repository
from tests.waiting import wait_until

Talk = Callable[[Client], Awaitable[Any]]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(tmp_path_factory.mktemp("mcp")) as running:
        yield running


def conversation(installation: Installation, talk: Talk) -> Any:
    """What `talk` returns from one session with a server of its own."""
    words = ["-P", "-m", "openruntime", "--data", str(installation.data), "mcp"]
    program = StdioServerParameters(command=sys.executable, args=words, env=installation.environment)

    async def session() -> Any:
        async with Client(program) as client:
            return await talk(client)

    return asyncio.run(asyncio.wait_for(session(), 90))


async def call(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    texts = [part.text for part in answer.content]
    assert not answer.is_error, texts
    return json.loads(texts[0]) if len(texts) == 1 else [json.loads(text) for text in texts]


async def until(client: Client, task_id: str, *statuses: str) -> dict[str, Any]:
    for _ in range(200):
        task = await call(client, "show_task", task_id=task_id)
        if task["status"] in statuses:
            return dict(task)
        await asyncio.sleep(0.1)
    raise AssertionError(f"the task is {task['status']}")


def test_work_is_handed_out_followed_answered_and_read(installation: Installation, tmp_path: Path) -> None:
    folder = repository(tmp_path / "repo")

    async def talk(client: Client) -> tuple[dict[str, Any], list[Any], dict[str, Any]]:
        task = await call(
            client,
            "create_task",
            title="Ask and write",
            prompt="",
            runner="shell",
            workspace=str(folder),
            command="printf 'Name? '; read name; echo hello $name > hello.txt; echo done",
        )
        await call(client, "start_task", task_id=task["id"])
        await until(client, task["id"], "needs-input")
        await call(client, "reply", task_id=task["id"], message="world")
        ended = await until(client, task["id"], "ready-for-review")
        events = await call(client, "read_events", task_id=task["id"])
        return ended, events, await call(client, "read_diff", task_id=task["id"])

    ended, events, diff = conversation(installation, talk)
    assert ended["attention"] == "review"
    assert "done" in [event["message"] for event in events]
    assert [file["path"] for file in diff["files"]] == ["hello.txt"]
    assert "+hello world" in diff["patch"]


def test_there_is_no_tool_that_decides(installation: Installation) -> None:
    async def talk(client: Client) -> set[str]:
        return {tool.name for tool in (await client.list_tools()).tools}

    assert conversation(installation, talk) == {
        *("list_tasks", "list_places", "create_task", "start_task", "show_task"),
        *("read_events", "read_diff", "reply", "stop_task"),
    }


def test_a_refusal_is_one_sentence_and_changes_nothing(installation: Installation) -> None:
    async def talk(client: Client) -> tuple[bool, str]:
        answer = await client.call_tool("start_task", {"task_id": "no-such-task"})
        return bool(answer.is_error), answer.content[0].text

    is_error, said = conversation(installation, talk)
    assert is_error
    assert "is not a UUID" in said


def test_its_token_ends_with_the_conversation(installation: Installation) -> None:
    async def talk(client: Client) -> list[str]:
        await client.list_tools()
        return [row["name"] for row in installation.get("/tokens").body]

    assert "mcp" in conversation(installation, talk)
    wait_until(lambda: installation.get("/tokens").body == [], what="the token to be revoked")
