"""Pull requests by the host's own program (`gh`, `glab`), where the worker's account has it on its PATH."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from shared.audit import Act
from shared.config import Config
from shared.errors import Conflict, NotReady
from shared.review import landings
from shared.store.models import Task
from workers.attempts import granting
from workers.repository import pushing, remotes
from workers.repository.git import PASSED_ON
from workers.repository.remotes import Hosted, Kind, Remote

PROGRAMS = {Kind.GITHUB: "gh", Kind.GITLAB: "glab"}
#: They ask nobody, and say nothing but the address.
QUIET = {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_PROMPT": "1", "NO_COLOR": "1"}
SECONDS = 120
OUTPUT_BYTES = 16_000
TITLE_CHARACTERS = 200
_ADDRESS = re.compile(r"https://[^\s\"'<>]+")


def prepared(task: Task, remote: Remote, branch: str, base: str) -> dict[str, Any] | None:
    """A proposal to edit: `{program, title, body, command, compare_url}`; None where there is no page for one.

    `program` is None where it is not installed: then the address is for a person to open.
    """
    hosted = remote.hosted
    if hosted is None or not base or base == branch:
        return None
    program = PROGRAMS.get(hosted.kind)
    found = program if program and shutil.which(program) else None
    title, body = task.title[:TITLE_CHARACTERS], _body(task)
    words = _words(hosted, branch, base, title, body) if found else None
    return {
        "program": found,
        "title": title,
        "body": body,
        "command": shlex.join(words[0]) if words else None,
        "compare_url": hosted.compare(base, branch),
    }


def open_one(
    task: Task, remote: Remote, branch: str, base: str, said: Mapping[str, Any], config: Config
) -> str:
    """Open a pull request of a pushed branch and return its address.

    Raises NotReady where there is no program for the host, Conflict with what the program said when it fails.
    """
    hosted = remote.hosted
    program = PROGRAMS.get(hosted.kind) if hosted is not None else None
    found = shutil.which(program) if program else None
    if hosted is None or found is None:
        needed = f"{program} is not installed" if program else f"{remote.name} is on a host without a program"
        raise NotReady(f"No pull request was opened: {needed}.")
    if not base or base == branch:
        raise Conflict("No pull request was opened: the branch is the one it would go to.")
    title = said.get("title") or task.title[:TITLE_CHARACTERS]
    body = said["body"] if said.get("body") is not None else _body(task)
    words, fed = _words(hosted, branch, base, title, body, draft=bool(said.get("draft")))
    code, printed = _run([found, *words[1:]], fed)
    output = granting.redactor(task, config).redact(remotes.without_userinfo(printed))
    if code:
        raise Conflict(f"No pull request was opened: {program} said: {(output or 'nothing')[:1000]}")
    address = next(reversed(_ADDRESS.findall(output)), None)
    message = f"Opened a pull request: {address}" if address else f"Opened a pull request of {branch}"
    place = {"remote": remote.name, "branch": branch, "base": base}
    landings.published(task, Act.OPEN_PULL_REQUEST, message, output, **place)
    return address or ""


def _body(task: Task) -> str:
    """What a landing's commit would say below its first line."""
    return landings.proposed_message(task).partition("\n\n")[2].strip()


def _words(
    hosted: Hosted, branch: str, base: str, title: str, body: str, *, draft: bool = False
) -> tuple[list[str], str]:
    """The program's arguments, each value bound to its option, and what it reads."""
    drafted = ["--draft"] if draft else []
    if hosted.kind is Kind.GITHUB:
        names = (f"--repo={hosted.host}/{hosted.path}", f"--head={branch}", f"--base={base}")
        return ["gh", "pr", "create", *names, f"--title={title}", "--body-file=-", *drafted], body
    names = (
        f"--repo=https://{hosted.host}/{hosted.path}",
        f"--source-branch={branch}",
        f"--target-branch={base}",
    )
    #: Of glab "-" alone would open an editor.
    told = f"--description={body if body.strip() not in ('', '-') else title}"
    return ["glab", "mr", "create", *names, f"--title={title}", told, "--yes", *drafted], ""


def _run(argv: list[str], fed: str) -> tuple[int, str]:
    """Run a program of the account's in an empty folder, where it finds no repository to read settings of."""
    known = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    env = {**known, **pushing.credentials(), **QUIET, "LC_ALL": "C.UTF-8"}
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as source,
    ):
        source.write(fed.encode())
        source.seek(0)
        process = subprocess.Popen(  # noqa: S603 -- an argument list of ours, no shell
            argv, stdin=source, stdout=out, stderr=out, cwd=folder, env=env, start_new_session=True
        )
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired as late:
            raise Conflict(f"No pull request was opened: no answer within {SECONDS} seconds.") from late
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        out.seek(0)
        return code, out.read(OUTPUT_BYTES).decode("utf-8", "replace").strip()
