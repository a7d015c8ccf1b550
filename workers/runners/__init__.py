"""What a runner is: a pure adapter — which argv, what a line means, which bytes answer — and who is registered.

An adapter never spawns, reads files or touches the store (rule 6), so a recorded transcript is a complete test of
it. What it must remember across a re-attach is the JSON its reader's `state()` returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from shared.policy import Policy
from workers.runners.observations import Observation

Ladder = tuple[tuple[str, float], ...]
#: A polite agent has this long to end before it is killed with all its children (reliability P6).
STOP_LADDER: Ladder = (("TERM", 5.0),)


@dataclass(frozen=True)
class Capabilities:
    """What people can do with a task of this runner; `attach` and `display` are shown, never run.

    `edits`: an approval may change the input. `reasons`: a denial carries its reason; where it cannot, the reason
    follows as a message.
    """

    reply: str = "none"
    sessions: bool = False
    interrupt: bool = False
    approvals: bool = False
    edits: bool = True
    reasons: bool = True
    #: What a task's options may say: modes, efforts, and further arguments with the number of their values.
    modes: Sequence[str] = ("live",)
    efforts: Sequence[str] = ()
    arguments: Mapping[str, int] = field(default_factory=dict)
    pty: bool = False
    attach: str | None = None
    display: str | None = None
    #: What in a repository the program runs or obeys by itself, as globs below the folder it starts in and each folder
    #: above that: nobody's text, but hooks, servers, permission modes, commands. A person trusts them before a start.
    configured_by: Sequence[str] = ()


@dataclass(frozen=True)
class Context:
    """What an adapter may know of the attempt it starts."""

    task_id: str
    attempt_id: str
    goal: str
    command: str
    cwd: str
    policy: Policy
    options: Mapping[str, Any] = field(default_factory=dict)
    resume: bool = False
    session_id: str | None = None
    message: str | None = None
    contained: bool = False
    attempt_number: int = 1
    #: what a person granted for the rest of the task
    granted_rules: Sequence[Mapping[str, Any]] = ()
    #: Whether the program may read what of the repository configures it: a person trusts it, or there is nothing.
    is_trusted: bool = True

    @property
    def asks(self) -> bool:
        """Whether the agent must ask before it runs commands and changes files (contract 5, `tool_rules`)."""
        return self.has_asking_rules or (not self.contained and self.policy.workspace_access != "full")

    @property
    def has_asking_rules(self) -> bool:
        return any(rule.get("action") != "allow" for rule in self.rules)

    @property
    def rules(self) -> Sequence[Mapping[str, Any]]:
        return (*self.granted_rules, *self.policy.tool_rules)


@dataclass(frozen=True)
class Home:
    """Where an agent keeps its settings, logins and sessions: `folder` below HOME, or where `variable` says.

    `read_only` are names in it that say what programs run: each with the text of a new one, None for a folder.
    `rewritten` are folders in it that the program changes at every start: each attempt works on a copy.
    `copied` stand in the folder if the variable is set, else in HOME; the agent gets a copy to write to.
    `sessions` is the folder of its sessions, `logins` are files that hold a login which the program renews.
    A home of a task's own takes the person's `settings` along and is signed in by the first of `keys`, which it
    finds in the environment, or in `key_file` (file name, variable).
    """

    variable: str
    folder: str
    read_only: Mapping[str, str | None] = field(default_factory=dict)
    rewritten: Sequence[str] = ()
    copied: Sequence[str] = ()
    sessions: str = ""
    logins: Sequence[str] = ()
    settings: Sequence[str] = ()
    keys: Sequence[str] = ()
    key_file: tuple[str, str] | None = None
    #: Sessions lie by the folder they were held in, and are found from there only.
    by_folder: bool = False


@dataclass(frozen=True)
class Start:
    """How the agent is started. `requests` tells the shim which output lines are questions (see workers.shim.originals)."""

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    passes: Sequence[str] = ()
    first_input: bytes = b""
    close_input: bool = False
    pty: bool = False
    requests: Mapping[str, Any] | None = None
    detect_input: bool = False
    ladder: Ladder = STOP_LADDER
    session_id: str | None = None
    shown: str = ""
    home: Home | None = None
    #: Whether the agent must reach a model's API to do anything at all.
    hosted: bool = False


class Reader(Protocol):
    """Turns one attempt's output into observations, in order."""

    #: Whether an unfinished line is shown as it stands (a prompt), or kept until its newline (a protocol).
    partial_lines: bool

    def feed(self, stream: str, lines: Sequence[str], partial: bool = False) -> list[Observation]:
        """Whole lines of `stdin`, `stdout` or `stderr`, without their newlines; `partial` marks a lone tail."""

    def state(self) -> dict[str, Any] | None:
        """What `Runner.reader` needs to go on after a re-attach."""


@runtime_checkable
class Runner(Protocol):
    """One kind of agent. A module or an object with these names is an implementation."""

    name: str
    label: str
    #: Candidates for the program, first found on PATH wins.
    programs: Sequence[str]
    version_arguments: Sequence[str]
    capabilities: Capabilities
    #: One sentence with the command that installs the program.
    install: str

    def start(self, context: Context) -> Start: ...

    def reader(self, state: dict[str, Any] | None, context: Context) -> Reader: ...

    def reply(self, text: str, state: Mapping[str, Any] | None) -> bytes | None:
        """The bytes that say `text` to the live agent; None when only a resumed attempt can."""

    def interrupt(self, state: Mapping[str, Any] | None) -> bytes | None:
        """The bytes that end the turn; None sends SIGINT instead."""

    def answer(
        self,
        *,
        allowed: bool,
        note: str | None,
        updated_input: Mapping[str, Any] | None,
        question: Mapping[str, Any],
    ) -> dict[str, Any] | None:
        """The reply to a protocol request, as the template the shim fills in from the original."""
