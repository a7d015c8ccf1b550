"""The program `openruntime` (contract 2): one file per group of commands, loaded when one of them is typed."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its code: 0, 1, 2, 3 or 130."""
    from openruntime.cli.exits import run

    sys.exit(run(argv))
