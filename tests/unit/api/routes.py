"""The routes an app serves, found in the app itself, so that no proof misses a new one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from api.app import create_app
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import make_service, settings


@dataclass(frozen=True)
class Route:
    """One method of one address."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names(self) -> list[str]:
        """Names of the path parameters."""
        return [name.partition(":")[0] for name in re.findall(r"\{([^}]+)\}", self.path)]

    def at(self, values: dict[str, str]) -> str:
        """Return the address with these values in it."""
        return re.sub(r"\{([^}]+)\}", lambda found: values[found[1].partition(":")[0]], self.path)


def an_app() -> FastAPI:
    """Return an app to be looked at, not asked."""
    return create_app(make_service(settings(Path(".octavo")), memory_ledger(), MemoryObjects()))


def flat(routes: object) -> Iterator[object]:
    """Yield routes, those of routers that were included too."""
    assert isinstance(routes, list)
    for route in routes:
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        if inner:
            yield from flat(inner)
        else:
            yield route


def served_routes(app: FastAPI) -> list[Route]:
    """Return every route of the app but HEAD and mounts, by path and method."""
    found = {
        Route(method, str(getattr(route, "path", "")))
        for route in flat(app.routes)
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    return sorted(found, key=lambda route: (route.path, route.method))


def operation(document: dict[str, Any], route: Route) -> dict[str, Any]:
    """Return what the app's description says of a route; nothing if it is not described."""
    found: dict[str, Any] = document["paths"].get(route.path, {}).get(route.method.lower(), {})
    return found
