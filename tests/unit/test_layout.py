"""The house rules that a reader relies on: where things lie, how they import each other, how long a file gets."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("openruntime", "web", "workers", "broker", "shared")
LONGEST = 350
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc"}
# Pure modules read no file, know no database, start nothing: the standard library, each other, and what is named here.
PURE = {
    "agent_options": set(),
    "errors": set(),
    "globs": set(),
    "config": {"platformdirs"},
    "lifecycle": set(),
    "events": set(),
    "findings": set(),
    "policy": set(),
    "policy_places": set(),
    "presets": set(),
    "policy_report": set(),
    "mcp_tools": set(),
    "network_hosts": set(),
    "network_words": set(),
    "prices": set(),
    "redaction": {"re2"},
    "secret_forms": set(),
    "secret_scan": {"re2"},
    "secret_rules": {"re2"},
    "shell_words": set(),
    "spending": set(),
    "tool_rules": set(),
    "tool_suggestions": set(),
    "clock": set(),
}


@functools.cache
def python_files() -> list[Path]:
    """Every tracked or new Python file of the project, relative to its root."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.check_output(argv, cwd=ROOT).decode().split("\0")
    return [Path(name) for name in names if name and (ROOT / name).is_file()]


def sources() -> list[Path]:
    return [path for path in python_files() if path.parts[0] in SOURCES]


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_bytes())


def imported(path: Path) -> Iterator[str]:
    """Every absolute module name that the file imports, anywhere in it (`from a import b` yields a.b)."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_standard(module: str) -> bool:
    return module.split(".")[0] in sys.stdlib_module_names


def test_no_file_grows_past_what_one_reads_in_a_sitting() -> None:
    lengths = {str(path): len((ROOT / path).read_bytes().splitlines()) for path in python_files()}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_no_module_is_named_after_nothing_in_particular() -> None:
    vague = [str(path) for path in python_files() if {path.stem, path.parent.name} & FORBIDDEN_NAMES]
    assert vague == []


def test_sources_import_by_the_folders_plain_names() -> None:
    climbing = [
        f"{path}:{node.lineno}"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert climbing == []


def test_every_source_file_says_in_its_docstring_what_it_is_responsible_for() -> None:
    assert [str(path) for path in python_files() if not ast.get_docstring(tree(path))] == []


def test_every_folder_of_sources_is_a_package() -> None:
    folders = {parent for path in sources() for parent in path.parents if parent.parts}
    assert [str(folder) for folder in sorted(folders) if not (ROOT / folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("name", sorted(PURE))
def test_a_pure_module_imports_the_standard_library_only(name: str) -> None:
    path = Path("shared", f"{name}.py")
    allowed = {f"shared.{other}" for other in PURE}
    foreign = [
        module
        for module in imported(path)
        if not is_standard(module)
        and module.split(".")[0] not in PURE[name]
        and not any(module == other or module.startswith(f"{other}.") for other in allowed)
    ]
    assert foreign == []
    assert {"subprocess", "sqlite3", "socket"}.isdisjoint(module.split(".")[0] for module in imported(path))


def test_the_store_knows_no_verb() -> None:
    upward = {
        f"{path}: {module}"
        for path in sources()
        if path.parts[:2] == ("shared", "store")
        for module in imported(path)
        if module.startswith("shared.") and module.split(".")[1] not in {*PURE, "store"}
    }
    assert upward == set()


def closure(path: Path) -> dict[Path, set[str]]:
    """The file and every source it imports, directly or not, each with the foreign packages it imports."""
    found: dict[Path, set[str]] = {}
    known, waiting = set(sources()), [path]
    while waiting:
        current = waiting.pop()
        found[current] = {name.split(".")[0] for name in imported(current) if not is_standard(name)}
        found[current] -= set(SOURCES)
        for name in imported(current):
            stem = name.replace(".", "/")
            near = [Path(f"{stem}.py"), Path(f"{stem.rpartition('/')[0]}.py"), Path(stem, "__init__.py")]
            waiting += [one for one in near if one in known and one not in found]
    return found


def test_the_shim_imports_little_because_one_runs_beside_every_agent() -> None:
    reached = closure(Path("workers/shim/shim.py"))
    assert {str(path): names for path, names in reached.items() if names - {"re2"}} == {}
    outside = {str(path) for path in reached if path.parts[:2] != ("workers", "shim")} - {
        "workers/__init__.py"
    }
    assert outside <= {f"shared/{name}.py" for name in PURE}


def test_programs_are_started_in_workers_only() -> None:
    starters = {
        str(path)
        for path in sources()
        if path.parts[0] in ("web", "broker", "shared")
        and any(module.split(".")[0] in ("subprocess", "pty", "multiprocessing") for module in imported(path))
    }
    assert starters == set()


def test_nothing_is_imported_from_the_tests() -> None:
    assert [str(path) for path in sources() if any(name.startswith("tests") for name in imported(path))] == []
