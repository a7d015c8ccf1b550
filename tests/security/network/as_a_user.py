"""Become an ordinary user, build a sandbox that asks its own port 3128, and answer it from outside."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess

from workers.shim.proxy import listening

NOBODY = 65534
PR_SET_DUMPABLE = 4  # a change of user had taken our own /proc from us
ASK = 'exec 3<>/dev/tcp/127.0.0.1/3128; echo heard >&3; read -t 5 line <&3; test "$line" = yes'
SANDBOX = "bwrap --unshare-user --unshare-pid --unshare-net --die-with-parent --cap-drop ALL --ro-bind / / --dev /dev"

if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
status, said = os.pipe()
gate, opened = os.pipe()
argv = [*SANDBOX.split(), "--block-fd", str(gate), "--json-status-fd", str(said), "--", "bash", "-c", ASK]
sandbox = subprocess.Popen(argv, cwd="/", pass_fds=(gate, said))
try:
    os.close(gate)
    os.close(said)
    reports = open(status)  # noqa: SIM115 - closed, it would end the sandbox
    found = json.loads(reports.readline())
    listeners = listening.inside(found["child-pid"], [3128], found.get("net-namespace"))
    os.write(opened, b"1")
    listener = listeners[0][1]
    listener.settimeout(5)
    endpoint, peer = listener.accept()
    heard = endpoint.recv(100).decode().strip()
    endpoint.sendall(b"yes\n")
    assert sandbox.wait(5) == 0
finally:
    sandbox.kill()
    sandbox.wait()
print(peer[0], heard)
