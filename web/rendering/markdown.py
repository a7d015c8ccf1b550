"""An agent's prose: Markdown without HTML, images or scripts, cleaned a second time by a sanitizer."""

from __future__ import annotations

from typing import Any

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from web.rendering.ansi import TOKEN
from web.rendering.marks import without_bidi

TAGS = {
    "p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a",
    "table", "thead", "tbody", "tr", "th", "td", "div",
}  # fmt: skip
SCHEMES = {"http", "https", "mailto"}
#: More than this is shown as it is: parsing prose is linear, but a page of it is not read anyway.
MOST = 64 * 1024
#: Nesting that no prose has; deeper input is shown flat.
DEPTH = 20

_parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEPTH}).enable(["table", "strikethrough"])
_parser.disable(["html_block", "html_inline"])


def _heading_open(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """The page's own outline stays its own: headings of prose are paragraphs that look like headings."""
    return f'<p class="heading h{tokens[index].tag[1:]}">'


def _heading_close(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    return "</p>\n"


def _image(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """What it would show, in words: loading it would tell its host what stands in the address."""
    return str(escape(f"[image: {tokens[index].content}]"))


_parser.add_render_rule("heading_open", _heading_open)
_parser.add_render_rule("heading_close", _heading_close)
_parser.add_render_rule("image", _image)


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Only absolute addresses: a relative one would lead into this dashboard."""
    if name != "href":
        return value
    return value if value.partition(":")[0].lower() in SCHEMES else None


_cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href"}, "ol": {"start"}},
    allowed_classes={"p": {"heading", "h1", "h2", "h3", "h4", "h5", "h6"}},
    attribute_filter=_attribute,
    url_schemes=SCHEMES,
    link_rel="noopener noreferrer nofollow",
    strip_comments=True,
)


def prose(text: str) -> Markup:
    """Markdown as HTML that cannot run, load or link to anything of ours."""
    text = without_bidi(TOKEN.sub("", text))
    if len(text) > MOST:
        return Markup('<pre class="plain">{}</pre>').format(escape(text))
    try:
        rendered = _parser.render(text)
    except (ValueError, RecursionError):
        return Markup('<pre class="plain">{}</pre>').format(escape(text))
    cleaned = _cleaner.clean(rendered)
    framed = cleaned.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    return Markup(framed)  # noqa: S704 -- cleaned
