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
    "agents.options": set(),
    "clock": set(),
    "config": {"platformdirs"},
    "costs.prices": set(),
    "costs.spending": set(),
    "errors": set(),
    "events": set(),
    "lifecycle": set(),
    "network.hosts": set(),
    "policy": set(),
    "policy.findings": set(),
    "policy.globs": set(),
    "policy.mcp_tools": set(),
    "policy.network_words": set(),
    "policy.places": set(),
    "policy.presets": set(),
    "policy.report": set(),
    "policy.rules": set(),
    "policy.shell_words": set(),
    "policy.tool_rules": set(),
    "policy.tool_suggestions": set(),
    "policy.value": set(),
    "policy.width": set(),
    "secrets.forms": set(),
    "secrets.redaction": {"re2"},
    "secrets.rules": {"re2"},
    "secrets.scan": {"re2"},
    "task_place": set(),
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


def module_of(name: str) -> Path | None:
    """The source file that an imported name comes from: `a.b` is the module b of a, or a name in a."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        stem = Path(*parts[:count])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path in known_sources():
                return path
    return None


@functools.cache
def known_sources() -> frozenset[Path]:
    return frozenset(sources())


def pure_file(name: str) -> Path:
    return module_of(f"shared.{name}") or Path(f"shared/{name}")


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
    path, allowed = pure_file(name), {pure_file(other) for other in PURE}
    foreign = [
        module
        for module in imported(path)
        if not is_standard(module)
        and module.split(".")[0] not in PURE[name]
        and module_of(module) not in allowed
    ]
    assert foreign == []
    assert {"subprocess", "sqlite3", "socket"}.isdisjoint(module.split(".")[0] for module in imported(path))


def test_the_store_knows_no_verb() -> None:
    allowed = {pure_file(name) for name in PURE}
    upward = {
        f"{path}: {module}"
        for path in sources()
        if path.parts[:2] == ("shared", "store")
        for module in imported(path)
        if module.startswith("shared.") and not module.startswith("shared.store.")
        if module_of(module) not in allowed
    }
    assert upward == set()


def closure(path: Path) -> dict[Path, set[str]]:
    """The file and every source it imports, directly or not, each with the foreign packages it imports.

    Importing a module runs the packages it lies in, so these are among them.
    """
    found: dict[Path, set[str]] = {}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        found[current] = {name.split(".")[0] for name in imported(current) if not is_standard(name)}
        found[current] -= set(SOURCES)
        reached = {current, *filter(None, map(module_of, imported(current)))}
        packages = {parent / "__init__.py" for one in reached for parent in one.parents if parent.parts}
        waiting += (reached | packages) - found.keys()
    return found


def test_the_shim_imports_little_because_one_runs_beside_every_agent() -> None:
    reached = closure(Path("workers/shim/shim.py"))
    assert {str(path): names for path, names in reached.items() if names - {"re2"}} == {}
    packages = {path for path in reached if path.name == "__init__.py"}
    assert {str(path) for path in packages if list(imported(path))} == set()
    outside = {path for path in reached.keys() - packages if path.parts[:2] != ("workers", "shim")}
    assert outside <= {pure_file(name) for name in PURE}


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
