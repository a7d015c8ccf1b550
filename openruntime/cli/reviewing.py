"""`review`, `comment` and `comments`: what a person has viewed of a task's changes, and says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import click

from openruntime.cli import ids, output, steering, terminal
from openruntime.cli.client import task_path
from openruntime.cli.context import Invocation
from openruntime.cli.root import Command
from shared.errors import BadRequest, NotFound

#: `PATH:12`, or `PATH:12-15`.
WHERE = re.compile(r"(?P<path>.+):(?P<line>\d{1,9})(?:-(?P<last>\d{1,9}))?", re.DOTALL)
#: How much of a hunk's key is shown; the rest numbers equal ones.
KEY = re.compile(r"([0-9a-f]{8})[0-9a-f]*(-\d+)?")


@click.command(cls=Command)
@click.option("--viewed", is_flag=True, help="Mark the files, or a hunk of one, as viewed.")
@click.option("--open", "reopened", is_flag=True, help="Open them again.")
@click.option(
    "--hunk", "hunk", metavar="HUNK", help="Only this hunk of the file, as the list of them names it."
)
@click.argument("task_id", metavar="ID")
@click.argument("paths", metavar="[PATH...]", nargs=-1)
@click.pass_obj
def review(
    invocation: Invocation,
    task_id: str,
    viewed: bool,
    reopened: bool,
    hunk: str | None,
    paths: tuple[str, ...],
) -> None:
    """List what of a task's changes is viewed; with PATHs their hunks.

    A mark holds until the agent changes the file, or the hunk, again.
    """
    if viewed and reopened:
        raise BadRequest("Say either --viewed or --open.")
    marks = viewed or reopened
    if marks and not paths:
        raise BadRequest("Name the files that are meant.")
    if hunk is not None and (len(paths) != 1 or not marks):
        raise BadRequest("A hunk is marked with --viewed or --open, and one file.")
    place = task_path(ids.task(invocation.client, task_id), "review")
    if marks:
        _mark(invocation, place, paths, hunk, viewed)
    elif paths:
        _hunks(invocation, [_file(invocation, place, path) for path in paths])
    else:
        _files(invocation, invocation.client.get(place))


def _mark(invocation: Invocation, place: str, paths: Sequence[str], hunk: str | None, viewed: bool) -> None:
    found: dict[str, Any] = {}
    for path in paths:
        body: dict[str, Any] = {"path": path, "viewed": viewed}
        if hunk is not None:
            body["hunk"] = _key(_file(invocation, place, path)["hunks"] or [], hunk)
        found = invocation.client.post(place, body).body
    if invocation.as_json:
        output.as_json(found)
    elif not invocation.quiet:
        _files(invocation, {**found, "files": [one for one in found["files"] if _is_one_of(one, paths)]})


def _is_one_of(file: dict[str, Any], paths: Sequence[str]) -> bool:
    return file["path"] in paths or file["path_b64"] in paths


def _file(invocation: Invocation, place: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = invocation.client.get(place, path=path)["files"][0]
    return found


def _key(hunks: Iterable[dict[str, Any]], given: str) -> str:
    """The key of the one hunk that is shown like this, or whose key begins so."""
    keys = [str(one["hunk"]) for one in hunks]
    found = [key for key in keys if given in (key, _short(key))] or [
        key for key in keys if key.startswith(given)
    ]
    if len(found) != 1:
        raise NotFound(f"{len(found) or 'No'} hunks of the file are called {terminal.one_line(given)!r}.")
    return found[0]


def _short(key: str) -> str:
    match = KEY.fullmatch(key)
    return f"{match[1]}{match[2] or ''}" if match else key


def _files(invocation: Invocation, found: dict[str, Any]) -> None:
    if invocation.as_json:
        output.as_json(found)
        return
    rows = [
        (one["state"], _counted(one), one["viewed_by"], _when(one), one["path"]) for one in found["files"]
    ]
    if rows:
        output.table(("state", "hunks", "by", "when", "file"), rows)
    if not invocation.quiet:
        output.note(
            f"{found['viewed']} of {found['total']} files viewed." if found["total"] else "No changes."
        )


def _counted(file: dict[str, Any]) -> str:
    hunks = file["hunks"] or []
    return f"{sum(one['state'] == 'viewed' for one in hunks)}/{len(hunks)}" if hunks else ""


def _when(one: dict[str, Any]) -> str:
    return str(one["viewed_at"] or "")[:16].replace("T", " ")


def _hunks(invocation: Invocation, files: list[dict[str, Any]]) -> None:
    if invocation.as_json:
        output.as_json(files)
        return
    rows = [
        (_short(one["hunk"]), one["state"], one["viewed_by"], _when(one), f"{file['path']} {one['header']}")
        for file in files
        for one in file["hunks"] or []
    ]
    output.table(("hunk", "state", "by", "when", "where"), rows)


@click.command(cls=Command)
@click.option("--old", is_flag=True, help="The lines are those of the version before the changes.")
@click.argument("task_id", metavar="ID")
@click.argument("where", metavar="PATH:LINE[-LINE]")
@click.argument("text", metavar="TEXT...", nargs=-1, required=True)
@click.pass_obj
def comment(invocation: Invocation, task_id: str, where: str, text: tuple[str, ...], old: bool) -> None:
    """Write a comment on lines of a task's changes: a draft, until `comments ID --send`."""
    found = WHERE.fullmatch(where)
    if found is None:
        raise BadRequest("Name the lines as PATH:LINE or PATH:LINE-LINE.")
    given = {
        "path": found["path"],
        "line": int(found["line"]),
        "last_line": int(found["last"]) if found["last"] else None,
        "side": "old" if old else None,
        "body": " ".join(text),
    }
    whole = ids.task(invocation.client, task_id)
    body = {name: value for name, value in given.items() if value is not None}
    made = invocation.client.post(task_path(whole, "comments"), body).body
    if invocation.as_json:
        output.as_json(made)
    elif not invocation.quiet:
        output.line(f"{ids.short(made['id'])}  draft on {_place(made)}")


