"""What a task changed, to be read: the files, each file's diff when it comes near, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, make_response, request
from markupsafe import Markup

from shared import tasks
from shared.commands import CommandKind
from shared.errors import NotFound
from shared.lifecycle import LIVE
from shared.review import landings, marks, scopes
from shared.review.comments import State
from shared.review.marks import Mark, Review
from shared.store.models import Capture, Landing, Task
from web import effects, quoting
from web.pages import captures, context, forms, frame, hunks, outcome, reviewing, said, tables, task_details
from web.pages.captures import Changes, File, Wanted
from web.pages.tables import Wider
from web.quoting import Shown
from web.reading import snapshot
from web.security import Authority, authority, writes

VIEWS = ("split", "unified")
VIEW_COOKIE, YEAR_SECONDS = "openruntime_diff", 365 * 24 * 60 * 60
#: Drawn with the page, so that the first frame shows code; the rest comes when it is near.
FIRST_FILES, FIRST_LINES = 3, 120
#: Of more changed files the page lists one part at a time: 250 are 0.4 MB of markup, and twice as many a slow first frame.
PART_FILES = 250
FIND_CHARACTERS, PART_DIGITS = 200, 6
FLAGS = {
    "secret": "A secret, or what looks like one, is in the change",
    "mass-deletion": "More than half of the files are deleted",
    "embedded-repository": "A repository inside the repository is left out",
    "unreadable": "Could not be read",
    "submodule-moved": "A submodule points somewhere else",
    "too-large": "Too large to be captured",
    "too-much": "Left out, the capture was full",
    "unsafe-name": "Left out for its name",
    "ignored": "Left out, git ignores it, and the change touches the rules for that",
    "worktree-missing": "The worktree was missing",
}
MOST_FLAGS = 20


@dataclass(frozen=True)
class Folder:
    """Files of one directory, as the tree shows them."""

    name: str
    files: list[File]


@dataclass(frozen=True)
class Look:
    """How diffs are drawn, and which; `between` are the two states that are compared, as the address names them."""

    split: bool
    ignore_space: bool
    hide_viewed: bool = False
    hide_settled: bool = False
    part: int = 1
    find: str = ""
    between: tuple[tuple[str, str], ...] = (("from", ""), ("to", ""))

    def query(self, **other: str) -> str:
        """The address of this look with something in it otherwise; an empty value leaves the thing out."""
        wanted = {
            **self._parts(),
            "find": self.find,
            "part": str(self.part) if self.part > 1 else "",
            **other,
        }
        return urlencode({name: value for name, value in wanted.items() if value})

    def kept(self) -> list[tuple[str, str]]:
        """What a form that finds other files carries on, by name."""
        return [(name, value) for name, value in self._parts().items() if value]

    def _parts(self) -> dict[str, str]:
        return {
            **dict(self.between),
            "view": "split" if self.split else "unified",
            "space": "ignore" if self.ignore_space else "",
            "viewed": "hide" if self.hide_viewed else "",
            "said": "open" if self.hide_settled else "",
        }


@dataclass(frozen=True)
class Reading:
    """A capture's files as a person reads them: which are shown, how far the review has come, and what was said."""

    shown: list[File]
    marks: dict[str, Mark]
    review: Review
    said: list[Shown]
    comments: dict[str, list[Shown]]

    @property
    def elsewhere(self) -> list[Shown]:
        """Comments on files that are not shown."""
        here = {file.key for file in self.shown}
        return [one for key, found in self.comments.items() if key not in here for one in found]

    @property
    def drafts(self) -> int:
        return sum(one.state is State.DRAFT for one in self.said)


def install(app: Flask) -> None:
    app.add_url_rule("/ui/tasks/<id>/changes", "changes_page", page)
    app.add_url_rule("/ui/tasks/<id>/changes/file", "changes_file", file_partial)
    app.add_url_rule("/ui/tasks/<id>/changes/refresh", "capture_form", capture, methods=["POST"])


@authority(Authority.PAGE)
@writes
def page(id: str) -> Response:
    """The latest capture; while the agent works, one is taken first."""
    task = tasks.get(id)
    look_again(task)
    look = look_asked()
    wish = context.wish(captures.latest(task)) if frame.query("context") else None
    with snapshot():
        task = tasks.get(id)
        row = captures.latest(task)
        found = captures.changes(row, wanted(look)) if row is not None else None
        reading = read(task, found, look) if found else None
        answer = make_response(
            frame.page(
                "changes/page.html",
                tab="changes",
                **task_details.frame(task),
                changes=found,
                reading=reading,
                said=said,
                commented=frame.query("comment"),
                progress=reviewing.progress(reading.review) if reading else "",
                folders=folders(reading.shown) if reading else [],
                counted=hunks.counted,
                drawn=drawn(found, reading, look, wish) if found and reading else {},
                look=look,
                scopes=scopes.of(task),
                flags=_flags(found),
                landing=landing_of(task),
                news=outcome.news(task),
                pushed=outcome.pushed(task),
                unmerged=unmerged_files(task),
                left_out=len(landings.left_out(row)),
            )
        )
    return remembered(answer)


