"""A model that follows a script: the Anthropic Messages and the OpenAI Responses API for the real programs, on loopback.

A goal (or a reply) carries its script after a marker, so the server needs to be told nothing, and any number of agents
play their own scripts at once. `running()` gives a server in this process with its own account of tokens, calls and
requests; `python -m tests.agents.model_server` is the same as a program that prints its port.
"""

from tests.agents.model_server.account import Account, Spent
from tests.agents.model_server.script import goal
from tests.agents.model_server.server import ModelServer, closed_port, running

__all__ = ["Account", "ModelServer", "Spent", "closed_port", "goal", "running"]
