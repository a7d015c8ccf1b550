"""The way to the running server: find it, send the owner's token, turn refusals into our errors."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from openruntime.cli.terminal import one_line
from shared.errors import OpenRuntimeError, Refused, Unavailable

if TYPE_CHECKING:
    import http.client  # loaded on the first request: it costs 30 ms, and `--help` sends none

    from shared.config import Config

#: Longer than the server's own longest wait (a merge answers within 10 s, contract 5).
TIMEOUT_SECONDS = 30.0
#: The longest answer we take: a task list stops at 8 MiB, a diff too, in JSON up to six times that.
ANSWER_BYTES = 64 * 1024 * 1024
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (bound there; reached here)
NEXT_PAGE = re.compile(r"<([^>]+)>\s*;\s*rel=\"?next\"?")


@dataclass(frozen=True)
class Answer:
    """A 2xx: `body` is the parsed JSON, `link` the path of the next page or None."""

    status: int
    body: Any
    link: str | None = None

    @property
    def accepted_only(self) -> bool:
        """Whether the effect is still to come (202)."""
        return self.status == HTTPStatus.ACCEPTED


class Client:
    """Requests to the server of one data directory.

    Every method raises Unavailable where no server answers, and the Refused of the answer's status for a 4xx or
    5xx. The address is looked up for each new connection, so a restarted server is found again.
    """

    def __init__(self, config: Config, token: str | None = None) -> None:
        """`token` is a minted one to use in place of the owner's."""
        self._config = config
        self._minted = token
        self._kept: http.client.HTTPConnection | None = None

    def get(self, path: str, /, **query: Any) -> Any:
        """The JSON at `path`; a query value of None is left out."""
        return self.request("GET", _with_query(path, query)).body

    def post(self, path: str, body: Any = None) -> Answer:
        return self.request("POST", path, {} if body is None else body)

    def delete(self, path: str) -> Answer:
        return self.request("DELETE", path)

    def pages(self, path: str, **query: Any) -> Iterator[list[Any]]:
        """Each page of a list, along `Link: rel=next`."""
        following: str | None = _with_query(path, query)
        while following:
            answer = self.request("GET", following)
            yield answer.body
            following = answer.link

    def request(self, method: str, target: str, body: Any = None) -> Answer:
        """One exchange; a GET is sent a second time when the kept connection turns out to be closed."""
        import http.client

        if method != "GET":
            self.close()
        reused = self._kept is not None
        try:
            return self._exchange(method, target, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if reused:
                return self.request(method, target, body)
            raise self._absent(error) from error

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    @property
    def url(self) -> str:
        """Where the server is: as it wrote itself, else as the settings say. Raises Unavailable for neither.

        A default port nobody configured is not tried: whoever listens there would be sent the owner's token.
        """
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            written = json.loads((self._config.data / "instance.json").read_bytes())
            return str(written["url"])
        if {"PORT", "OPENRUNTIME_HOST"} & set(self._config.environment):
            return self._config.url
        raise self._absent()

    def _exchange(self, method: str, target: str, body: Any) -> Answer:
        if self._kept is None:
            self._kept = _connection(self.url)
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._token()}"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        self._kept.request(method, target, payload, headers)
        response = self._kept.getresponse()
        raw = response.read(ANSWER_BYTES + 1)
        if len(raw) > ANSWER_BYTES:
            self.close()
            raise OpenRuntimeError(f"The server's answer to {method} {target} is too long.")
        value = _parsed(raw)
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(response.status, value)
        link = NEXT_PAGE.search(response.headers.get("Link", ""))
        return Answer(response.status, value, _path_of(link.group(1)) if link else None)

    def _token(self) -> str:
        if self._minted is not None:
            return self._minted
        try:
            return self._config.token_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise self._absent(error) from error

    def _absent(self, error: BaseException | None = None) -> Unavailable:
        if isinstance(error, TimeoutError):
            return Unavailable(f"The openRuntime server did not answer within {TIMEOUT_SECONDS:g} seconds.")
        return Unavailable(
            f"No openRuntime server answers for {self._config.data}; start one with `openruntime up`."
        )


def task_path(task_id: str, *rest: str) -> str:
    """`/tasks/<id>/…`, each part quoted."""
    return "/".join(["/tasks", quote(task_id, safe=""), *(quote(part, safe="/") for part in rest)])


def _connection(url: str) -> http.client.HTTPConnection:
    import http.client

    parts = urlsplit(url)
    host = WILDCARDS.get(parts.hostname or "", parts.hostname or "127.0.0.1")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(host, parts.port, timeout=TIMEOUT_SECONDS)


def _with_query(path: str, query: dict[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _path_of(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def _refusal(status: int, problem: Any) -> OpenRuntimeError:
    """The error of our tree that the server meant, with its sentence."""
    fields = problem if isinstance(problem, dict) else {}
    detail = one_line(str(fields.get("detail") or fields.get("title") or f"The server answered {status}."))
    extra = {
        key: value
        for key, value in fields.items()
        if key not in ("detail", "title", "status", "slug", "type")
    }
    kind = _kinds().get(str(fields.get("slug"))) or _kinds().get(str(status), Refused)
    error = kind(detail, **extra)
    error.status = status
    return error


def _kinds() -> dict[str, type[Refused]]:
    """Every Refused by its slug and, for those that own one, by status."""
    found: dict[str, type[Refused]] = {}
    waiting = [Refused]
    while waiting:
        kind = waiting.pop(0)
        found.setdefault(kind.slug, kind)
        found.setdefault(str(kind.status), kind)
        waiting += kind.__subclasses__()
    return found
