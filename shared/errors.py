"""Every error openRuntime raises on purpose, once, in one tree.

    OpenRuntimeError
    ├── Refused                  the request cannot be served as it stands
    │   ├── BadRequest           400  malformed or unusable value
    │   ├── Unauthenticated      401  no valid credential
    │   ├── Forbidden            403  known, but not allowed
    │   │   └── PolicyViolation  403  a policy rule objects
    │   ├── NotFound             404  no such object
    │   ├── Conflict             409  wrong state, or a race was lost
    │   │   ├── LandingRefused   409  landing would overwrite or conflict
    │   │   └── UnmergedWork     409  cleanup would lose work
    │   ├── NotReady             412  something must be granted or fixed first
    │   ├── TooLarge             413
    │   ├── UnsupportedMedia     415
    │   ├── Misdirected          421  a Host this server does not answer to
    │   ├── WrongShape           422  valid JSON, wrong fields
    │   ├── TooManyRequests      429
    │   ├── NotImplementedHere   501
    │   └── Unavailable          503  try again later
    ├── GitFailed                a git command failed; carries its argv and stderr
    ├── SandboxFailed            containment could not be set up; the agent never ran
    ├── AgentLost                the shim of an attempt died
    ├── SchemaRefused            the store was made by another program or a newer version
    ├── InstanceRunning          another instance holds this data directory
    ├── BackupUnusable           a backup could not be written, or is none of ours
    └── ConfigError              a setting has an unusable value

The API renders a Refused as problem+json from `title`, `status`, `slug` and its message; the CLI maps the
tree to exit codes (contract 2).
"""

from __future__ import annotations

from typing import Any


class OpenRuntimeError(Exception):
    """Root of the tree. The message is one plain sentence for a person."""

    exit_code = 1


class Refused(OpenRuntimeError):
    """A request that cannot be served; `status` is its HTTP status, `extra` further problem fields."""

    status = 400
    title = "Bad request"
    slug = "bad-request"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class BadRequest(Refused):
    """Malformed or unusable value."""


class Unauthenticated(Refused):
    status, title, slug = 401, "Sign in first", "unauthenticated"


class Forbidden(Refused):
    status, title, slug = 403, "Not allowed", "forbidden"


class PolicyViolation(Forbidden):
    title, slug = "Policy refused this", "policy-violation"


class NotFound(Refused):
    status, title, slug = 404, "Not found", "not-found"


class Conflict(Refused):
    status, title, slug = 409, "Wrong state", "conflict"


class LandingRefused(Conflict):
    """`extra` carries `conflicts` and `blocking`: lists of what stands in the way."""

    title, slug = "Landing refused", "landing-refused"


class UnmergedWork(Conflict):
    title, slug = "Unmerged work would be lost", "unmerged-work"


class NotReady(Refused):
    status, title, slug = 412, "Not ready", "not-ready"


class TooLarge(Refused):
    status, title, slug = 413, "Too large", "too-large"


class UnsupportedMedia(Refused):
    status, title, slug = 415, "Unsupported media type", "unsupported-media-type"


class Misdirected(Refused):
    status, title, slug = 421, "Unknown host", "misdirected"


class WrongShape(Refused):
    """`extra` carries `field`, the dotted path of the offending value."""

    status, title, slug = 422, "Wrong shape", "wrong-shape"


class TooManyRequests(Refused):
    status, title, slug = 429, "Too many requests", "too-many-requests"


class NotImplementedHere(Refused):
    status, title, slug = 501, "Not available here", "not-available-here"


class Unavailable(Refused):
    status, title, slug = 503, "Try again later", "unavailable"


class GitFailed(OpenRuntimeError):
    """A git command exited non-zero or ran out of time."""

    def __init__(self, argv: list[str], code: int | None, stderr: str) -> None:
        last = stderr.strip().splitlines()[-1] if stderr.strip() else f"exit code {code}"
        super().__init__(f"git {argv[0] if argv else ''} failed: {last}")
        self.argv, self.code, self.stderr = argv, code, stderr


class SandboxFailed(OpenRuntimeError):
    """Containment could not be set up; the agent never ran."""


class AgentLost(OpenRuntimeError):
    """The shim of an attempt died, or does not answer."""


class SchemaRefused(OpenRuntimeError):
    """The store was made by another program, or by a newer version of this one."""


class InstanceRunning(OpenRuntimeError):
    """Another instance already serves this data directory."""


class BackupUnusable(OpenRuntimeError):
    """A backup could not be written, or a file is not a whole backup of ours."""


class ConfigError(OpenRuntimeError):
    """A setting has an unusable value."""

    exit_code = 2
