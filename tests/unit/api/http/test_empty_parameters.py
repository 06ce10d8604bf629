"""A query parameter without a value means that there is none, on every route that has parameters."""

from typing import Any

import pytest

from octavo.identifiers import BatchId
from tests.unit.api.routes import an_app
from tests.unit.api.service import ADMIN_TOKEN, Api

pytestmark = pytest.mark.anyio


def parameters() -> dict[str, list[str]]:
    """Return the optional query parameters of every route that can be read, by its path."""
    paths: dict[str, Any] = an_app().openapi()["paths"]
    found = {
        path: [one["name"] for one in methods["get"].get("parameters", ()) if one["in"] == "query"]
        for path, methods in paths.items()
        if "get" in methods
    }
    return {path: names for path, names in found.items() if names}


PARAMETERS = parameters()


def test_lists_have_parameters() -> None:
    assert {"/v1/batches", "/v1/batches/{batch_id}", "/admin/usage"} <= set(PARAMETERS)


@pytest.mark.parametrize("path", PARAMETERS)
async def test_an_empty_parameter_is_answered_as_one_left_out(api: Api, path: str) -> None:
    client = api.client(Authorization=f"Bearer {ADMIN_TOKEN}") if path.startswith("/admin") else api.http
    address = path.replace("{batch_id}", await api.batch()).replace("{page_no}", "1")
    plain = await client.get(address)
    for query in ("&".join(f"{name}=" for name in PARAMETERS[path]), "&".join(PARAMETERS[path])):
        empty = await client.get(f"{address}?{query}")
        assert (empty.status_code, empty.text) == (plain.status_code, plain.text)


async def test_parameters_with_a_value_are_left_alone(api: Api) -> None:
    for _ in range(3):
        await api.batch()
    page = (await api.http.get("/v1/batches?cursor=&limit=1&status=")).json()
    assert len(page["data"]) == 1
    other = (await api.http.get(f"/v1/batches?status=&cursor={page['next_cursor']}&limit=1")).json()
    assert BatchId(other["data"][0]["id"]) != BatchId(page["data"][0]["id"])
    assert (await api.http.get("/v1/batches?status=%20")).status_code == 422
