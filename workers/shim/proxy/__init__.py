"""The way out of a contained agent's network: listens inside it, decides, and connects on the host.

A fork of the shim, which it outlives by no moment: no program is started for it, and none runs in the sandbox.
"""
