"""The audit over HTTP: the ledger's differences, and those of the results in storage, each planted and found."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from octavo.documents import Document, Page
from octavo.objects import keys
from tests.ledger_tables import alter, looked_up
from tests.unit.api.service import ADMIN_TOKEN, Api, succeeded

pytestmark = pytest.mark.anyio


def document(pages: int) -> bytes:
    return Document(pages=tuple(Page(number + 1, 595.0, 842.0) for number in range(pages))).to_json().encode()


def key_of(api: Api) -> str:
    return keys.result_key(api.customer.customer_id, succeeded().result_id, "document.json")


def store(api: Api, data: bytes) -> None:
    api.objects.write(key_of(api), data, "application/json")


async def audited(api: Api, query: str = "") -> dict[str, Any]:
    answer = await api.client(Authorization=f"Bearer {ADMIN_TOKEN}").get(f"/admin/usage/audit{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def billed(api: Api) -> None:
    """One item with two pages, and its result."""
    api.finish_all(await api.batch(), succeeded(pages=2))
    store(api, document(2))


@pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
async def test_a_bill_that_is_right_has_no_difference(api: Api) -> None:
    await billed(api)
    assert await audited(api) == {
        "object": "usage_audit",
        "items": 1,
        "pages": 2,
        "gone_items": 0,
        "results": 1,
        "differences": [],
    }


@pytest.mark.parametrize(
    ("kind", "plant", "found"),
    [
        ("result_missing", lambda api: api.objects.delete([key_of(api)]), None),
        ("other_result_pages", lambda api: store(api, document(3)), "3"),
        ("result_unreadable", lambda api: store(api, b"{}"), ""),
    ],
)
async def test_a_result_that_is_not_what_was_billed_is_found(
    api: Api, kind: str, plant: Callable[[Api], None], found: str | None
) -> None:
    await billed(api)
    plant(api)
    (difference,) = (await audited(api))["differences"]
    assert (difference["kind"], difference["billed"]) == (kind, "2")
    assert difference["found"] is None if found is None else found in difference["found"]
    assert (await audited(api, "?results=false"))["differences"] == []


async def test_a_difference_in_the_ledger_is_found(api: Api) -> None:
    await billed(api)
    ((item_id,),) = looked_up(api.ledger, "SELECT item_id FROM usage")
    alter(api.ledger, "UPDATE usage SET pages = 7")
    found = (await audited(api))["differences"]
    assert [(one["kind"], one["billed"], one["found"]) for one in found] == [
        ("other_pages", "7", "2"),
        ("other_result_pages", "7", "2"),
    ]
    assert [one["item_id"] for one in found] == [item_id] * 2


async def test_results_past_their_time_are_not_looked_for(api: Api) -> None:
    api.finish_all(await api.batch(), succeeded(pages=2))
    assert len((await audited(api))["differences"]) == 1
    api.clock.shift = timedelta(days=4)
    assert (await audited(api))["differences"] == []


async def test_storage_that_is_down_is_no_clean_bill(api: Api) -> None:
    await billed(api)
    api.objects.available = False
    answer: httpx.Response = await api.client(Authorization=f"Bearer {ADMIN_TOKEN}").get("/admin/usage/audit")
    assert (answer.status_code, answer.json()["error"]) == (503, "storage_unavailable")
