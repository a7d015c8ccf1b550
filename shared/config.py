"""All settings, with their defaults, read once from the environment (contract 3)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import platformdirs

from shared.errors import ConfigError

APP = Path(__file__).resolve().parent.parent
MAX_PORT = 65535
CONTAINMENT = ("auto", "bubblewrap", "landlock", "none")
ORIGIN_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def default_data(app: Path = APP) -> Path:
    """`data/` beside the code in a checkout, else the platform's user data folder."""
    if (app / "pyproject.toml").is_file():
        return app / "data"
    return platformdirs.user_data_path("openruntime")


#: What one caller may ask of the server; each is a whole number from 1 to a million.
LIMITS = {
    "OPENRUNTIME_MAX_QUEUED": "max_queued",
    "OPENRUNTIME_WRITES_PER_MINUTE": "writes_per_minute",
    "OPENRUNTIME_WRONG_CREDENTIALS_PER_MINUTE": "wrong_credentials_per_minute",
    "OPENRUNTIME_STREAMS_PER_CREDENTIAL": "streams_per_credential",
}


@dataclass(frozen=True)
class Config:
    """One process's settings. Paths are absolute; nothing is created by reading them."""

    data: Path
    database: Path
    broker: str = "sqlite"
    host: str = "127.0.0.1"
    port: int = 8080
    max_attempts: int = 8
    outage_seconds: int = 600
    containment: str = "auto"
    max_queued: int = 10_000
    writes_per_minute: int = 6000
    wrong_credentials_per_minute: int = 20
    streams_per_credential: int = 24
    min_free_mib: int = 256
    public_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    behind_proxy: bool = False
    secrets_key: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def token_file(self) -> Path:
        """The owner's bearer token, 0600."""
        return self.data / "token"

    @property
    def secrets_key_file(self) -> Path:
        """What the kept secrets are sealed with, 0600: in the data directory unless set otherwise."""
        return self.secrets_key or self.data / "secrets.key"

    @property
    def broker_file(self) -> Path:
        return self.data / "broker.sqlite3"

    @property
    def worktrees(self) -> Path:
        """One folder per task, named by its id."""
        return self.data / "worktrees"

    @property
    def attempts(self) -> Path:
        """One attempt directory per attempt, named by its id."""
        return self.data / "attempts"

    @property
    def checks(self) -> Path:
        """Clean checkouts that checks run in, each with the log of its command."""
        return self.data / "checks"

    @property
    def repositories(self) -> Path:
        """Git directories of our own: captures, and the agents' private ones."""
        return self.data / "repositories"

    @property
    def folders(self) -> Path:
        """Git directories of our own around folders that are in no repository, by folder and task."""
        return self.repositories / ".folders"

    @property
    def homes(self) -> Path:
        """Agent homes of tasks that have one of their own, by task id and runner."""
        return self.data / "homes"

    def private_home(self, task_id: str, runner: str) -> Path:
        """The agent home of a task that has one of its own."""
        return self.homes / task_id / runner

    def home_view(self, task_id: str, runner: str) -> Path:
        """What a task's agent has in place of its person's agent home where nothing can be mounted over that."""
        return self.homes / task_id / f"{runner}.view"

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def environ(self) -> dict[str, str]:
        """The variables that hand these settings to a child process of ours."""
        named = {
            "OPENRUNTIME_DATA": str(self.data),
            "OPENRUNTIME_DB": str(self.database),
            "OPENRUNTIME_BROKER": self.broker,
            "OPENRUNTIME_HOST": self.host,
            "PORT": str(self.port),
            "OPENRUNTIME_MAX_ATTEMPTS": str(self.max_attempts),
            "OPENRUNTIME_OUTAGE_SECONDS": str(self.outage_seconds),
            "OPENRUNTIME_CONTAINMENT": self.containment,
            **{name: str(getattr(self, field)) for name, field in LIMITS.items()},
            "OPENRUNTIME_MIN_FREE_MIB": str(self.min_free_mib),
            "OPENRUNTIME_BEHIND_PROXY": "1" if self.behind_proxy else "",
            "OPENRUNTIME_SECRETS_KEY": str(self.secrets_key or ""),
        }
        return {**self.environment, **{name: value for name, value in named.items() if value}}