def look_again(task: Task) -> None:
    """Have the worktree captured, as long as the agent works in it."""
    if task.status in LIVE and task.worktree_path:
        effects.finished(landings.request_work(task, CommandKind.CAPTURE), effects.STEER_SECONDS)


def wanted(look: Look) -> Wanted:
    """The files that the page lists."""
    return Wanted(look.part, look.find, frame.query("path") or frame.query("comment"), PART_FILES)


def remembered(answer: Response) -> Response:
    """The layout a person chose holds for the next page."""
    view = request.args.get("view")
    if view in VIEWS and request.args.get("once") is None:
        answer.set_cookie(VIEW_COOKIE, view, max_age=YEAR_SECONDS, samesite="Strict", httponly=True)
    return answer


@authority(Authority.PAGE)
def file_partial(id: str) -> Response:
    """One file's diff, from the stored capture."""
    with snapshot():
        task = tasks.get(id)
        row = captures.latest(task, request.args.get("capture", "")[:64])
        if row is None:
            raise NotFound("The task has no such capture.")
        file = captures.find(row, request.args.get("path", "")[:8192], request.args.get("key", "")[:64])
        look = look_asked()
        drawn = tables.marked(
            row,
            file,
            marks.of(task, row, row.files[file.index]),
            split=look.split,
            ignore_space=look.ignore_space,
        )
    return remembered(make_response(drawn))


@forms.action(lambda id: f"task:{id}")
def capture(id: str) -> Any:
    """Look at the worktree again."""
    task = tasks.get(id)
    effects.carried_out(landings.request_work(task, CommandKind.CAPTURE), effects.WORK_SECONDS)
    return forms.leave(f"/ui/tasks/{id}/changes")


def look_asked() -> Look:
    view = frame.query("view") or request.cookies.get(VIEW_COOKIE, "")
    return Look(
        split=view != "unified",
        ignore_space=frame.query("space") == "ignore",
        hide_viewed=frame.query("viewed") == "hide",
        hide_settled=frame.query("said") == "open",
        part=_part(frame.query("part")),
        find=frame.query("find")[:FIND_CHARACTERS],
    )


def _part(given: str) -> int:
    return int(given) if given.isascii() and given.isdigit() and len(given) < PART_DIGITS else 1


def read(task: Task, found: Changes[Capture], look: Look) -> Reading:
    """What the person has viewed of a capture, and what the page shows of it."""
    listed = found.row.files
    review = marks.of(task, found.row)
    known = {file.key: review.of(listed[file.index]) for file in found.files}
    hidden = {key for key, mark in known.items() if look.hide_viewed and mark.is_viewed}
    every = quoting.of(task, found.row)
    comments: dict[str, list[Shown]] = {}
    for one in sorted(every, key=lambda one: (said.is_settled(one), one.first)):
        if not (look.hide_settled and said.is_settled(one)):
            comments.setdefault(captures.key_of({"path": one.comment.path}), []).append(one)
    return Reading([file for file in found.files if file.key not in hidden], known, review, every, comments)


def drawn(found: Changes[Capture], reading: Reading, look: Look, wish: Wider | None) -> dict[str, Markup]:
    """The tables that come with the page, by the file's key: the first ones, and the one `?path=` asks for, perhaps
    with more of its lines.
    """
    shown: dict[str, Markup] = {}
    lines = 0
    asked, commented = frame.query("path"), frame.query("comment")
    for file in reading.shown:
        is_viewed = reading.marks[file.key].is_viewed
        lines += 0 if is_viewed else file.added + file.removed
        first = len(shown) < FIRST_FILES and lines <= FIRST_LINES and file.state != "folded" and not is_viewed
        if first or asked == file.name or commented == file.key:
            shown[file.key] = tables.marked(
                found.row, file, reading.review, split=look.split, ignore_space=look.ignore_space, wider=wish
            )
    return shown


def folders(files: Sequence[File]) -> list[Folder]:
    """The files by their directories, in the order of the capture."""
    found: dict[str, Folder] = {}
    for file in files:
        found.setdefault(file.folder, Folder(file.folder, [])).files.append(file)
    return list(found.values())


def _flags(found: Changes[Capture] | None) -> list[tuple[str, str]]:
    """(sentence, path) of what the capture warns about."""
    listed = found.row.flags if found else []
    return [
        (
            FLAGS.get(str(flag.get("kind")), str(flag.get("kind"))),
            " ".join(str(flag[name]) for name in ("path", "detail") if flag.get(name)),
        )
        for flag in listed[:MOST_FLAGS]
        if isinstance(flag, dict)
    ]


def landing_of(task: Task) -> Landing | None:
    """How the task's changes landed, if they did."""
    return landings.last_landing(task) if task.worktree_merged_at is not None else None


def unmerged_files(task: Task) -> int:
    """What a cleanup would take away: 0 after a merge."""
    return 0 if task.worktree_merged_at is not None else task_details.changed_files(task)
