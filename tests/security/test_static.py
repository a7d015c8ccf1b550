"""S27: what no source may contain, whom a file may be readable for, and which findings stop a change."""

from __future__ import annotations

import ast
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation import installed, repository
from tests.unit.test_layout import ROOT, sources, tree

#: Ways to run what was not meant as a program, or to let a program in.
CALLS = {
    "eval", "exec", "compile", "__import__", "breakpoint", "os.system", "os.popen", "pickle.loads", "pickle.load",
    "marshal.loads", "shelve.open", "yaml.load", "yaml.unsafe_load", "tempfile.mktemp", "pdb.set_trace", "app.run",
    "subprocess.getoutput", "subprocess.getstatusoutput", "ssl._create_unverified_context", "Markup.unescape",
}  # fmt: skip
MODULES = {"pickle", "marshal", "shelve", "yaml", "pdb", "telnetlib", "ftplib", "xmlrpc", "code", "cgi"}
KEYWORDS = {"shell": True, "debug": True, "verify": False, "use_reloader": True, "autoescape": False}


def named(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{named(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def dangers(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            if named(node.func) in CALLS:
                yield f"{path}:{node.lineno} {named(node.func)}"
            for word in node.keywords:
                value = word.value.value if isinstance(word.value, ast.Constant) else None
                if word.arg in KEYWORDS and value is KEYWORDS[word.arg]:
                    yield f"{path}:{node.lineno} {word.arg}={value}"
        elif isinstance(node, ast.Import):
            yield from (
                f"{path}: {alias.name}" for alias in node.names if alias.name.split(".")[0] in MODULES
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            yield f"{path}: {node.module}"


def test_no_source_runs_text_or_unpacks_programs() -> None:
    assert [found for path in sources() for found in dangers(path)] == []


def test_the_check_sees_what_it_looks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import pickle\nsubprocess.run(x, shell=True)\nyaml.load(x)\nos.system(x)\napp.run(debug=True)\n"
    (tmp_path / "bad.py").write_text(text)
    assert len(list(dangers(tmp_path / "bad.py"))) == 6


def test_templates_never_mark_text_as_safe() -> None:
    for template in (ROOT / "web/templates").rglob("*.html"):
        text = re.sub(r"'[^'{}]*' \| safe", "", template.read_text())  # words of the template itself
        assert not re.search(r"\|\s*safe\b", text), template
        assert "autoescape false" not in text, template


def test_a_severe_finding_fails_the_check(tmp_path: Path) -> None:
    """With exactly the words that `make check` uses."""
    bandit = Path(sys.executable).with_name("bandit")
    if not bandit.exists():
        pytest.skip("needs the lint set: python3 deploy/bootstrap.py lint")
    (tmp_path / "bad.py").write_text("import subprocess\nsubprocess.Popen('ls ' + input(), shell=True)\n")
    words = ["-q", "-lll", "-c", "pyproject.toml", "-r"]
    assert (
        f'command("bandit", {", ".join(f"{chr(34)}{word}{chr(34)}" for word in words)}'
        in (ROOT / "deploy/check.py").read_text()
    )
    done = subprocess.run([bandit, *words, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "B602" in done.stdout


def test_nothing_in_the_data_directory_is_for_others(short_dir: Path, tmp_path: Path) -> None:
    """Everything at its top is the owner's alone; what lies deeper is behind such a folder."""
    usual = os.umask(0o022)
    try:
        with installed(short_dir, HOME=str(short_dir)) as site:
            task = site.run("echo hello > file", repository(tmp_path / "repo"))
            site.until(task)
            site.post("/tokens", {})
            found = {path: path.lstat().st_mode for path in site.data.iterdir() if path.suffix != ".log"}
            modes = {path.name: oct(stat.S_IMODE(mode)) for path, mode in found.items() if mode & 0o077}
            assert modes == {}
            assert stat.S_IMODE(site.data.stat().st_mode) == 0o700
            assert {"token", "openruntime.sqlite3", "attempts", "worktrees", "repositories", "bells"} <= {
                path.name for path in found
            }
    finally:
        os.umask(usual)
