"""How strong each field of a policy is: kept by the operating system or by us, advice only, or asking for nothing.

One table for all: what is frozen with an attempt, what a task page shows before the first start, what `doctor` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from shared.policy import DEFAULT_PROCESSES, NetworkMode, Policy
from shared.task_place import TaskPlace

Strength = Literal["enforced", "advisory", "off"]
Line = tuple[Strength, str]
Report = dict[str, Line]

WRITTEN = {
    TaskPlace.WORKTREE: "worktree",
    TaskPlace.COPY: "copy of the folder",
    TaskPlace.IN_PLACE: "folder",
}
TIERS = ("bubblewrap", "landlock", "none")
#: The versions of Landlock's interface that keep a process from emptying files by name, and from signalling others.
TRUNCATE_SINCE, SCOPES_SINCE = 3, 6
NONE = "none"


@dataclass(frozen=True)
class Ground:
    """What a report depends on besides the policy: the tier an attempt runs in, and its runner.

    `detail` is why the tier is no better, `fix` the commands that make it so. `hosted`: the agent must reach its
    model's API. `separable`: it is known where that is, so that its network can be its own all the same. `asks`: it
    puts its tool calls to us. `network` is what the containment says of the network where it knows more than this
    table. `landlock` is the version of that interface. `place` is what the task works in.
    """

    tier: str = NONE
    detail: str = ""
    fix: tuple[str, ...] = ()
    hosted: bool = False
    asks: bool = False
    separable: bool = False
    network: Line | None = None
    landlock: int = SCOPES_SINCE
    place: TaskPlace = TaskPlace.WORKTREE


#: A policy that uses every field there is.
STRICT = Policy(
    require_approval=True,
    allowed_workspaces=("~/work",),
    allowed_file_globs=("src/**",),
    allowed_mcp_tools=("search",),
    budget_cents=100,
    max_runtime_minutes=60,
    enforcement="required",
    network_hosts=("example.com",),
    home_paths=("~/shared",),
    tool_rules=({"tool": "*", "action": "ask"},),
    approval_minutes=30,
    max_memory_mib=4096,
    max_disk_mib=4096,
    max_processes=512,
)


def of(policy: Policy, ground: Ground | None, place: str | None = None) -> Report:
    """A line for every field of the policy, in the order of the fields: (strength, reason); none without a ground.

    `place` is what the task works in, where that is known.
    """
    if ground and place:
        ground = replace(ground, place=TaskPlace(place))
    return {field: line(policy, ground) for field, line in TABLE.items()} if ground else {}


def matrix(*, hosted: bool = True) -> dict[str, dict[str, Strength]]:
    """For each field, how strong each tier makes it in a policy that restricts everything."""
    reports = {
        name: of(STRICT, Ground(name, "it is switched off.", hosted=hosted, asks=hosted, separable=hosted))
        for name in TIERS
    }
    return {field: {name: report[field][0] for name, report in reports.items()} for field in TABLE}


def unkept(policy: Policy, ground: Ground | None) -> str | None:
    """Why a policy that requires enforcement must not start here, with the fix; None where nothing is in the way."""
    if policy.enforcement != "required" or ground is None:
        return None
    report = of(policy, ground)
    weak = [field for field in BOUNDARIES if report[field][0] == "advisory"]
    if not weak:
        return None
    fix = f" To have it: {'; '.join(ground.fix)}" if ground.fix else ""
    return f"This policy requires {', '.join(weak)} to be enforced. {weak[0]}: {report[weak[0]][1]}{fix}"


def on(capabilities: Mapping[str, Any]) -> Ground:
    """The ground that a worker's word of a runner (its published capabilities) promises to a task of it."""
    found = capabilities.get("containment") or {}
    return Ground(
        tier=str(found.get("name") or NONE),
        detail=str(found.get("detail") or "no worker has looked yet."),
        fix=tuple(map(str, found.get("fix") or ())),
        hosted=bool(capabilities.get("sessions")),
        asks=bool(capabilities.get("approvals")),
        landlock=int(found.get("landlock") or 0),
        separable=bool(capabilities.get("own_network")),
    )


def _enforced(reason: str) -> Line:
    return "enforced", reason


def _advisory(reason: str) -> Line:
    return "advisory", reason


def _off(reason: str) -> Line:
    return "off", reason


def _boundary(policy: Policy, ground: Ground, by_tier: Mapping[str, Line]) -> Line:
    """What a tier makes of a boundary; nothing where the policy or the host has no containment."""
    if not policy.contained:
        return _off("This policy asks for no containment.")
    nothing = _advisory(f"Nothing contains the agent here: {ground.detail}")
    return by_tier.get(ground.tier, nothing)


