"""Front-end files we ship unchanged: `--check` compares their bytes with the npm packages, without it they are fetched."""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache/npm"
FETCH_SECONDS = 120


class Unreachable(Exception):
    """npm is missing, or its registry does not answer."""


class Altered(Exception):
    """A package or a file is not what deploy/vendor.toml says."""


def listed() -> dict[str, Any]:
    """What deploy/vendor.toml says."""
    return tomllib.loads((ROOT / "deploy/vendor.toml").read_text())


def integrity(data: bytes) -> str:
    """The `sha512-…` form npm writes."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()


def package(name: str, version: str, wanted: str) -> Path:
    """The package's archive, from the cache or the registry. Raises Unreachable, or Altered when its bytes differ."""
    archive = CACHE / f"{name.replace('/', '-').removeprefix('@')}-{version}.tgz"
    if not archive.exists():
        _fetch(name, version, archive)
    if integrity(archive.read_bytes()) != wanted:
        archive.unlink()
        raise Altered(f"{name} {version} from the registry is not the package deploy/vendor.toml names")
    return archive


def _fetch(name: str, version: str, archive: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unreachable("npm is not on PATH")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        argv = [npm, "pack", "--silent", f"{name}@{version}"]
        try:
            done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unreachable("the registry did not answer in time") from None
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or not found:
            raise Unreachable(done.stderr.strip()[-300:] or f"npm pack {name}@{version} gave nothing")
        os.replace(found[0], archive)


def member(archive: Path, name: str) -> bytes:
    """One file of an archive."""
    with tarfile.open(archive) as opened:
        file = opened.extractfile(name)
        if file is None:
            raise Altered(f"{archive.name} holds no file {name}")
        return file.read()


def typescript() -> Path:
    """The folder of the pinned TypeScript compiler, unpacked once."""
    pinned = listed()["typescript"]
    folder = ROOT / f".cache/typescript-{pinned['version']}"
    if not (folder / "package/lib/tsc.js").exists():
        archive = package("typescript", pinned["version"], pinned["integrity"])
        _unpack(archive, folder)
    return folder / "package"


def _unpack(archive: Path, folder: Path) -> None:
    """Regular files only (tarfile's own filter is younger than our oldest Python)."""
    with tempfile.TemporaryDirectory(dir=CACHE) as draft, tarfile.open(archive) as opened:
        for item in opened.getmembers():
            target = Path(draft, os.path.normpath(item.name))
            if not item.isfile() or ".." in Path(item.name).parts or item.name.startswith("/"):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(opened.extractfile(item).read())  # type: ignore[union-attr]
        if not folder.exists():
            shutil.copytree(draft, folder)


def problems(*, fetch: bool) -> list[str]:
    """What differs from deploy/vendor.toml; with `fetch` also from the registry's packages. Raises Unreachable."""
    found = []
    for entry in listed()["file"]:
        target = ROOT / entry["target"]
        if not target.is_file() or integrity(target.read_bytes()) != entry["sha512"]:
            found.append(f"{entry['target']} is not the file deploy/vendor.toml names")
        elif fetch:
            archive = package(entry["name"], entry["version"], entry["integrity"])
            if member(archive, entry["member"]) != target.read_bytes():
                found.append(f"{entry['target']} differs from {entry['name']} {entry['version']}")
    names = {entry["target"] for entry in listed()["file"]}
    for folder in ("web/static/vendor", "web/static/fonts"):
        files = (path for path in (ROOT / folder).rglob("*") if path.is_file())
        found += [
            f"{path.relative_to(ROOT)} is not in deploy/vendor.toml"
            for path in files
            if str(path.relative_to(ROOT)) not in names
        ]
    return found


def restore() -> None:
    """Write the files anew from their packages."""
    for entry in listed()["file"]:
        archive = package(entry["name"], entry["version"], entry["integrity"])
        target = ROOT / entry["target"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(member(archive, entry["member"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    try:
        if parser.parse_args().check:
            found = problems(fetch=True)
            print("\n".join(found) or "the vendored files are what deploy/vendor.toml names")
            return bool(found)
        restore()
    except (Unreachable, Altered) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
