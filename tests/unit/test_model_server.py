"""The scripted model server that the real agents talk to: its answers, its faults, and its own account."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.agents import model_server
from tests.agents.model_server import ModelServer, Spent
from tests.agents.model_server.script import Said, choose
from tests.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
TOOLS = [{"type": "function", "name": "exec_command"}, {"type": "custom", "name": "apply_patch"}]
CODE_MODE = [{"type": "custom", "name": "exec"}]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server.running() as started:
        yield started


def post(
    server: ModelServer, path: str, body: Any, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    address = server.address.removeprefix("http://")
    with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
        connection.request("POST", path, json.dumps(body), headers or {})
        with connection.getresponse() as response:
            return response.status, response.read()


def ask_claude(
    server: ModelServer, goal: str, session: str, *earlier: Any, stream: bool = True
) -> tuple[int, Any]:
    """A request as Claude Code makes it."""
    messages = [{"role": "user", "content": goal}, *earlier]
    body = {"model": "m", "stream": stream, "tools": [{"name": "Bash"}], "messages": messages}
    status, text = post(server, "/v1/messages", body, {"X-Claude-Code-Session-Id": session})
    return status, events(text) if stream and status == 200 else json.loads(text)


def ask_codex(
    server: ModelServer, goal: str, session: str, *earlier: Any, tools: Any = TOOLS
) -> tuple[int, Any]:
    """A request as Codex makes it."""
    first = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": goal}]}
    body = {"model": "m", "stream": True, "tools": tools, "input": [first, *earlier]}
    status, text = post(server, "/v1/responses", body, {"session-id": session})
    return status, events(text) if status == 200 else json.loads(text)


def events(text: bytes) -> list[dict[str, Any]]:
    lines = [line for line in text.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def finished(streamed: list[dict[str, Any]]) -> bool:
    return streamed[-1]["type"] in ("message_stop", "response.completed")


def items(streamed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The output items of Codex's answer."""
    return [event["item"] for event in streamed if event["type"] == "response.output_item.done"]


def test_a_claude_answer_streams_thought_text_and_every_call(server: ModelServer) -> None:
    calls = [{"run": "ls"}, {"call": "Read", "input": {"file_path": "a"}}]
    goal = model_server.goal({"think": "hm", "say": "Two at once.", "calls": calls})
    status, streamed = ask_claude(server, goal, "c-1")
    assert status == 200
    assert finished(streamed)
    started = [event["content_block"] for event in streamed if event["type"] == "content_block_start"]
    assert [block["type"] for block in started] == ["thinking", "text", "tool_use", "tool_use"]
    assert [block["name"] for block in started[2:]] == ["Bash", "Read"]
    text = [event["delta"].get("text", "") for event in streamed if event["type"] == "content_block_delta"]
    assert "".join(text) == "Two at once."
    assert streamed[-2]["delta"]["stop_reason"] == "tool_use"
    assert server.account.spent("c-1").tool_calls == 2


def test_a_codex_answer_uses_the_tools_it_was_offered(server: ModelServer) -> None:
    goal = model_server.goal({"run": "ls"}, {"write": "a.txt", "content": "one\n"})
    _, streamed = ask_codex(server, goal, "x-1")
    (call,) = items(streamed)
    assert (call["type"], call["name"], json.loads(call["arguments"])) == (
        "function_call",
        "exec_command",
        {"cmd": "ls"},
    )
    _, streamed = ask_codex(server, goal, "x-1", call, {"type": "function_call_output", "output": "a"})
    (call,) = items(streamed)
    assert (call["type"], call["name"]) == ("custom_tool_call", "apply_patch")
    assert call["input"] == "*** Begin Patch\n*** Add File: a.txt\n+one\n*** End Patch"


def test_a_codex_model_in_code_mode_gets_code(server: ModelServer) -> None:
    listed = {"type": "additional_tools", "tools": CODE_MODE}
    _, streamed = ask_codex(server, model_server.goal({"run": "ls"}), "x-2", listed, tools=[])
    (call,) = items(streamed)
    assert (call["type"], call["name"]) == ("custom_tool_call", "exec")
    assert call["input"] == 'text(await tools.exec_command({"cmd": "ls"}));'


def test_the_account_holds_what_the_answers_said(server: ModelServer) -> None:
    used = {"input": 500, "cached": 200, "written": 50, "output": 9, "reasoning": 3}
    goal = model_server.goal({"say": "Hello.", "usage": used})
    _, streamed = ask_claude(server, goal, "c-2")
    assert streamed[-2]["usage"] == {
        "input_tokens": 250,
        "cache_read_input_tokens": 200,
        "cache_creation_input_tokens": 50,
        "output_tokens": 9,
    }
    _, streamed = ask_codex(server, goal, "x-3")
    usage = streamed[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["input_tokens_details"], usage["output_tokens"]) == (
        500,
        {"cached_tokens": 200},
        9,
    )
    assert server.account.spent("c-2") == server.account.spent("x-3") == Spent(500, 200, 50, 9, 3, 0, 1)
    assert server.account.spent("c-2", "x-3").input == 1000


