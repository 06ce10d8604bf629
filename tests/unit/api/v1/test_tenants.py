"""Two customers: whatever of the other's is named, the answer is that of a thing that does not exist.

The routes and their ids are read off the app. A new route is asked like the others; a new kind of id has to
be given to `furnish`, or this fails.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavo.identifiers import (
    BatchId,
    ResultId,
    new_batch_id,
    new_delivery_id,
    new_file_id,
    new_item_id,
    new_webhook_id,
    random_part,
)
from octavo.ledger.duckdb import DuckdbLedger
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from tests.unit.api.routes import Route, an_app, operation, served_routes
from tests.unit.api.service import Api, MovableClock, add_customer, client_of, failed, make_service, settings, succeeded

pytestmark = pytest.mark.anyio
Things = dict[str, str]
"""A value for each path parameter."""

APP = an_app()
DOCUMENT = APP.openapi()
NOT_OF_CUSTOMERS = ("/admin", "/internal")
ROUTES = [route for route in served_routes(APP) if not route.path.startswith(NOT_OF_CUSTOMERS)]
NO_IDS = {"number"}
"""Path parameters that name nobody's thing."""
UNKNOWN: dict[str, Callable[[], str]] = {
    "file_id": new_file_id,
    "batch_id": new_batch_id,
    "item_id": new_item_id,
    "webhook_id": new_webhook_id,
    "delivery_id": new_delivery_id,
    "result_id": lambda: f"res_{random_part()}",
}
"""An id of each kind that nobody has."""
BODIES: dict[str, dict[str, Any]] = {"PATCH /v1/webhooks/{webhook_id}": {"enabled": True}}
"""Bodies of routes with ids in their path that take one."""
NAMED_IN_BODY: dict[str, Callable[[Things], dict[str, Any]]] = {
    "POST /v1/batches": lambda things: {"source": {"file_ids": [things["file_id"]]}},
}
"""Routes whose body names things."""


async def furnish(api: Api) -> Things:
    """Let a customer have one of everything, two of what comes in lists; returns the ids."""
    await api.batch()
    result_id = ResultId(f"res_{random_part()}")
    batch_id = await api.batch(2)
    api.finish_all(batch_id, replace(succeeded(), result_id=result_id), failed())
    item = next(one for one in api.items(batch_id) if one.result_id)
    customer_id = api.customer.customer_id
    api.objects.write(keys.result_key(customer_id, result_id, "extract-page.json"), b'{"chunks": []}', "text/plain")
    api.objects.write(keys.result_image_key(customer_id, result_id, 1), b"image", "image/webp")
    made = await api.http.post("/v1/webhooks", json={"url": "https://receiver.example/hook"})
    webhook_id = made.json()["id"]
    pings = [(await api.http.post(f"/v1/webhooks/{webhook_id}/ping")).json() for _ in range(2)]
    return {
        "webhook_id": webhook_id,
        "delivery_id": pings[0]["id"],
        "file_id": item.file_id,
        "batch_id": batch_id,
        "item_id": item.item_id,
        "result_id": result_id,
        "number": "1",
    }


@dataclass
class World:
    """Two customers of one service, each with things of their own."""

    me: Api
    other: Api
    mine: Things
    theirs: Things

    def stored(self) -> object:
        """Return all that is kept of the other: records and bytes."""
        batches = self.other.batches()
        items = [self.other.items(BatchId(batch.batch_id)) for batch in batches]
        files = [self.other.file_status(item.file_id) for group in items for item in group]
        stored = [info.key for prefix in (keys.INPUTS, keys.RESULTS) for info in self.other.objects.list(prefix)]
        return batches, items, files, sorted(stored)


@pytest.fixture
async def world(anyio_backend: str, tmp_path: Path) -> AsyncIterator[World]:
    objects, clock = MemoryObjects(), MovableClock()
    with closing(DuckdbLedger(tmp_path / "ledger.duckdb", clock=clock)) as ledger:
        # Nobody draws the page that is asked for: its owner need not wait long for that to be told.
        given = settings(tmp_path, limits={"drawing_seconds": 0.2})
        me = Api.make(make_service(given, ledger, objects), objects, clock)
        customer, key = add_customer(ledger, "other")
        other = Api(me.service, objects, customer, key, clock, client_of(me.app, {"X-API-KEY": key}))
        yield World(me, other, await furnish(me), await furnish(other))
        await me.close()
        await other.close()


async def ask(api: Api, route: Route, things: Things, **more: Any) -> httpx.Response:
    body = BODIES.get(str(route))
    return await api.http.request(route.method, route.at(things), json=body, **more)


def told(answer: httpx.Response, things: Things) -> tuple[int, str, dict[str, str]]:
    """Return all an answer says but the ids that were asked for."""
    text = answer.text
    for one in [one for name, one in things.items() if name not in NO_IDS]:
        text = text.replace(one, "ID")
    headers = {name: value for name, value in answer.headers.items() if not name.lower().startswith("ratelimit")}
    return answer.status_code, text, headers


