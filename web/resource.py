"""The routes of one resource of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from flask_openapi import APIBlueprint


class _Route(NamedTuple):
    verb: str
    rule: str
    options: dict[str, Any]
    function: Callable[..., Any]


class Resource(APIBlueprint):
    """A blueprint that is described only when somebody asks for the OpenAPI document.

    To describe every route took a third of the time in which the web process starts. Shapes of requests are checked
    all the same.
    """

    def __init__(self, name: str, import_name: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self._options = options
        self._routes: list[_Route] = []

    def get(self, rule: str, **options: Any) -> Callable[..., Any]:
        return self._kept("get", super().get, rule, options)

    def post(self, rule: str, **options: Any) -> Callable[..., Any]:
        return self._kept("post", super().post, rule, options)

    def put(self, rule: str, **options: Any) -> Callable[..., Any]:
        return self._kept("put", super().put, rule, options)

    def patch(self, rule: str, **options: Any) -> Callable[..., Any]:
        return self._kept("patch", super().patch, rule, options)

    def delete(self, rule: str, **options: Any) -> Callable[..., Any]:
        return self._kept("delete", super().delete, rule, options)

    def described(self) -> APIBlueprint:
        """The same routes with their descriptions; made anew with every call."""
        found = APIBlueprint(self.name, self.import_name, **self._options)
        for verb, rule, options, function in self._routes:
            getattr(found, verb)(rule, **options)(function)
        return found

    def _kept(
        self, verb: str, route: Callable[..., Any], rule: str, options: dict[str, Any]
    ) -> Callable[..., Any]:
        def add(function: Callable[..., Any]) -> Any:
            self._routes.append(_Route(verb, rule, options, function))
            return route(rule, doc_ui=False, **options)(function)

        return add
