"""The server as a program: prints its port, serves until it is ended."""

from __future__ import annotations

import contextlib
import signal
import sys

from tests.agents.model_server.server import ModelServer

server = ModelServer(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
# Not the handler of SIGINT as found: a shell's background job ignores that signal.
signal.signal(signal.SIGTERM, signal.default_int_handler)
print(server.address.rpartition(":")[2], flush=True)
with contextlib.suppress(KeyboardInterrupt):
    server.serve_forever()
