"""The shell: one command line, its input kept open for replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.runners import Capabilities, Context, Start
from workers.runners.observations import Observation, Output, Replied

name = "shell"
label = "Shell"
programs = ("/bin/sh",)
version_arguments: Sequence[str] = ()
capabilities = Capabilities(reply="live", interrupt=True, pty=True)
install = "Install a POSIX shell at /bin/sh."

#: A login shell reads files that set PATH anew; the granted one wins (contract 3).
KEEP_PATH = 'PATH="$OPENRUNTIME_PATH"; export PATH; unset OPENRUNTIME_PATH; '


def start(context: Context) -> Start:
    return Start(
        argv=["/bin/sh", "-lc", KEEP_PATH + context.command],
        pty=bool(context.options.get("pty")),
        detect_input=True,
        shown=f"shell: {context.command}",
    )


def reader(state: dict[str, Any] | None, context: Context) -> Lines:
    return Lines()


def reply(text: str, state: Mapping[str, Any] | None) -> bytes | None:
    return text.encode() + b"\n"


def interrupt(state: Mapping[str, Any] | None) -> bytes | None:
    return None


def answer(
    *, allowed: bool, note: str | None, updated_input: Mapping[str, Any] | None, question: Mapping[str, Any]
) -> dict[str, Any] | None:
    return None


class Lines:
    """Every line is output; what stands on its input is a reply."""

    partial_lines = True

    def feed(self, stream: str, lines: Sequence[str], partial: bool = False) -> list[Observation]:
        if stream == "stdin":
            return [Replied("\n".join(lines))]
        return [Output(stream, lines, partial)]

    def state(self) -> dict[str, Any] | None:
        return None