WITH_IDS = [route for route in ROUTES if set(route.names) - NO_IDS]


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
async def test_a_thing_of_another_customer_is_not_there(world: World, route: Route) -> None:
    kinds = [name for name in route.names if name not in NO_IDS]
    assert set(kinds) <= set(UNKNOWN), f"{route}: give `furnish` and `UNKNOWN` the new kind of id"
    before = world.stored()
    # Each id alone is the other's, the rest mine; and all of them are.
    for foreign in [*({name} for name in kinds), set(kinds)]:
        theirs = {name: world.theirs[name] if name in foreign else world.mine[name] for name in world.mine}
        nobodys = {name: UNKNOWN[name]() if name in foreign else world.mine[name] for name in world.mine}
        found = await ask(world.me, route, theirs)
        missing = await ask(world.me, route, nobodys)
        assert missing.status_code == 404, missing.text
        assert missing.json()["error"].endswith("_not_found")
        assert told(found, theirs) == told(missing, nobodys)
    assert world.stored() == before


@pytest.mark.parametrize("route", WITH_IDS, ids=str)
async def test_the_same_thing_is_there_for_its_owner(world: World, route: Route) -> None:
    # Or the test above would prove nothing.
    assert (await ask(world.other, route, world.theirs)).status_code not in (404, 422)


NAMING = [route for route in ROUTES if route.path.startswith("/v1")]


@pytest.mark.parametrize("route", NAMING, ids=str)
async def test_a_body_that_names_a_thing_of_another_customer_names_nothing(world: World, route: Route) -> None:
    named = sorted(set(_ids_in_body(route)))
    assert not named or str(route) in NAMED_IN_BODY, f"{route}: its body names {named}; add it to NAMED_IN_BODY"
    if named:
        body = NAMED_IN_BODY[str(route)]
        nobodys = {name: make() for name, make in UNKNOWN.items()}
        found = await world.me.http.request(route.method, route.at(world.mine), json=body(world.theirs))
        missing = await world.me.http.request(route.method, route.at(world.mine), json=body(nobodys))
        assert missing.status_code == 404
        assert told(found, world.theirs) == told(missing, nobodys)
        mixed = body(world.theirs)
        assert (await world.other.http.request(route.method, route.at(world.theirs), json=mixed)).status_code == 200


PAGED = [
    route
    for route in ROUTES
    if any(one["name"] == "cursor" for one in operation(DOCUMENT, route).get("parameters", []))
]


@pytest.mark.parametrize("route", PAGED, ids=str)
async def test_a_cursor_of_another_customer_is_no_cursor(world: World, route: Route) -> None:
    first = await ask(world.other, route, world.theirs, params={"limit": 1})
    cursor = first.json()["next_cursor"]
    assert cursor, f"{route}: let `furnish` make more than one"
    assert (await ask(world.other, route, world.theirs, params={"limit": 1, "cursor": cursor})).status_code == 200
    found = await ask(world.me, route, world.mine, params={"cursor": cursor})
    broken = await ask(world.me, route, world.mine, params={"cursor": "nonsense"})
    halved = await ask(world.me, route, world.mine, params={"cursor": cursor[: len(cursor) // 2]})
    assert (broken.status_code, broken.json()["error"]) == (422, "invalid_cursor")
    assert told(found, {}) == told(broken, {}) == told(halved, {})


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_no_query_parameter_names_a_thing(route: Route) -> None:
    # Should one ever: it needs its case above.
    names = [one["name"] for one in operation(DOCUMENT, route).get("parameters", []) if one["in"] == "query"]
    assert [name for name in names if name.endswith(("_id", "_ids"))] == []


@pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=str)
async def test_no_list_shows_anything_of_another_customer(world: World, route: Route) -> None:
    answer = await ask(world.me, route, world.mine, follow_redirects=False)
    shown = answer.text + str(answer.headers)
    assert [one for name, one in world.theirs.items() if name not in NO_IDS and one in shown] == []
    assert world.other.customer.customer_id not in shown


def test_the_routes_are_found() -> None:
    assert {"GET /v1/files/{file_id}", "POST /v1/batches/{batch_id}/cancel"} <= set(map(str, WITH_IDS))
    assert {"GET /v1/batches", "GET /v1/batches/{batch_id}"} <= set(map(str, PAGED))
    assert _ids_in_body(Route("POST", "/v1/batches")) == ["file_ids"]


def _ids_in_body(route: Route) -> list[str]:
    """Return the fields of a route's body that name things, at any depth."""
    content = operation(DOCUMENT, route).get("requestBody", {}).get("content", {})
    return [name for media in content.values() for name in _ids_in(media["schema"])]


def _ids_in(schema: dict[str, Any]) -> list[str]:
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    inner = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    found = [name for name in schema.get("properties", {}) if name.endswith(("_id", "_ids"))]
    for one in [*inner, *schema.get("properties", {}).values()]:
        found += _ids_in(one)
    return found
