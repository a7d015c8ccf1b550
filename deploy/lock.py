"""Resolves the dependencies anew: hashed requirement files without index addresses, each set held to the one before."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = Path("deploy/lock")
# The build backend is in the run set because the editable install builds without isolation.
GROUPS = {"run": ["build"], "test": ["build", "test"], "lint": ["build", "test", "lint"]}
OPTIONS = [
    "--quiet",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
]


def main() -> int:
    uv = shutil.which("uv")
    if uv is None:
        print("make lock needs uv on PATH (https://docs.astral.sh/uv)", file=sys.stderr)
        return 1
    above: list[str] = []
    for name, groups in GROUPS.items():
        target = LOCK / f"{name}.txt"
        chosen = [f"--group=pyproject.toml:{group}" for group in groups]
        argv = [
            uv,
            "pip",
            "compile",
            *OPTIONS,
            *sys.argv[1:],
            *chosen,
            *above,
            "pyproject.toml",
            "-o",
            str(target),
        ]
        subprocess.run(argv, cwd=ROOT, check=True)
        above = ["-c", str(target)]
    return 0


if __name__ == "__main__":
    sys.exit(main())