@click.command(cls=Command)
@click.option("--send", is_flag=True, help="Send every draft to the agent, as one message.")
@click.option("--delete", multiple=True, metavar="COMMENT", help="Delete this comment.")
@click.option("--resolve", multiple=True, metavar="COMMENT", help="Take this one for addressed.")
@click.option("--reopen", multiple=True, metavar="COMMENT", help="Take that back.")
@click.argument("task_id", metavar="ID")
@click.pass_obj
def comments(
    invocation: Invocation,
    task_id: str,
    send: bool,
    delete: tuple[str, ...],
    resolve: tuple[str, ...],
    reopen: tuple[str, ...],
) -> None:
    """List the comments on a task's changes, and what became of each.

    COMMENT is a comment's id, or any unique beginning of it.
    """
    whole = ids.task(invocation.client, task_id)
    place = task_path(whole, "comments")
    for given in delete:
        invocation.client.delete(f"{place}/{_comment(invocation, place, given)}")
    for given, resolved in [*((one, True) for one in resolve), *((one, False) for one in reopen)]:
        path = f"{place}/{_comment(invocation, place, given)}/resolve"
        invocation.client.post(path, {"resolved": resolved})
    if send:
        steering.report(invocation, whole, "reply", invocation.client.post(f"{place}/send"))
    elif not (invocation.quiet and (delete or resolve or reopen)):
        _listed(invocation, invocation.client.get(place))


def _comment(invocation: Invocation, place: str, given: str) -> str:
    return str(ids.pick(invocation.client.get(place), given, "comment", "body")["id"])


def _listed(invocation: Invocation, found: list[dict[str, Any]]) -> None:
    if invocation.as_json:
        output.as_json(found)
        return
    rows = [(ids.short(one["id"]), _state(one), _place(one), one["body"]) for one in found]
    if rows:
        output.table(("comment", "state", "where", "text"), rows)
    elif not invocation.quiet:
        output.note("No comments.")


def _state(one: dict[str, Any]) -> str:
    """A draft whose lines changed says so."""
    return f"{one['state']}, outdated" if one["state"] == "draft" and one["outdated"] else str(one["state"])


def _place(one: dict[str, Any]) -> str:
    last = f"-{one['last_line']}" if one["last_line"] != one["line"] else ""
    return f"{one['path']}:{one['line']}{last}{' (old)' if one['side'] == 'old' else ''}"
