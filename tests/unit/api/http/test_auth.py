"""Authentication: customers by key, admin and workers by token."""

import httpx
import pytest

from api.http import auth
from octavo.ledger.contract import Ledger
from tests.unit.api.service import ADMIN_TOKEN, WORKER_TOKEN, Api

pytestmark = pytest.mark.anyio


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.json()["error"] == code
    assert len(answer.json()["message"]) > 20


async def test_without_a_key_nothing_is_shown(api: Api) -> None:
    answer = await api.client().get("/v1/batches")
    assert_refused(answer, 401, "invalid_api_key")
    assert "X-API-KEY" in answer.json()["message"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["", " ", "oct_wrong", "x" * 4000, "oct_' or '1'='1"])
async def test_a_wrong_key_is_refused(api: Api, key: str) -> None:
    assert_refused(await api.client(X_API_KEY=key).get("/v1/batches"), 401, "invalid_api_key")


async def test_a_key_with_one_letter_wrong_is_refused(api: Api) -> None:
    wrong = api.key[:-1] + ("a" if api.key[-1] != "a" else "b")
    assert_refused(await api.client(X_API_KEY=wrong).get("/v1/batches"), 401, "invalid_api_key")


async def test_a_key_as_bearer_is_as_good(api: Api) -> None:
    for spelled in (f"Bearer {api.key}", f"bearer {api.key}"):
        assert (await api.client(Authorization=spelled).get("/v1/batches")).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic ", "", "Token ", "Bearer"])
async def test_no_other_scheme_carries_a_key(api: Api, scheme: str) -> None:
    assert_refused(await api.client(Authorization=f"{scheme}{api.key}").get("/v1/batches"), 401, "invalid_api_key")


async def test_a_key_in_any_bytes_is_refused(api: Api) -> None:
    for name, path in ((b"X-API-KEY", "/v1/batches"), (b"Authorization", "/admin/customers")):
        answer = await api.client().get(path, headers=[(name, b"Bearer \xfc\xff")])
        assert answer.status_code == 401


async def test_a_revoked_key_is_refused(api: Api) -> None:
    (key,) = api.ledger.accounts.keys(api.customer.customer_id)
    api.ledger.accounts.revoke_key(key.key_id)
    assert_refused(await api.http.get("/v1/batches"), 401, "invalid_api_key")


async def test_a_disabled_customer_is_told_so_on_every_route(api: Api) -> None:
    file_id, batch_id = await api.upload(), await api.batch()
    api.ledger.accounts.update_customer(api.customer.customer_id, enabled=False)
    for answer in (
        await api.http.post("/v1/files", json={"size_bytes": 5}),
        await api.http.get(f"/v1/files/{file_id}"),
        await api.submit([file_id]),
        await api.http.get("/v1/batches"),
        await api.http.get(f"/v1/batches/{batch_id}"),
        await api.http.post(f"/v1/batches/{batch_id}/cancel"),
        await api.http.get(f"/v1/batches/{batch_id}/items/item_x/result"),
    ):
        assert_refused(answer, 403, "customer_disabled")
    assert len(api.batches()) == 1


async def test_a_key_is_no_token_and_a_token_no_key(api: Api) -> None:
    for token in (ADMIN_TOKEN, WORKER_TOKEN):
        assert (await api.client(X_API_KEY=token).get("/v1/batches")).status_code == 401
    hello = {"worker_id": "w/1"}
    for token in (api.key, ADMIN_TOKEN):
        answer = await api.client(Authorization=f"Bearer {token}").post("/internal/workers/hello", json=hello)
        assert_refused(answer, 401, "invalid_admin_token")
    for token in (api.key, WORKER_TOKEN, ""):
        answer = await api.client(Authorization=f"Bearer {token}").get("/admin/customers")
        assert_refused(answer, 401, "invalid_admin_token")


async def test_an_upload_only_key_is_kept_from_routes_that_take_an_address(api: Api) -> None:
    @api.app.post("/v1/address", dependencies=[auth.AddressesAllowed])
    async def named() -> str:
        return "fetched"

    _, prefix, digest = secret = auth.new_secret()
    api.ledger.accounts.add_key(api.customer.customer_id, prefix=prefix, digest=digest, uploads_only=True)
    marked = api.client(X_API_KEY=secret[0])
    assert_refused(await marked.post("/v1/address"), 403, "uploads_only")
    assert (await marked.post("/v1/files", json={"size_bytes": 5})).status_code == 200
    assert (await api.http.post("/v1/address")).status_code == 200
    assert_refused(await api.client().post("/v1/address"), 401, "invalid_api_key")


async def test_the_admin_makes_a_key_that_works(api: Api) -> None:
    admin = api.client(Authorization=f"Bearer {ADMIN_TOKEN}")
    made = (await admin.post("/admin/keys", json={"customer": " new ", "label": "laptop"})).json()
    assert set(made) == {"id", "customer_id", "prefix", "key", "created_at"}
    assert made["key"].startswith(made["prefix"])
    assert (await api.client(X_API_KEY=made["key"]).get("/v1/batches")).json()["data"] == []
    again = (await admin.post("/admin/keys", json={"customer": "new"})).json()
    assert again["customer_id"] == made["customer_id"]
    assert again["key"] != made["key"]
    names = [one["name"] for one in (await admin.get("/admin/customers")).json()["data"]]
    assert names == ["acme", "new"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, None, 5])
async def test_a_customer_has_a_name(api: Api, name: object) -> None:
    admin = api.client(Authorization=f"Bearer {ADMIN_TOKEN}")
    assert (await admin.post("/admin/keys", json={"customer": name})).status_code == 422
    assert len(api.ledger.accounts.customers()) == 1


async def test_the_admin_gives_a_customer_another_cap_and_shuts_it_out(api: Api) -> None:
    admin = api.client(Authorization=f"Bearer {ADMIN_TOKEN}")
    address = f"/admin/customers/{api.customer.customer_id}"
    changed = (await admin.patch(address, json={"item_cap": 16})).json()
    assert (changed["item_cap"], changed["enabled"]) == (16, True)
    changed = (await admin.patch(address, json={"enabled": False, "item_cap": None})).json()
    assert (changed["item_cap"], changed["enabled"]) == (16, False)
    assert (await api.http.get("/v1/batches")).status_code == 403
    assert (await admin.get("/admin/customers")).json()["data"] == [changed]
    unknown = await admin.patch("/admin/customers/cust_nowhere", json={"item_cap": 1})
    assert (unknown.status_code, unknown.json()["error"]) == (404, "customer_not_found")


@pytest.mark.parametrize("change", [{"item_cap": 0}, {"item_cap": "8"}, {"enabled": "yes"}, {"cap": 8}])
async def test_a_change_that_makes_no_sense_is_refused(api: Api, change: dict[str, object]) -> None:
    admin = api.client(Authorization=f"Bearer {ADMIN_TOKEN}")
    assert (await admin.patch(f"/admin/customers/{api.customer.customer_id}", json=change)).status_code == 422
    assert api.ledger.accounts.customers() == [api.customer]


def test_the_ledger_keeps_digests_and_no_secret(ledger: Ledger) -> None:
    secret, prefix, digest = auth.new_secret()
    customer = ledger.accounts.ensure_customer("acme")
    key = ledger.accounts.add_key(customer.customer_id, prefix=prefix, digest=digest)
    assert len(secret) > 40
    assert secret.startswith(prefix)
    assert secret not in repr(key)
    assert digest == auth.digest(secret) != auth.new_secret()[2]
    assert len(prefix) == 12
