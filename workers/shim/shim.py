"""The program beside every agent: a script of its own, so that it starts in milliseconds and outlives every worker.

    python -I -S shim.py ATTEMPT_DIRECTORY

What it does is told in workers/shim/handshake.py. This file stays short, since Python compiles a script anew at
every start.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from workers.shim.handshake import main

    sys.exit(main(sys.argv[1]))
