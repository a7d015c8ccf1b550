"""The simple commands inside a shell line, as words: what policy rules look at instead of substrings."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import dropwhile

#: Programs that run the words after them, and which of their options' letters take the next word as a value.
WRAPPERS = {
    "builtin": "",
    "busybox": "",
    "chroot": "",
    "command": "",
    "doas": "uC",
    "env": "uC",
    "exec": "a",
    "ionice": "cnpu",
    "nice": "n",
    "nohup": "",
    "setsid": "",
    "stdbuf": "ioe",
    "sudo": "ugpChDRTrt",
    "time": "fo",
    "timeout": "ks",
    "watch": "n",
    "xargs": "aEdILnPs",
}
#: Wrappers that take a number or a folder before the command.
COUNTED = frozenset("timeout nice ionice watch chroot".split())
#: Words of the shell's grammar that a command may follow.
KEYWORDS = frozenset("! if then elif else while until do".split())
SHELLS = frozenset("sh bash dash zsh ksh ash fish su runuser".split())
PLAIN_SHELLS = SHELLS - {"su", "runuser"}
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
COUNT = re.compile(r"[\d.]+[smhd]?|/.*", re.DOTALL)
SHELL_TEXT = re.compile(r"-[A-Za-z]*c[A-Za-z]*")
#: The program of a made-up command that holds the target of a redirection.
REDIRECTION = "<"
DEPTH = 4
#: POSIX shell tokens; what is unbalanced reaches to the end of the line.
TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+)
      | (?P<joined>\\\n)
      | (?P<redirection>&?[<>]+[&|]?)
      | (?P<separator>[;|&()`\n]+)
      | (?P<single>'[^']*'?)
      | (?P<ansi>\$'(?:[^'\\]|\\.)*'?)
      | \$?(?P<double>"(?:[^"\\]|\\.)*"?)
      | \\(?P<escaped>.?)
      | (?P<plain>(?:[^\s;|&()`<>'"\\$]|\$(?!['"]))+ | .)""",
    re.VERBOSE | re.DOTALL,
)
OPENING = re.compile(r"\$\(|`")
PARENTHESIS = re.compile(r"[()]")
UNESCAPED = re.compile(r'\\(?:\n|(["\\$`]))')


def simple_commands(line: str, depth: int = 0) -> list[list[str]]:
    """Each simple command of `line` as its words, wrappers' commands and `sh -c` texts included.

    The target of a redirection stands in a command of its own, after REDIRECTION. A line the shell itself could
    not parse (unbalanced quotes) gives what can be read of it; the sandbox, not this list, is the boundary.
    """
    reader = _Reader()
    reader.read(line)
    found: list[list[str]] = []
    for read in reader.commands:
        words = list(dropwhile(lambda word: word in KEYWORDS or ASSIGNMENT.match(word), read))
        if words:
            found.append(words)
            found.extend(_nested(words, depth))
    if depth < DEPTH:
        for text in reader.substitutions:
            found.extend(simple_commands(text, depth + 1))
    return found


def unwrapped(line: str) -> str:
    """The text that `line` hands to one shell by `-c` and nothing else, as Codex wraps each command; or `line` itself."""
    reader = _Reader()
    reader.read(line)
    if len(reader.commands) != 1 or reader.substitutions:
        return line
    shell, *rest = reader.commands[0]
    given = len(rest) == 2 and SHELL_TEXT.fullmatch(rest[0]) and program([shell]) in PLAIN_SHELLS
    return rest[1] if given else line


def assigned_commands(line: str) -> list[list[str]]:
    """The simple commands at the top of `line` that begin with assignments, these included (`PAGER=x git log`)."""
    reader = _Reader()
    reader.read(line)
    return [words for words in reader.commands if ASSIGNMENT.match(words[0])]


def program(words: list[str]) -> str:
    """The program's name without its folder."""
    return os.path.basename(words[0])


def operands(words: list[str], valued: str, named: frozenset[str] = frozenset()) -> list[str]:
    """The words after the program that are neither options nor the values of options.

    `valued` holds the letters, `named` the long names, of options that take the next word as their value.
    """
    found: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word == "--":
            found.extend(rest)
        elif word.startswith("--"):
            if word[2:] in named:
                next(rest, None)
        elif word.startswith("-") and len(word) > 1:
            _skip_value(word[1:], valued, rest)
        else:
            found.append(word)
    return found