def _workspace_access(policy: Policy, ground: Ground) -> Line:
    strength, reason = _reach_of_files(policy, ground)
    if ground.place is not TaskPlace.IN_PLACE:
        return strength, reason
    return strength, f"It edits the folder itself, at once and before any review. {reason}"


def _reach_of_files(policy: Policy, ground: Ground) -> Line:
    written = f"Only the {WRITTEN[ground.place]} and the agent's home can be written"
    here = f"{written}; other tasks and our data are not there."
    kernel = f"{written}, and little else read; names, sizes and modes of other"
    kernel += " files stay visible, and the modes and times of yours can be changed."
    if ground.landlock < SCOPES_SINCE:
        kernel += " This kernel lets the agent signal your other processes, ours too."
    emptied = _advisory("This kernel's Landlock cannot keep the agent from emptying files of yours.")
    shut = _enforced(kernel) if ground.landlock >= TRUNCATE_SINCE else emptied
    return _boundary(policy, ground, {"bubblewrap": _enforced(here), "landlock": shut})


def _network(policy: Policy, ground: Ground) -> Line:
    if policy.network is NetworkMode.ENABLED:
        return _off("The agent shares this host's network, its abstract unix sockets among it.")
    if policy.contained and ground.network:
        return ground.network
    alone = _enforced(
        "The agent has a network of its own, with nothing else in it but a proxy to what is listed."
    )
    shared = _advisory("This agent must reach its model's API, and its tools share that network.")
    shut = _enforced("The agent gets no socket for a network, not even for its own loopback.")
    if ground.hosted:
        by_tier = {"bubblewrap": alone if ground.separable else shared, "landlock": shared}
    else:
        by_tier = {"bubblewrap": alone, "landlock": shut}
    return _boundary(policy, ground, by_tier)


def _network_hosts(policy: Policy, ground: Ground) -> Line:
    return _network(policy, ground) if policy.network_hosts else _off("No hosts are named.")


def _allow_secrets(policy: Policy, ground: Ground) -> Line:
    if policy.allow_secrets:
        return _off("The policy does not keep secrets from the agent, nor masks what it says.")
    here = "HOME shows toolchains only: keys and logins are not there. Of the environment it has what was granted."
    kernel = "Keys, logins and settings in HOME cannot be read, but your repository's own configuration can."
    return _boundary(policy, ground, {"bubblewrap": _enforced(here), "landlock": _enforced(kernel)})


def _allow_git_write(policy: Policy, ground: Ground) -> Line:
    if ground.place is not TaskPlace.WORKTREE:
        return _off("The folder is in no git repository.")
    here = "The agent's git writes to a directory of its own; your repository is read-only to it."
    kernel = _enforced("Your repository is read-only to it: git shows, but cannot add or commit.")
    if policy.allow_git_write:
        kernel = _advisory(
            "Its git writes your repository's objects and branches; configuration and hooks it cannot."
        )
    line = _boundary(policy, ground, {"bubblewrap": _enforced(here), "landlock": kernel})
    if line[0] != "advisory":
        return line
    return _advisory(f"{line[1]} Changed git configuration or hooks are found before a merge.")


def _agent_home(policy: Policy, ground: Ground) -> Line:
    if not ground.hosted:
        return _off("This runner has no home of its own.")
    if policy.agent_home == "private":
        own = _enforced("Of agent homes, it can reach only its own.")
        return _boundary(policy, ground, {"bubblewrap": own, "landlock": own})
    here = "Yours, its settings, hooks and plugins read-only."
    kernel = "A copy of yours that shares its sessions; settings, hooks and plugins are read-only."
    return _boundary(policy, ground, {"bubblewrap": _enforced(here), "landlock": _enforced(kernel)})


def _home_paths(policy: Policy, ground: Ground) -> Line:
    if not policy.home_paths:
        return _off("None are named.")
    readable = _enforced("Of the rest of HOME, these are readable.")
    return _boundary(policy, ground, {"bubblewrap": readable, "landlock": readable})


def _blocked_commands(policy: Policy, ground: Ground) -> Line:
    if not policy.blocked_commands:
        return _off("None are named.")
    if ground.hosted:
        return _advisory("An agent is told; a prompt is not refused for its words.")
    return _advisory("Looked for in the words of the command when the task is made; not in what it starts.")


