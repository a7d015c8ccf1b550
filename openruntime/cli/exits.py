"""How a command ends: an error becomes one sentence on stderr and an exit code (contract 2)."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from openruntime.cli.context import Invocation
from openruntime.cli.output import ReaderGone
from openruntime.cli.terminal import one_line
from shared.errors import LandingRefused, OpenRuntimeError

OK, FAILED, USAGE, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 130
LISTED = 10


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; nothing is raised."""
    invocation = Invocation()
    _let_any_text_out()
    try:
        code = _dispatch(argv, invocation)
        sys.stdout.flush()
        return code
    except (ReaderGone, BrokenPipeError):
        _drop_output()
        return OK
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except click.ClickException as error:
        with contextlib.suppress(OSError):
            error.show()
        return error.exit_code
    except OpenRuntimeError as error:
        _say(sentence(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001  (the last line of defence; it writes a report)
        where = write_report(error, invocation)
        _say(f"openRuntime met an internal error ({type(error).__name__}); the report is in {where}")
        return INTERNAL
    finally:
        invocation.close()


def _dispatch(argv: Sequence[str] | None, invocation: Invocation) -> int:
    from openruntime.cli.root import root

    value = root.main(args=argv, prog_name="openruntime", standalone_mode=False, obj=invocation)
    return value if isinstance(value, int) else OK


def sentence(error: OpenRuntimeError) -> str:
    """The error's message, and for a refused landing what stands in the way."""
    text = str(error) or type(error).__name__
    if isinstance(error, LandingRefused):
        named = [_name(item) for key in ("conflicts", "blocking") for item in error.extra.get(key) or ()]
        if named:
            more = f" and {len(named) - LISTED} more" if len(named) > LISTED else ""
            text = f"{text.rstrip('.')}: {', '.join(named[:LISTED])}{more}."
    return text


def _name(item: object) -> str:
    return str(item.get("path", item)) if isinstance(item, dict) else str(item)


def write_report(error: BaseException, invocation: Invocation) -> Path:
    """Write a report that can be pasted into an issue, readable by its owner only; returns its path.

    It names the command but not its arguments: a goal or a reply may hold a secret.
    """
    from openruntime import __version__
    from shared.secrets.redaction import redact

    text = "\n".join(
        [
            "# openRuntime internal error",
            "",
            f"- version: {__version__}",
            f"- python: {sys.version.split()[0]} on {platform.platform()}",
            f"- command: {invocation.command or 'none'}",
            "",
            "```",
            redact("".join(traceback.format_exception(error)).rstrip()),
            "```",
            "",
        ]
    )
    handle, path = tempfile.mkstemp(
        prefix="openruntime-report-", suffix=".md", dir=_report_folder(invocation)
    )
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(path)


def _report_folder(invocation: Invocation) -> Path | None:
    """The data directory where there is one we can write to; None is the system's temporary folder."""
    with contextlib.suppress(OpenRuntimeError, OSError):
        folder = invocation.config.data
        if folder.is_dir() and os.access(folder, os.W_OK):
            return folder
    return None


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(one_line(text), file=sys.stderr, flush=True)


def _let_any_text_out() -> None:
    """Text from agents may hold what the terminal's encoding lacks; it must never end a command."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _drop_output() -> None:
    """Point stdout at nothing, so that the interpreter's last flush finds no closed pipe."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
