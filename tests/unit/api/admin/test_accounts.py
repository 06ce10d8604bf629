"""Customers, keys and usage, as the operator and the customer see them."""

from datetime import date, datetime, timedelta
from typing import Any

import httpx
import pytest

from octavo.timestamps import now
from tests.unit.api.service import ADMIN_TOKEN, Api, succeeded

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
UNLIMITED = {"submissions_per_minute": None, "page_quota": None, "retention_seconds": None}
LIMITS = {"submissions_per_minute": 7, "page_quota": 0, "retention_seconds": 3600}


@pytest.fixture
async def admin(api: Api) -> httpx.AsyncClient:
    return api.client(Authorization=f"Bearer {ADMIN_TOKEN}")


def address(api: Api, tail: str = "") -> str:
    return f"/admin/customers/{api.customer.customer_id}{tail}"


def limits(customer: dict[str, Any]) -> dict[str, object]:
    return {name: customer[name] for name in UNLIMITED}


# Customers


@BOTH
async def test_a_customer_is_made_with_limits_and_without_a_key(api: Api, admin: httpx.AsyncClient) -> None:
    made = (await admin.post("/admin/customers", json={"name": " new ", "item_cap": 3, **LIMITS})).json()
    assert (made["name"], made["item_cap"], made["enabled"]) == ("new", 3, True)
    assert limits(made) == LIMITS
    assert (await admin.get(f"/admin/customers/{made['id']}/keys")).json()["data"] == []
    again = (await admin.post("/admin/customers", json={"name": "new"})).json()
    assert again == made
    assert [one["name"] for one in (await admin.get("/admin/customers")).json()["data"]] == ["acme", "new"]


@BOTH
async def test_what_is_left_out_or_null_stays_and_default_goes_back(api: Api, admin: httpx.AsyncClient) -> None:
    changed = (await admin.patch(address(api), json={"item_cap": 20, **LIMITS})).json()
    assert (changed["item_cap"], limits(changed)) == (20, LIMITS)
    changed = (await admin.patch(address(api), json={"page_quota": None, "enabled": True})).json()
    assert (changed["item_cap"], limits(changed)) == (20, LIMITS)
    changed = (await admin.patch(address(api), json={"page_quota": "default"})).json()
    assert limits(changed) == LIMITS | {"page_quota": None}
    changed = (await admin.patch(address(api), json=dict.fromkeys([*UNLIMITED, "item_cap"], "default"))).json()
    assert (changed["item_cap"], limits(changed)) == (8, UNLIMITED)


@pytest.mark.parametrize(
    "change",
    [
        {"page_quota": -1},
        {"page_quota": "none"},
        {"page_quota": 1.0},
        {"page_quota": True},
        {"submissions_per_minute": 0},
        {"retention_seconds": 0},
        {"retention_seconds": 10**12},
        {"quota": 3},
    ],
)
async def test_limits_that_make_no_sense_are_refused(
    api: Api, admin: httpx.AsyncClient, change: dict[str, object]
) -> None:
    assert (await admin.patch(address(api), json=change)).status_code == 422
    assert (await admin.post("/admin/customers", json={"name": "new", **change})).status_code == 422
    assert api.ledger.accounts.customers() == [api.customer]


async def test_a_customers_rate_is_its_own(api: Api, admin: httpx.AsyncClient) -> None:
    await admin.patch(address(api), json={"submissions_per_minute": 1})
    assert (await api.http.post("/v1/files", json={"size_bytes": 1})).status_code == 200
    assert (await api.http.post("/v1/files", json={"size_bytes": 1})).status_code == 429
    assert (await api.stranger().post("/v1/files", json={"size_bytes": 1})).status_code == 200


async def test_a_customers_retention_holds_for_files_and_batches_made_afterwards(
    api: Api, admin: httpx.AsyncClient
) -> None:
    before = await api.stage()
    await admin.patch(address(api), json={"retention_seconds": 60})
    after = await api.stage()
    batch_id = await api.batch()
    (batch,) = api.batches()
    assert (batch.batch_id, batch.retention_seconds) == (batch_id, 60)
    lives = [
        (datetime.fromisoformat(file["expires_at"]) - datetime.fromisoformat(file["created_at"])).total_seconds()
        for file in (before, after)
    ]
    assert lives == [72 * 3600, 60]


# Keys


