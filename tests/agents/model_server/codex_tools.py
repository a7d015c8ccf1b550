"""Codex's tools, which differ by model: plain functions, a patch tool of its own form, or one `exec` that runs code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.agents.model_server.script import Turn

Tools = Mapping[str, Mapping[str, Any]]


def offered(body: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tools of a request by name: its own, and those that newer models get as an input item."""
    listed = list(body.get("tools") or ())
    given = body.get("input")
    for item in given if isinstance(given, list) else ():
        if item.get("type") == "additional_tools":
            listed += item.get("tools") or ()
    found: dict[str, dict[str, Any]] = {}
    for tool in listed:
        if tool.get("type") == "namespace":
            for inner in tool.get("tools") or ():
                found[str(inner.get("name"))] = {**inner, "namespace": tool.get("name")}
        else:
            found[str(tool.get("name") or tool.get("type"))] = tool
    return found


def item(call: Turn, tools: Tools) -> dict[str, Any]:
    """A scripted call as an output item, without its ids."""
    if "run" in call:
        return _run({"cmd": call["run"], **call.get("input", {})}, tools)
    if "write" in call:
        added = "\n".join(f"+{line}" for line in str(call.get("content", "")).splitlines())
        return _patch(f"*** Begin Patch\n*** Add File: {call['write']}\n{added}\n*** End Patch", tools)
    if "edit" in call:
        old = "\n".join(f"-{line}" for line in str(call["old"]).splitlines())
        new = "\n".join(f"+{line}" for line in str(call["new"]).splitlines())
        return _patch(
            f"*** Begin Patch\n*** Update File: {call['edit']}\n@@\n{old}\n{new}\n*** End Patch", tools
        )
    if "patch" in call:
        return _patch(str(call["patch"]), tools)
    tool = str(call["call"])
    if server := call.get("server"):  # one that is found by its search, and not offered from the start
        return {**_function(tool, call.get("input", {}), {}), "namespace": f"mcp__{server}"}
    if tools.get(tool, {}).get("type") == "custom":
        return _custom(tool, str(call.get("input", "")), tools)
    return _function(tool, call.get("input", {}), tools)


def _code_mode(tools: Tools) -> bool:
    return "exec_command" not in tools and tools.get("exec", {}).get("type") == "custom"


def _run(given: dict[str, Any], tools: Tools) -> dict[str, Any]:
    if _code_mode(tools):
        return _code("exec_command", given, tools)
    return _function("exec_command", given, tools)


def _patch(text: str, tools: Tools) -> dict[str, Any]:
    if "apply_patch" in tools:
        return _custom("apply_patch", text, tools)
    if _code_mode(tools):
        return _code("apply_patch", text, tools)
    return _function("exec_command", {"cmd": f"apply_patch <<'END_OF_PATCH'\n{text}\nEND_OF_PATCH"}, tools)


def _code(tool: str, given: Any, tools: Tools) -> dict[str, Any]:
    return _custom("exec", f"text(await tools.{tool}({json.dumps(given)}));", tools)


def _custom(tool: str, given: str, tools: Tools) -> dict[str, Any]:
    return {"type": "custom_tool_call", "name": tool, "input": given, **_namespace(tool, tools)}


def _function(tool: str, given: Any, tools: Tools) -> dict[str, Any]:
    arguments = json.dumps(given)
    return {"type": "function_call", "name": tool, "arguments": arguments, **_namespace(tool, tools)}


def _namespace(tool: str, tools: Tools) -> dict[str, Any]:
    found = tools.get(tool, {}).get("namespace")
    return {"namespace": found} if found else {}