def _skip_value(letters: str, valued: str, rest: Iterator[str]) -> None:
    """`-sSo out` takes a value, `-oout` carries it."""
    first = next((place for place, letter in enumerate(letters) if letter in valued), None)
    if first == len(letters) - 1:
        next(rest, None)


class _Reader:
    """Cuts a line into commands; `substitutions` are the texts of `$(…)` inside double quotes."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.substitutions: list[str] = []
        self._words: list[str] = []
        self._word: str | None = None
        self._bare = True
        self._is_target = False

    def read(self, line: str) -> None:
        place = 0
        while match := TOKEN.match(line, place):
            place = match.end()
            if match[0].startswith("#") and self._word is None:
                place = line.find("\n", match.start())
                if place < 0:
                    break
            else:
                self._take(str(match.lastgroup), match)
        self._end_command()

    def _take(self, kind: str, match: re.Match[str]) -> None:
        text = match[kind]
        if kind == "space":
            self._end_word()
        elif kind == "separator":
            self._end_command()
        elif kind == "redirection":
            if self._word and self._word.isdigit():
                self._word = None
            self._end_word()
            self._is_target = True
        elif kind == "double":
            inside = text[1:-1] if len(text) > 1 and text.endswith('"') else text[1:]
            self.substitutions.extend(_substitutions(inside))
            self._add(UNESCAPED.sub(r"\1", inside), bare=False)
        elif kind in ("single", "ansi"):
            self._add(text.partition("'")[2].removesuffix("'"), bare=False)
        elif kind in ("escaped", "plain"):
            self._add(text, bare=kind == "plain")

    def _add(self, text: str, *, bare: bool) -> None:
        if self._word is None:
            self._word, self._bare = "", True
        self._word += text
        self._bare = self._bare and bare

    def _end_word(self) -> None:
        if self._word is None:
            return
        if self._is_target:
            self.commands.append([REDIRECTION, self._word])
        elif self._bare and self._word in ("{", "}"):
            self._word = None
            self._end_command()
        elif self._word:
            self._words.append(self._word)
        self._word, self._is_target = None, False

    def _end_command(self) -> None:
        self._end_word()
        self._is_target = False
        if self._words:
            self.commands.append(self._words)
            self._words = []


def _substitutions(text: str) -> Iterator[str]:
    """The texts of `$(…)` and of backticks in a double-quoted text, outermost ones only."""
    place = 0
    while match := OPENING.search(text, place):
        inside = match.end()
        end = text.find("`", inside) if match[0] == "`" else _closing(text, inside)
        end = len(text) if end < 0 else end
        yield text[inside:end]
        place = end + 1


def _closing(text: str, place: int) -> int:
    """Where the parenthesis ends that was opened before `place`; -1 when it does not."""
    depth = 1
    for match in PARENTHESIS.finditer(text, place):
        depth += 1 if match[0] == "(" else -1
        if depth == 0:
            return match.start()
    return -1


def _nested(words: list[str], depth: int) -> list[list[str]]:
    if depth >= DEPTH:
        return []
    name, rest = program(words), words[1:]
    if name in SHELLS:
        return [found for text in _shell_texts(rest) for found in simple_commands(text, depth + 1)]
    if name == "eval" or (name == "env" and rest[:1] == ["-S"]):
        return simple_commands(" ".join(word for word in rest if word != "-S"), depth + 1)
    if name == "find":
        starts = [place for place, word in enumerate(rest) if word in ("-exec", "-execdir", "-ok", "-okdir")]
        ends = [*starts[1:], len(rest)]
        return [rest[a + 1 : b] for a, b in zip(starts, ends, strict=False) if rest[a + 1 : b]]
    if name in WRAPPERS and not (name == "command" and set(rest[:1]) & {"-v", "-V"}):
        inner = _after_options(name, rest)
        return [inner, *_nested(inner, depth + 1)] if inner else []
    return []


def _shell_texts(rest: list[str]) -> list[str]:
    """What follows `-c`, past further options."""
    for place, word in enumerate(rest):
        if SHELL_TEXT.fullmatch(word):
            return [text for text in rest[place + 1 :] if not text.startswith("-")][:1]
    return []


def _after_options(name: str, words: list[str]) -> list[str]:
    """Skip a wrapper's options with their values, assignments and (timeout, nice) its number."""
    rest = iter(words)
    for word in rest:
        if word.startswith("-"):
            _skip_value(word[1:], WRAPPERS[name], rest)
        elif not (ASSIGNMENT.match(word) or (name in COUNTED and COUNT.fullmatch(word))):
            return [word, *rest]
    return []
