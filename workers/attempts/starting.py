"""From a claimed attempt to a live agent: place, adapter, containment, shim (architecture 5)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shared import attempts, tasks, worktree_setup
from shared.agents import options, trust
from shared.config import Config
from shared.crashpoints import crashpoint
from shared.errors import AgentLost, GitFailed, NotReady, OpenRuntimeError, Refused, SandboxFailed
from shared.events import Category, Draft, Kind
from shared.network import host_grants
from shared.policy import Policy, grants
from shared.policy import report as policy_report
from shared.review import turns
from shared.secrets import keeping, masking
from shared.store.database import transaction
from shared.store.models import Attempt, Task
from workers import disk
from workers.attempts import (
    configured,
    environment,
    granting,
    homes,
    process,
    programs,
    reach,
    sandbox,
    setting_up,
    turning,
)
from workers.attempts.place import Place, prepare
from workers.attempts.sandbox.limits import of as limits_of
from workers.attempts.watch import Watch
from workers.repository.worktree import Worktree
from workers.runners import Context, Runner, Start, registry
from workers.shim.recorder import HEAD_BYTES

ATTACH_SECONDS = 5.0
#: Behind its head a log shows nothing until the end; a protocol's questions must not wait there.
PROTOCOL_BYTES = 512 << 20


@dataclass(frozen=True)
class Plan:
    """Everything a start needs, worked out before anything runs."""

    runner: Runner
    context: Context
    start: Start
    launch: process.Launch
    report: policy_report.Report
    tier: str


def start(attempt: Attempt, config: Config) -> Watch | None:
    """Start the agent of a claimed attempt; None when it did not start, which the store then says.

    A crash anywhere before `process.start` says go leaves an attempt that can be claimed again.
    """
    task = Task.get_by_id(attempt.task_id)
    directory = config.attempts / attempt.id
    try:
        disk.refuse_full(config)
        place = prepare(task, attempt, config)
        crashpoint("start.placed")
        if configured.found(Task.get_by_id(task.number), config):
            attempts.needs_trust(attempt)
            return None
        if not setting_up.set_up(Task.get_by_id(task.number), attempt, place, config):
            attempts.stopped_before_start(attempts.reload(attempt))
            return None
        plan = _plan(task, attempt, place, config)
        began_from = turning.before_attempt(task, attempt, config)
        started = process.start(
            directory, plan.launch, lambda identity: _commit(attempt, plan, identity, began_from)
        )
        crashpoint("start.after-go")
    except (Refused, GitFailed, SandboxFailed) as error:
        attempts.start_failed(attempt, str(error))
        return None
    except (OpenRuntimeError, OSError) as error:
        if process.state(directory) == "absent":
            attempts.release(attempt, str(error))
            return None
        started = True  # the agent may have run: it is never started again by itself, only taken up
    if not started:
        attempts.stopped_before_start(attempts.reload(attempt))
        return None
    return attach(attempts.reload(attempt), config)


def attach(attempt: Attempt, config: Config) -> Watch:
    """Watch an attempt that was started, from where its log was stored last; one that has ended is drained."""
    task = Task.get_by_id(attempt.task_id)
    directory = config.attempts / attempt.id
    runner = registry.get(attempt.runner)
    contained = bool((attempt.identity or {}).get("contained"))
    control: process.Control | None = None
    try:
        control = process.attach(directory)
        control.request("watch", timeout_seconds=ATTACH_SECONDS)
    except AgentLost:
        control = None
    context = context_of(task, attempt, contained)
    before_turn = partial(turning.state, attempt, config, turning.REPLY_SECONDS)
    return Watch(attempt, runner, context, directory, control, before_turn=before_turn)


def context_of(task: Task, attempt: Attempt, contained: bool) -> Context:
    """What the adapter may know of this attempt; a person's words as they were said."""
    return Context(
        task_id=task.id,
        attempt_id=attempt.id,
        goal=masking.revealed(task.prompt),
        command=task.command,
        cwd=str(task.execution_workspace or task.workspace),
        policy=tasks.policy_of(task),
        options=task.options,
        resume=attempt.resume,
        session_id=attempt.runner_session_id,
        message=masking.revealed(attempt.message) if attempt.message else None,
        contained=contained,
        attempt_number=attempt.attempt_number,
        granted_rules=grants.of(task.number),
        is_trusted=not trust.is_ignoring(task),
    )