def from_env(environ: Mapping[str, str] | None = None, *, data: str | Path | None = None) -> Config:
    """Read the settings from `environ` (the process's own by default); `data` overrides OPENRUNTIME_DATA.

    Raises ConfigError with one sentence that names the variable.
    """
    env = dict(os.environ if environ is None else environ)
    folder = _absolute(data or env.get("OPENRUNTIME_DATA") or default_data())
    database = env.get("OPENRUNTIME_DB") or env.get("MANAGED_AGENTS_DB")
    return Config(
        data=folder,
        database=_absolute(database) if database else folder / "openruntime.sqlite3",
        broker=_broker(env.get("OPENRUNTIME_BROKER", "")),
        host=_host(env.get("OPENRUNTIME_HOST", "")),
        port=_whole(env, "PORT", 8080, low=0, high=MAX_PORT),
        max_attempts=_whole(env, "OPENRUNTIME_MAX_ATTEMPTS", 8, low=1, high=10_000),
        outage_seconds=_whole(env, "OPENRUNTIME_OUTAGE_SECONDS", 600, low=1, high=86_400),
        containment=_containment(env.get("OPENRUNTIME_CONTAINMENT", "")),
        **{field: _limit(env, name) for name, field in LIMITS.items()},
        min_free_mib=_whole(env, "OPENRUNTIME_MIN_FREE_MIB", 256, low=0, high=100_000_000),
        public_hosts=_listed(env.get("OPENRUNTIME_PUBLIC_HOSTS", "")),
        cors_origins=tuple(_origin(item) for item in _listed(env.get("OPENRUNTIME_CORS_ORIGINS", ""))),
        behind_proxy=env.get("OPENRUNTIME_BEHIND_PROXY", "") == "1",
        secrets_key=_absolute(key) if (key := env.get("OPENRUNTIME_SECRETS_KEY")) else None,
        environment=env,
    )


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is reachable from this machine only."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _absolute(path: str | Path) -> Path:
    try:
        whole = Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"The path {str(path)!r} names the home folder of an unknown user.") from None
    return Path(os.path.abspath(whole))  # resolve() would follow a link the user chose


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _whole(env: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not (re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high):
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {text[:40]!r}.")
    return int(text)


def _limit(env: Mapping[str, str], name: str) -> int:
    return _whole(env, name, getattr(Config, LIMITS[name]), low=1, high=1_000_000)


def _broker(text: str) -> str:
    value = text.strip() or "sqlite"
    if value != "sqlite" and _split(value).scheme not in ("redis", "rediss", "unix"):
        raise ConfigError(f"OPENRUNTIME_BROKER must be 'sqlite' or a redis:// address, not {value!r}.")
    return value


def _containment(text: str) -> str:
    value = text.strip() or "auto"
    if value not in CONTAINMENT:
        raise ConfigError(
            f"OPENRUNTIME_CONTAINMENT must be one of {', '.join(CONTAINMENT)}, not {value[:40]!r}."
        )
    return value


def _host(text: str) -> str:
    value = text.strip() or "127.0.0.1"
    if any(mark in value for mark in "/@ ,") or (value.count(":") == 1):
        raise ConfigError(f"OPENRUNTIME_HOST must be one host name or address, not {value!r}.")
    return value.strip("[]")


def _origin(text: str) -> str:
    parts = _split(text)
    beside = parts.path not in ("", "/") or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not ORIGIN_HOST.fullmatch(parts.netloc) or beside:
        raise ConfigError(
            f"OPENRUNTIME_CORS_ORIGINS must list origins such as https://a.example, not {text!r}."
        )
    default = ":443" if parts.scheme == "https" else ":80"
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(default)}"


def _split(text: str) -> SplitResult:
    """The parts of an address; of none, where it is malformed."""
    try:
        return urlsplit(text)
    except ValueError:
        return SplitResult("", "", "", "", "")
