"""The simple commands inside a shell line, as words: what policy rules look at instead of substrings."""

from __future__ import annotations

import os
import re
import shlex

#: Programs that run the words after them; their own options are skipped.
WRAPPERS = frozenset(
    "env nohup nice time timeout xargs exec command setsid stdbuf ionice sudo doas chroot watch then do else !".split()
)
#: Wrappers that take a number or a folder before the command.
COUNTED = frozenset("timeout nice ionice watch chroot".split())
SHELLS = frozenset("sh bash dash zsh ksh".split())
SEPARATORS = frozenset(";|&(){}\n")
SUBSTITUTION = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
DEPTH = 4


def simple_commands(line: str, depth: int = 0) -> list[list[str]]:
    """Each simple command of `line` as its words, wrappers' commands and `sh -c` texts included.

    A line the shell itself could not parse (unbalanced quotes) gives what can be read of it; the sandbox, not
    this list, is the boundary.
    """
    found: list[list[str]] = []
    for words in _split(line):
        while words and ASSIGNMENT.match(words[0]):
            words = words[1:]
        if not words:
            continue
        found.append(words)
        found.extend(_nested(words, depth))
    if depth < DEPTH:
        for match in SUBSTITUTION.finditer(line):
            found.extend(simple_commands(match.group(1) or match.group(2) or "", depth + 1))
    return found


def program(words: list[str]) -> str:
    """The program's name without its folder."""
    return os.path.basename(words[0])


def _split(line: str) -> list[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&(){}\n<>")
    lexer.whitespace_split = True
    lexer.whitespace = " \t\r"
    lexer.commenters = ""
    commands: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word and set(word) <= SEPARATORS:
                commands.append([])
            elif not set(word) <= set("<>&"):
                commands[-1].append(word)
    except ValueError:
        pass
    return [words for words in commands if words]


def _nested(words: list[str], depth: int) -> list[list[str]]:
    if depth >= DEPTH:
        return []
    name, rest = program(words), words[1:]
    if name in SHELLS:
        texts = [
            rest[i + 1]
            for i, word in enumerate(rest[:-1])
            if word.startswith("-") and word[1:2] != "-" and word.endswith("c")
        ]
        return [found for text in texts for found in simple_commands(text, depth + 1)]
    if name == "eval":
        return simple_commands(" ".join(rest), depth + 1)
    if name == "find":
        starts = [i for i, word in enumerate(rest) if word in ("-exec", "-execdir", "-ok")]
        return [rest[i + 1 :] for i in starts if rest[i + 1 :]]
    if name in WRAPPERS:
        inner = _after_options(name, rest)
        return [inner, *_nested(inner, depth + 1)] if inner else []
    return []


def _after_options(name: str, words: list[str]) -> list[str]:
    """Skip a wrapper's options, assignments and (timeout, nice) its number."""
    number = re.compile(r"[\d.]+[smhd]?|/.*")
    index = 0
    while index < len(words):
        word = words[index]
        counted = name in COUNTED and number.fullmatch(word)
        if not (word.startswith("-") or ASSIGNMENT.match(word) or counted):
            break
        index += 1
    return words[index:]