def test_a_conversation_goes_on_after_the_turns_it_has_played() -> None:
    goal = Said("person", model_server.goal({"say": "one"}, {"say": "two"}, {"say": "three"}))
    answered, told = Said("model", "…"), Said("tool", "…")
    assert choose([goal]).turn == {"say": "one"}
    assert choose([goal, answered, told]).turn == {"say": "two"}
    assert choose([goal, answered, answered, told]).turn == {"say": "two"}, "one answer in several items"
    assert choose([goal, answered, Said("person", "go on"), answered, told]).number == 2
    anew = Said("person", model_server.goal({"say": "anew"}))
    assert choose([goal, answered, anew]).turn == {"say": "anew"}
    assert choose([goal, answered, told, answered, told, answered]).turn == {"say": "The script is over."}
    assert choose([Said("person", "hello")]).turn == {"say": "There is no script."}


def test_calls_that_come_back_between_results_are_one_turn() -> None:
    goal = Said("person", model_server.goal({"say": "one"}, {"say": "two"}))
    first, result = Said("model", turn=0), Said("tool")
    assert choose([goal, Said("model", "text"), first, result, first, result]).turn == {"say": "two"}


@pytest.mark.parametrize("ask", [ask_claude, ask_codex])
def test_a_turn_fails_as_often_as_its_script_says(server: ModelServer, ask: Any) -> None:
    goal = model_server.goal({"status": 429, "error": "slow down", "times": 2, "say": "At last."})
    for _ in range(2):
        status, body = ask(server, goal, f"retry-{ask.__name__}")
        assert (status, body["error"]["message"]) == (429, "slow down")
    status, streamed = ask(server, goal, f"retry-{ask.__name__}")
    assert status == 200
    assert finished(streamed)
    assert server.account.spent(f"retry-{ask.__name__}").answers == 1


@pytest.mark.parametrize("ask", [ask_claude, ask_codex])
def test_a_cut_answer_never_ends_and_is_not_counted(server: ModelServer, ask: Any) -> None:
    session = f"cut-{ask.__name__}"
    goal = model_server.goal({"say": "This breaks off. " * 5, "cut": True, "times": 1})
    _, streamed = ask(server, goal, session)
    assert not finished(streamed)
    assert server.account.spent(session) == Spent()
    wait_until(lambda: server.account.broken_off(session) == 1, what="the broken answer in the account")
    _, streamed = ask(server, goal, session)
    assert finished(streamed)


def test_a_dropped_request_gets_not_one_byte(server: ModelServer) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        ask_claude(server, model_server.goal({"drop": True}), "c-3")


@pytest.mark.parametrize(
    ("ask", "kind"), [(ask_claude, "error"), (ask_codex, "response.failed")], ids=["claude", "codex"]
)
def test_a_stream_may_end_with_an_error_event(server: ModelServer, ask: Any, kind: str) -> None:
    goal = model_server.goal({"say": "Half of this. " * 5, "broken": "overloaded"})
    _, streamed = ask(server, goal, f"broken-{kind}")
    assert streamed[-1]["type"] == kind


def test_a_refusing_model_says_why(server: ModelServer) -> None:
    _, streamed = ask_claude(server, model_server.goal({"refuse": "I will not."}), "c-4")
    assert streamed[-2]["delta"]["stop_reason"] == "refusal"


def test_an_answer_waits_at_its_gate(server: ModelServer) -> None:
    goal = model_server.goal({"say": "Through.", "gate": "gate-1"})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask_claude, server, goal, "c-5")
        wait_until(lambda: server.reached("gate-1"), what="the gate")
        assert not answer.done()
        server.open("gate-1")
        assert finished(answer.result(10)[1])


def test_an_answer_nobody_waited_for_is_not_counted(server: ModelServer) -> None:
    goal = model_server.goal({"say": "Too late.", "gate": "gate-2"})
    body = {"model": "m", "stream": True, "tools": [{"name": "Bash"}]}
    body["messages"] = [{"role": "user", "content": goal}]
    with closing(http.client.HTTPConnection(server.address.removeprefix("http://"))) as connection:
        connection.request("POST", "/v1/messages", json.dumps(body), {"X-Claude-Code-Session-Id": "c-8"})
        wait_until(lambda: server.reached("gate-2"), what="the gate")
    server.open("gate-2")
    wait_until(lambda: server.account.broken_off("c-8") == 1, what="the broken answer in the account")
    assert server.account.spent("c-8") == Spent()


def test_many_agents_play_their_own_scripts_at_once(server: ModelServer) -> None:
    def play(number: int) -> str:
        goal = model_server.goal({"say": f"agent {number}", "after": 0.05})
        return str(ask_claude(server, goal, f"many-{number}", stream=False)[1]["content"][0]["text"])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(play, range(12))) == [f"agent {number}" for number in range(12)]


def test_the_working_directory_is_filled_in(server: ModelServer) -> None:
    note = {"role": "user", "content": "Primary working directory: /w/x\nand more"}
    goal = model_server.goal({"write": "$CWD/a.txt", "content": "a"})
    _, answer = ask_claude(server, goal, "c-6", note, stream=False)
    assert answer["content"][0]["input"]["file_path"] == "/w/x/a.txt"


def test_what_the_agent_heard_is_kept(server: ModelServer) -> None:
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "no such"}]}
    used = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]}
    goal = model_server.goal({"run": "ls"}, {"say": "I see."})
    ask_claude(server, goal, "c-7", used, result)
    assert server.account.heard("c-7", "tool") == ["no such"]
    assert server.account.heard("c-7") == [goal]


def test_it_runs_as_a_program() -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.agents.model_server"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    with program:
        try:
            assert program.stdout is not None
            port = int(program.stdout.readline())
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request("HEAD", "/")
                assert connection.getresponse().status == 200
        finally:
            program.terminate()
        assert program.wait(10) == 0