def _plan(task: Task, attempt: Attempt, place: Place, config: Config) -> Plan:
    policy = tasks.policy_of(task)
    runner = registry.get(attempt.runner)
    tier = sandbox.chosen(policy, config)
    contained = policy.contained and tier.works
    context = context_of(Task.get_by_id(task.number), attempt, contained)
    require_plain_words(runner, context)
    start = runner.start(context)
    program = programs.find(runner, config.environment.get("PATH"))
    if program is None:
        raise NotReady(f"{runner.label} is not installed here: {runner.install}")
    granted = granting.resolve(keeping.granted_names(task), config.environment)
    env, keys = environment.build(
        config.environment,
        policy=policy,
        passes=start.passes,
        additions={**start.environment, **(worktree_setup.variables(task) if place.worktree else {})},
        granted=granted,
        task_id=task.id,
        attempt_id=attempt.id,
    )
    private = config.private_home(task.id, runner.name) if policy.agent_home == "private" else None
    reached = _reach(host_grants.with_granted(task, policy), tier, runner, start, env, config)
    home = homes.prepare(
        start,
        env,
        private=private,
        copies=config.attempts / attempt.id / homes.COPIES,
        view=config.home_view(task.id, runner.name) if contained and tier.name == "landlock" else None,
    )
    homes.bring_session(start, context, home, env)
    env |= dict(home.environment)
    argv = [program, *start.argv[1:]]
    confined = None
    limits, tier_name = limits_of(policy), tier.name if contained else "none"
    if contained:
        env |= dict(reached.environment)
        bounds = _bounds(policy, place, start, env, program, home, reached, config)
        scratch = homes.scratch(config.attempts / attempt.id) if tier.name == "landlock" else None
        confined = sandbox.confine(
            argv, dataclasses.replace(bounds, scratch=scratch, limits=limits), tier.name
        )
    ground = _ground(tier, runner, start, reached, place)
    if refusal := policy_report.unkept(policy, ground):
        raise NotReady(refusal)
    launch = process.Launch(
        attempt_id=attempt.id,
        argv=argv,
        env=env,
        cwd=place.cwd,
        first_input=start.first_input,
        close_input_after_first=start.close_input,
        pty=start.pty,
        wall_seconds=_wall_seconds(task, policy),
        ladder=start.ladder,
        secrets={**granting.to_mask(config.environment, granted), **keys},
        redact_rules=not policy.allow_secrets,
        requests=start.requests,
        detect_input=start.detect_input,
        confinement=confined,
        limits=limits.refused(tier_name),
        watched=limits.watched(),
        network=reached.launch,
        log_head_bytes=PROTOCOL_BYTES if start.hosted else HEAD_BYTES,
    )
    return Plan(runner, context, start, launch, policy_report.of(policy, ground), tier_name)


def require_plain_words(runner: Runner, context: Context) -> None:
    """Raise Refused for what would be an option of the agent's program instead of a value.

    A task may be older than the first look at its runner, and an agent tells its session's id itself.
    """
    if runner.name != "shell":
        options.check(context.options, dataclasses.asdict(runner.capabilities), runner.name)
    if context.session_id and not options.SESSION_ID.fullmatch(context.session_id):
        raise NotReady("The agent's session has an id that its program could take for an option.")


def _reach(
    policy: Policy, tier: sandbox.Tier, runner: Runner, start: Start, env: Mapping[str, str], config: Config
) -> reach.Reach:
    """Where its model is says a runner's optional `model_urls`, by the person's own settings, never a repository's."""
    model_urls = getattr(runner, "model_urls", None)
    urls = model_urls(env, homes.settings(start, env)) if model_urls else None
    return reach.of(policy, tier, config, hosted=start.hosted, model_urls=urls)


def _ground(
    tier: sandbox.Tier, runner: Runner, start: Start, reached: reach.Reach, place: Place
) -> policy_report.Ground:
    return policy_report.Ground(
        tier.name,
        tier.detail,
        tuple(tier.fix),
        hosted=start.hosted,
        asks=runner.capabilities.approvals,
        separable=not reached.shared,
        network=reached.line,
        landlock=tier.landlock,
        place=place.kind,
    )


def _bounds(
    policy: Policy,
    place: Place,
    start: Start,
    env: Mapping[str, str],
    program: str,
    own: homes.Prepared,
    reached: reach.Reach,
    config: Config,
) -> sandbox.Bounds:
    home = Path(env["HOME"])
    tree: Worktree | None = place.worktree
    return sandbox.Bounds(
        worktree=Path(place.root),
        cwd=Path(place.cwd),
        git_mount=(tree.agent_git_directory, tree.admin_directory) if tree else None,
        git_write=policy.allow_git_write,
        objects_read_only=list(tree.objects_directories) if tree else [],
        home=home,
        agent_home=own.writable,
        agent_home_read_only=own.read_only,
        read_only=[*_installation(program, home), *(Path(path).expanduser() for path in policy.home_paths)],
        hidden=[config.data, config.database.parent, config.secrets_key_file],
        network=reached.network,
        ports=reached.ports,
        environment=dict(env),
        pty=start.pty,
    )


def _installation(program: str, home: Path) -> list[Path]:
    """The folders a program below HOME is installed in, its links followed; of one right in HOME the program alone."""
    real = Path(os.path.realpath(program))
    found = [path if home.is_relative_to(path.parent) else path.parent for path in (Path(program), real)]
    parts = real.parts
    if "node_modules" in parts:
        found.append(Path(*parts[: parts.index("node_modules")]))
    return list(dict.fromkeys(found))


def _wall_seconds(task: Task, policy: Policy) -> float:
    """The smaller of the two time budgets: one does not replace the other."""
    minutes = [task.budget_minutes, *([policy.max_runtime_minutes] if policy.max_runtime_minutes else [])]
    return min(minutes) * 60.0


def _commit(attempt: Attempt, plan: Plan, identity: process.Identity, began_from: str | None) -> bool:
    """The shim's identity, the attempt's first event and its first turn, before the agent may start; False when a stop
    came first.
    """
    started = {
        "category": Category.ATTEMPT_STARTED,
        "attempt_id": attempt.id,
        "attempt_number": attempt.attempt_number,
        "runner": attempt.runner,
        "execution_workspace": plan.context.cwd,
        "containment": plan.tier,
    }
    values: dict[str, Any] = {
        **dataclasses.asdict(identity),
        "contained": plan.context.contained,
        "tier": plan.tier,
    }
    draft = Draft(Kind.LIFECYCLE, f"Starting {plan.start.shown or attempt.runner}", started)
    drafts = [] if attempt.identity else [draft]  # an earlier claim that died before its go has said so
    report = {field: list(said) for field, said in plan.report.items()}
    crashpoint("start.before-commit")
    with transaction():
        committed = attempts.commit_start(
            attempt, values, drafts, session_id=plan.start.session_id, report=report
        )
        if committed:
            turns.begin(attempt, attempt.id, began_from)
    crashpoint("start.after-commit")
    return committed
