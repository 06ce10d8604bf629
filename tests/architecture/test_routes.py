"""Every route authenticates, and every refusal has its code and status."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.app import create_app
from api.http import failures
from octavo import errors
from octavo.ledger.duckdb import memory_ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.routes import flat
from tests.unit.api.service import client_of, make_service, settings

OPEN = {("GET", "/"), ("GET", "/health"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/source")}
"""What anybody may see. A new entry here is a decision, not a convenience."""
PLUMBING = {"/redoc", "/docs/oauth2-redirect", "/static-offline-docs"}
"""What `/docs` is made of; it holds nothing but what `/openapi.json` says."""


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(make_service(settings(tmp_path), memory_ledger(), MemoryObjects()))


def addresses(app: FastAPI) -> list[tuple[str, str]]:
    """Return every method and path, with something in the place of path parameters."""
    found = set()
    for route in flat(app.routes):
        path = str(getattr(route, "path", ""))
        for method in getattr(route, "methods", None) or {"GET"}:
            if method != "HEAD" and path not in PLUMBING:
                found.add((method, re.sub(r"\{[^}]+\}", "x", path)))
    return sorted(found)


def call(app: FastAPI, found: list[tuple[str, str]], headers: dict[str, str]) -> dict[tuple[str, str], httpx.Response]:
    async def ask() -> dict[tuple[str, str], httpx.Response]:
        async with client_of(app, headers) as client:
            return {(method, path): await client.request(method, path) for method, path in found}

    return asyncio.run(ask())


def test_the_routes_are_found(app: FastAPI) -> None:
    found = addresses(app)
    assert ("POST", "/v1/batches") in found
    assert ("GET", "/v1/batches/x/items/x/result") in found
    assert ("POST", "/internal/claims") in found
    assert set(found) >= OPEN
    assert len(found) >= 20


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "wrong"}, {"Authorization": "Bearer wrong"}])
def test_every_route_but_the_open_ones_asks_who_is_there(app: FastAPI, headers: dict[str, str]) -> None:
    closed = [one for one in addresses(app) if one not in OPEN]
    answers = call(app, closed, headers)
    # Nothing of a request is looked at before its sender: no body was sent, and still it is a 401.
    assert {one: answer.status_code for one, answer in answers.items()} == dict.fromkeys(closed, 401)
    for answer in answers.values():
        assert answer.json()["error"] in ("invalid_api_key", "invalid_admin_token")


def test_the_open_routes_are_open(app: FastAPI) -> None:
    for answer in call(app, sorted(OPEN), {}).values():
        assert answer.status_code in (200, 503)


def test_no_internal_route_is_told_to_customers(app: FastAPI) -> None:
    assert not [path for path in app.openapi()["paths"] if path.startswith("/internal")]


def test_every_refusal_of_a_request_has_a_status_and_no_other_class_has() -> None:
    assert set(failures.STATUS) == leaves(errors.RequestError)
    assert all(400 <= status < 600 for status in failures.STATUS.values())


def test_every_code_is_one_class_alone() -> None:
    counted = Counter(cls.code for cls in leaves(errors.OctavoError))
    assert [code for code, times in counted.items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in counted)


def test_the_tree_in_the_errors_own_words_is_the_tree_there_is() -> None:
    told = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    there = {cls.__name__ for cls in everything(errors.OctavoError) if cls.__module__ == errors.__name__}
    assert told == there - {"OctavoError"}


def test_every_v1_route_declares_what_it_may_refuse(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1"):
                assert {"401", "403"} <= set(operation["responses"]), (method, path)


def everything(base: type[errors.OctavoError]) -> set[type[errors.OctavoError]]:
    return {base}.union(*(everything(cls) for cls in base.__subclasses__()))


def leaves(base: type[errors.OctavoError]) -> set[type[errors.OctavoError]]:
    return {cls for cls in everything(base) if not cls.__subclasses__() and cls.__module__.startswith("octavo.")}


def test_operation_ids_are_all_different(app: FastAPI) -> None:
    ids = [route.operation_id for route in flat(app.routes) if isinstance(route, APIRoute) and route.operation_id]
    assert len(ids) == len(set(ids))
