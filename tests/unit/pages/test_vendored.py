"""The vendored files are the packages' own bytes, and the pages bring no others."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """deploy/vendor.py over a copy of what it looks at."""
    spec = importlib.util.spec_from_file_location("vendor", ROOT / "deploy/vendor.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "deploy/vendor.toml", tmp_path / "deploy")
    for folder in ("vendor", "fonts"):
        shutil.copytree(ROOT / "web/static" / folder, tmp_path / "web/static" / folder)
    monkeypatch.setattr(found, "ROOT", tmp_path)
    return found


def test_the_files_are_those_that_are_named(vendor: ModuleType) -> None:
    assert vendor.problems(fetch=False) == []


def test_a_changed_and_an_unnamed_file_are_told(vendor: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / vendor.listed()["file"][0]["target"]
    script.write_bytes(script.read_bytes() + b"\n")
    (script.parent / "extra.js").write_text("1")
    told = vendor.problems(fetch=False)
    assert len(told) == 2
    assert str(script.relative_to(tmp_path)) in told[0]
    assert "extra.js is not in" in told[1]


def test_pages_load_nothing_from_elsewhere() -> None:
    for path in (ROOT / "web").rglob("*"):
        if path.suffix in (".html", ".css") or (path.suffix == ".js" and "vendor" not in path.parts):
            text = path.read_text()
            assert not re.search(r"""(?:src|href|url|import)\s*[=(]?\s*["'(]+(?:https?:)?//""", text), path
