"""Several tasks for one goal beside each other, and the choice of one of them."""

from __future__ import annotations

from flask import Flask
from werkzeug.wrappers import Response as BaseResponse

from shared import groups
from shared.review import group_files
from web.pages import captures, forms, frame, group_lines
from web.reading import snapshot
from web.security import Authority, authority

#: Files of the table that shows which task changed which; the rest is counted.
LISTED = 300


def install(app: Flask) -> None:
    app.add_url_rule("/ui/groups/<id>", "group_page", page)
    app.add_url_rule("/ui/groups/<id>/pick", "pick_form", pick, methods=["POST"])
    app.add_url_rule("/ui/groups/<id>/unpick", "unpick_form", unpick, methods=["POST"])


@authority(Authority.PAGE)
def page(id: str) -> str:
    """The tasks side by side, sorted as `?sort=` says; a script reads only what changes."""
    wish = frame.query("sort")[:20]
    with snapshot():
        group = groups.get(id)
        rows = groups.members(group)
        return frame.page(
            "group/lines.html" if forms.is_upgraded() else "group/page.html",
            group=group,
            lines=group_lines.lines(group, rows, wish),
            headings=group_lines.headings(wish),
            first=rows[0],
            across=group_files.across(rows),
            numbers={row.number: place for place, row in enumerate(rows, start=1)},
            listed=LISTED,
            letters=captures.LETTERS,
            key_of=captures.key_of,
        )


@forms.action(lambda id: f"group:{id}")
def pick(id: str) -> BaseResponse:
    """Keep one, and go to what it changed."""
    group = groups.pick(groups.get(id), forms.field("task", 64))
    return forms.leave(f"/ui/tasks/{group.picked}/changes")


@forms.action(lambda id: f"group:{id}")
def unpick(id: str) -> BaseResponse:
    return forms.leave(f"/ui/groups/{groups.unpick(groups.get(id)).id}")