def _allowed_workspaces(policy: Policy, ground: Ground) -> Line:
    if not policy.allowed_workspaces:
        return _off("Every folder is allowed.")
    return _enforced("A task elsewhere is refused, when it is made and when it starts.")


def _allowed_file_globs(policy: Policy, ground: Ground) -> Line:
    if not policy.allowed_file_globs:
        return _off("All files may be changed.")
    return _enforced("Looked at when the work lands: other files are refused unless a person says otherwise.")


def _allowed_mcp_tools(policy: Policy, ground: Ground) -> Line:
    if not policy.allowed_mcp_tools:
        return _off("All MCP tools are allowed.")
    if not ground.asks:
        return _advisory("This runner does not ask before it uses a tool.")
    return _enforced(
        "The agent's program asks before each call of an MCP tool, and is told no for the others."
    )


def _tool_rules(policy: Policy, ground: Ground) -> Line:
    if not policy.tool_rules:
        return _off("There are none.")
    if not ground.asks:
        return _advisory("This runner does not ask before it uses a tool.")
    return _enforced(
        "The agent's program asks before each call that a rule may object to, and is answered by them."
    )


def _approval_minutes(policy: Policy, ground: Ground) -> Line:
    if policy.approval_minutes is None:
        return _off("A request waits until it is answered.")
    return _enforced("Ours to keep: the request is denied and the turn interrupted.")


def _require_approval(policy: Policy, ground: Ground) -> Line:
    if not policy.require_approval:
        return _off("A start needs no approval.")
    return _enforced("Nothing starts before a person approves.")


def _budget_cents(policy: Policy, ground: Ground) -> Line:
    if policy.budget_cents is None:
        return _off("There is no limit of money.")
    if not ground.hosted:
        return _off("This runner costs nothing.")
    return _enforced("Watched: the agent is stopped once what it reports has cost this much.")


def _max_runtime_minutes(policy: Policy, ground: Ground) -> Line:
    if policy.max_runtime_minutes is None:
        return _off("Only the task's own time budget holds.")
    return _enforced("The attempt is stopped; time spent waiting for a person does not count.")


def _max_memory_mib(policy: Policy, ground: Ground) -> Line:
    most = (
        f"{policy.max_memory_mib:,} MiB"
        if policy.max_memory_mib
        else "three quarters of the machine's memory"
    )
    return _enforced(f"Looked at every two seconds: an agent that has more than {most} for itself is killed.")


def _max_disk_mib(policy: Policy, ground: Ground) -> Line:
    if policy.max_disk_mib is None:
        return _off("Only the room kept free on the disk limits it.")
    return _enforced(
        "Its folders are measured every half minute, large ones less often; over the limit it is stopped."
    )


def _max_processes(policy: Policy, ground: Ground) -> Line:
    most = f"{policy.max_processes or DEFAULT_PROCESSES:,}"
    inside = policy.contained and ground.tier == "bubblewrap"
    refused = (
        "The kernel refuses it more"
        if inside
        else "The kernel counts what else runs here, and refuses it more"
    )
    seen = " It sees and signals only its own." if inside else ""
    return _enforced(f"{refused} than {most}, and every two seconds more are noticed, which kills it.{seen}")


def _enforcement(policy: Policy, ground: Ground) -> Line:
    if policy.enforcement != "required":
        return _off("What this host cannot keep is taken as advice.")
    return _enforced("A start is refused where a boundary would only be advice.")


TABLE: dict[str, Callable[[Policy, Ground], Line]] = {
    "allow_network": _network,
    "allow_git_write": _allow_git_write,
    "allow_secrets": _allow_secrets,
    "require_approval": _require_approval,
    "blocked_commands": _blocked_commands,
    "allowed_workspaces": _allowed_workspaces,
    "allowed_file_globs": _allowed_file_globs,
    "allowed_mcp_tools": _allowed_mcp_tools,
    "network_mode": _network,
    "budget_cents": _budget_cents,
    "max_runtime_minutes": _max_runtime_minutes,
    "workspace_access": _workspace_access,
    "enforcement": _enforcement,
    "agent_home": _agent_home,
    "network_hosts": _network_hosts,
    "home_paths": _home_paths,
    "tool_rules": _tool_rules,
    "approval_minutes": _approval_minutes,
    "max_memory_mib": _max_memory_mib,
    "max_disk_mib": _max_disk_mib,
    "max_processes": _max_processes,
}
#: What only an operating system can keep.
BOUNDARIES = (
    "workspace_access",
    "network_mode",
    "network_hosts",
    "allow_secrets",
    "allow_git_write",
    "agent_home",
    "home_paths",
)