@BOTH
async def test_a_key_is_listed_without_its_secret_and_revoked(api: Api, admin: httpx.AsyncClient) -> None:
    body = {"customer": "acme", "label": "laptop", "uploads_only": True}
    made = (await admin.post("/admin/keys", json=body)).json()
    _, listed = (await admin.get(address(api, "/keys"))).json()["data"]
    assert listed["id"] == made["id"]
    assert (listed["label"], listed["uploads_only"], listed["revoked_at"]) == ("laptop", True, None)
    assert made["key"].startswith(listed["prefix"])
    assert made["key"] not in str(listed)
    client = api.client(X_API_KEY=made["key"])
    assert (await client.get("/v1/batches")).status_code == 200
    revoked = (await admin.delete(f"/admin/keys/{made['id']}")).json()
    assert revoked["revoked_at"] is not None
    assert (await client.get("/v1/batches")).status_code == 401
    assert (await api.http.get("/v1/batches")).status_code == 200
    assert (await admin.delete(f"/admin/keys/{made['id']}")).json() == revoked


async def test_an_unknown_key_or_customer_is_not_found(admin: httpx.AsyncClient) -> None:
    answer = await admin.delete("/admin/keys/key_x")
    assert (answer.status_code, answer.json()["error"]) == (404, "key_not_found")
    for path in ("/admin/customers/cust_x/keys", "/admin/usage?customer_id=cust_x"):
        answer = await admin.get(path)
        assert (answer.status_code, answer.json()["error"]) == (404, "customer_not_found")


# Usage


@BOTH
async def test_a_customer_sees_its_usage_by_day_and_its_quota(api: Api) -> None:
    assert (await api.http.get("/v1/usage")).json() == {
        "object": "list",
        "data": [],
        "quota": {"limit": None, "used": 0, "remaining": None},
    }
    for _ in range(2):
        api.finish_all(await api.batch(2), succeeded(pages=2), succeeded(pages=3))
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": 12})
    today = now().date().isoformat()
    found = (await api.http.get("/v1/usage")).json()
    assert found["data"] == [{"date": today, "pages": 10, "items": 4, "batches": 2}]
    assert found["quota"] == {"limit": 12, "used": 10, "remaining": 2}
    stranger = api.stranger()
    assert (await stranger.get("/v1/usage")).json()["data"] == []
    api.ledger.accounts.set_limits(api.customer.customer_id, {"page_quota": 4})
    assert (await api.http.get("/v1/usage")).json()["quota"] == {"limit": 4, "used": 10, "remaining": 0}


async def test_a_period_is_taken_with_both_its_ends(api: Api) -> None:
    api.finish_all(await api.batch(), succeeded())
    today = now().date()
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)

    async def days(first: date | str, last: date | str) -> int:
        answer = await api.http.get(f"/v1/usage?from={first}&to={last}")
        assert answer.status_code == 200, answer.text
        return len(answer.json()["data"])

    assert await days(yesterday, tomorrow) == await days(today, today) == await days("0001-01-01", "9999-12-31") == 1
    assert await days(yesterday, yesterday) == await days(tomorrow, tomorrow) == 0
    assert len((await api.http.get("/v1/usage?to=0001-01-01")).json()["data"]) == 0


@pytest.mark.parametrize("query", ["from=2026-11-02&to=2026-11-01", "from=9999-12-31"])
@pytest.mark.parametrize("path", ["/v1/usage", "/admin/usage"])
async def test_a_period_that_ends_before_it_begins_is_refused(
    api: Api, admin: httpx.AsyncClient, path: str, query: str
) -> None:
    answer = await (admin if path.startswith("/admin") else api.http).get(f"{path}?{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_period")


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "20261101", "0", "2026-11-01T00:00:00Z", "\uff12026-11-01"])
async def test_a_day_that_is_none_is_refused_with_its_name(api: Api, day: str) -> None:
    answer = await api.http.get("/v1/usage", params={"from": day})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "from"]


@BOTH
async def test_the_operator_sees_usage_by_customer(api: Api, admin: httpx.AsyncClient) -> None:
    api.finish_all(await api.batch(), succeeded(pages=2))
    found = (await admin.get("/admin/usage")).json()
    (row,) = found["data"]
    assert (row["customer"], row["customer_id"], row["pages"]) == ("acme", api.customer.customer_id, 2)
    assert found["quota"] is None
    one = (await admin.get(f"/admin/usage?customer_id={api.customer.customer_id}")).json()
    assert one["data"] == found["data"]
    assert one["quota"]["used"] == 2
