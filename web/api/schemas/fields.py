"""The kinds of fields that requests are made of: their limits, and what text may stand in them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.errors import BadRequest
from shared.network import hosts
from shared.secrets import masking

PROMPT_BYTES = 1024 * 1024
#: One argument of a program may have 128 KiB on Linux (MAX_ARG_STRLEN).
COMMAND_BYTES = 128 * 1024 - 1024
BIGGEST = 2**32 - 1
SEQ = 2**53
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEMAS: dict[type[BaseModel], dict[str, Any]] = {}
#: Variables that are never handed to an agent, whoever asks (contract 3).
NEVER_GRANTED = ("OPENRUNTIME_", "GIT_", "PYTHON", "LD_")


class Body(BaseModel):
    """A JSON object: types are strict, unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Query(BaseModel):
    """Query parameters: text that must parse."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Kept: flask-openapi asks for it with every request."""
        if args or options:
            return super().model_json_schema(*args, **options)
        if cls not in _SCHEMAS:
            _SCHEMAS[cls] = super().model_json_schema()
        return _SCHEMAS[cls]


def _at_most(limit: int) -> AfterValidator:
    def check(text: str) -> str:
        if len(text) > limit or len(text.encode()) > limit:
            raise ValueError(f"must have {limit} bytes at most")
        return text

    return AfterValidator(check)


def _plain(text: str) -> str:
    if "\0" in text:
        raise BadRequest("A NUL character can stand neither in a name, nor in a path, nor in a command.")
    return text


def _reference(text: str) -> str:
    if text.startswith("-") or any(mark.isspace() or not mark.isprintable() for mark in text):
        raise BadRequest(f"{text!r} cannot be the name of a branch or a commit.")
    return text


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("must name a tool")
    return text


def _without_secrets(command: str) -> str:
    """A command stands in the arguments of a process, which everybody on the machine may read."""
    if secret := masking.named_in(command):
        raise BadRequest(f"The command holds the secret {secret}: grant {secret}, and write ${secret} in it.")
    return command


def _variable(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"{text!r} is not the name of an environment variable")
    if text.startswith(NEVER_GRANTED):
        raise ValueError(f"{text} cannot be granted")
    return text


def _distinct(found: list[Check]) -> list[Check]:
    names = [one.name for one in found]
    if len({*names, "verify"}) <= len(names):
        raise ValueError("must have names of their own, and none is called verify")
    return found


def _host(text: str) -> str:
    return hosts.written(hosts.parse(text))


Plain = AfterValidator(_plain)
CheckMode = Literal["required", "advisory", "off"]
Long = Annotated[str, _at_most(PROMPT_BYTES)]
Word = Annotated[str, Field(max_length=255), Plain]
Line = Annotated[str, Field(max_length=4096), Plain]
RuleText = Annotated[str, Field(max_length=1000), Plain]
Reference = Annotated[Word, AfterValidator(_reference)]
Variable = Annotated[str, Field(max_length=128), AfterValidator(_variable)]
Command = Annotated[str, _at_most(COMMAND_BYTES), Plain, AfterValidator(_without_secrets)]
Host = Annotated[str, Field(max_length=300), AfterValidator(_host)]
Unsigned = Annotated[int, Field(ge=0, le=BIGGEST)]
Lines = Annotated[list[Line], Field(max_length=200)]
Hosts = Annotated[list[Host], Field(max_length=200)]
ObjectId = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class Check(Body):
    """A named check: a command that judges the merged tree."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$")]
    command: Annotated[Command, Field(min_length=1)]
    mode: CheckMode | None = Field(None, description="`advisory` unless said otherwise.")


Checks = Annotated[list[Check], Field(max_length=20), AfterValidator(_distinct)]
CheckSeconds = Annotated[int, Field(ge=1, le=3600)]


class ById(BaseModel):
    id: str = Field(description="The task's UUID.")


class NothingNeeded(Body):
    """No body is needed; an object is taken and ignored."""


class Page(Query):
    limit: Annotated[int, Field(ge=1)] = 500
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] = Field(
        "0", description="From the Link header of the page before."
    )


class DiffPart(Query):
    """Which files of a difference are shown, with their part of its patch."""

    path: Annotated[str, Field(max_length=4096)] | None = Field(None, description="Only this file's patch.")
    limit: Annotated[int, Field(ge=1, le=10_000)] = Field(5_000, description="At most so many files.")
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,9}$")] = Field(
        "0", description="The `next_cursor` of the answer before."
    )


RepositorySettings = Annotated[
    Literal["ask", "ignore"],
    Field(
        description="Files of the repository that configure the agent: `ask` for trust first, or `ignore` them."
    ),
]
