"""`/v1/webhooks`: what customers see and set, and what is handed to senders."""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from octavo.archive.writing import ArchiveWriter
from octavo.identifiers import BatchId
from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import DuckdbLedger
from octavo.objects import keys
from octavo.objects.memory import MemoryObjects
from octavo.timestamps import now
from tests.unit.api.service import ADMIN_TOKEN, Api, MovableClock, make_service, settings, succeeded

pytestmark = pytest.mark.anyio
both_ledgers = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
URL = "https://receiver.example/hook"
EVERY_EVENT = ["batch.completed", "batch.partially_failed", "batch.failed", "batch.cancelled"]


async def add(api: Api, **fields: object) -> dict[str, Any]:
    answer = await api.http.post("/v1/webhooks", json={"url": URL, **fields})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ended(api: Api) -> BatchId:
    batch_id = await api.batch()
    api.finish_all(batch_id, succeeded())
    return batch_id


async def claims(api: Api, *, wait: float = 0, under_way: int = 0, worker: str | None = None) -> list[dict[str, Any]]:
    answer = await api.worker().post(
        f"/internal/deliveries/claims?wait={wait}", json={"limit": 10, "under_way": under_way, "worker_id": worker}
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


async def report(api: Api, outgoing: dict[str, Any], **fields: object) -> httpx.Response:
    body = {
        "delivery_id": outgoing["delivery_id"],
        "lease_no": outgoing["lease_no"],
        "started_at": now().isoformat(),
        "seconds": 0.1,
        **fields,
    }
    return await api.worker().post("/internal/deliveries/attempts", json=body)


async def until_one_waits(api: Api) -> None:
    async with asyncio.timeout(60):
        while not api.service.deliveries.waiting:
            await asyncio.sleep(0.005)


@both_ledgers
async def test_a_webhook_is_made_listed_changed_and_deleted(api: Api) -> None:
    made = await add(api)
    assert made["object"] == "webhook"
    assert made["events"] == EVERY_EVENT
    assert (made["enabled"], made["disabled_reason"], made["former_secret_until"]) == (True, None, None)
    shown = {name: value for name, value in made.items() if name != "secret"}
    address = f"/v1/webhooks/{made['id']}"
    assert (await api.http.get(address)).json() == shown
    assert (await api.http.get("/v1/webhooks")).json() == {"object": "list", "data": [shown]}
    changed = (await api.http.patch(address, json={"events": ["batch.failed", "batch.failed"]})).json()
    assert changed == shown | {"events": ["batch.failed"], "updated_at": changed["updated_at"]}
    gone = await api.http.delete(address)
    assert (gone.status_code, gone.json()) == (200, {"object": "webhook", "id": made["id"], "deleted": True})
    assert (await api.http.get(address)).json()["error"] == "webhook_not_found"


async def test_a_secret_has_32_bytes_and_is_shown_when_it_is_made_and_never_again(api: Api) -> None:
    first, second = await add(api), await add(api)
    for made in (first, second):
        assert made["secret"].startswith("whsec_")
        assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert first["secret"] != second["secret"]
    address = f"/v1/webhooks/{first['id']}"
    answers = [
        await api.http.get(address),
        await api.http.get("/v1/webhooks"),
        await api.http.patch(address, json={"enabled": True}),
    ]
    assert not any("whsec_" in answer.text for answer in answers)


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/hook",
        "https://receiver.example:8443/hook",
        "https://127.0.0.1/hook",
        "https://10.0.0.1/",
        "https://localhost/",
        "https://[::1]/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[64:ff9b::7f00:1]/hook",
        "https://169.254.169.254/latest",
        "https://2130706433/hook",
        "https://0x7f.1/hook",
        "https://127.1/hook",
        "https://0/hook",
        "https://user:secret@receiver.example/",
        "ftp://receiver.example/",
        "receiver.example",
    ],
)
async def test_an_address_that_may_not_be_asked_is_refused(api: Api, url: str) -> None:
    answer = await api.http.post("/v1/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["error"]) == (422, "url_not_allowed")
    made = await add(api)
    answer = await api.http.patch(f"/v1/webhooks/{made['id']}", json={"url": url})
    assert (answer.status_code, answer.json()["error"]) == (422, "url_not_allowed")


async def test_a_place_the_operator_has_listed_is_taken_over_http(ledger: Ledger, tmp_path: Path) -> None:
    objects = MemoryObjects()
    given = settings(tmp_path, outbound={"allow": ["127.0.0.1:9000"]}, webhooks={"per_customer": 1})
    api = Api.make(make_service(given, ledger, objects), objects, MovableClock())
    await add(api, url="http://127.0.0.1:9000/hook")
    answer = await api.http.post("/v1/webhooks", json={"url": URL})
    assert (answer.status_code, answer.json()["error"], answer.json()["limit"]) == (409, "too_many_webhooks", 1)
    await api.close()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": URL, "events": []},
        {"url": URL, "events": ["batch.begun"]},
        {"url": URL, "enabled": "yes"},
        {"url": "https://receiver.example/" + "x" * 2048},
    ],
)
async def test_a_webhook_that_makes_no_sense_is_refused(api: Api, body: dict[str, object]) -> None:
    assert (await api.http.post("/v1/webhooks", json=body)).status_code == 422


@both_ledgers
async def test_what_is_sent_is_the_batch_and_verifies(api: Api) -> None:
    made = await add(api)
    batch_id = await ended(api)
    (outgoing,) = await claims(api)
    assert outgoing["url"] == URL
    assert outgoing["headers"]["Content-Type"] == "application/json"
    said = Webhook(made["secret"]).verify(outgoing["body"], outgoing["headers"])
    batch = (await api.http.get(f"/v1/batches/{batch_id}")).json()
    assert said == {
        "type": "batch.completed",
        "timestamp": batch["completed_at"],
        "data": {name: value for name, value in batch.items() if name not in ("items", "next_cursor")},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(outgoing["body"] + " ", outgoing["headers"])


async def test_after_a_rotation_both_secrets_verify_for_a_day(api: Api) -> None:
    before = await add(api)
    after = (await api.http.post(f"/v1/webhooks/{before['id']}/rotate")).json()
    assert after["secret"] != before["secret"]
    assert after["former_secret_until"] is not None
    await ended(api)
    (outgoing,) = await claims(api)
    for secret in (before["secret"], after["secret"]):
        Webhook(secret).verify(outgoing["body"], outgoing["headers"])


async def test_the_former_secret_ends(api: Api) -> None:
    before = await add(api)
    api.clock.shift = -timedelta(hours=25)
    after = (await api.http.post(f"/v1/webhooks/{before['id']}/rotate")).json()
    api.clock.shift = timedelta()
    await ended(api)
    (outgoing,) = await claims(api)
    Webhook(after["secret"]).verify(outgoing["body"], outgoing["headers"])
    with pytest.raises(WebhookVerificationError):
        Webhook(before["secret"]).verify(outgoing["body"], outgoing["headers"])


async def test_a_secret_is_made_of_the_key_and_the_webhook_and_nothing_else(api: Api) -> None:
    made = await add(api)
    webhook = api.ledger.webhooks.get(api.customer.customer_id, made["id"])
    other = make_service(api.service.settings, api.ledger, api.objects)
    assert other.webhook_messages.secret(webhook, now()) == made["secret"]


async def test_no_secret_is_in_the_ledger_or_its_archive(clock: MovableClock, tmp_path: Path) -> None:
    ledger, objects = DuckdbLedger(tmp_path / "ledger.duckdb", clock=clock), MemoryObjects()
    api = Api.make(make_service(settings(tmp_path), ledger, objects), objects, clock)
    secret = (await add(api))["secret"].removeprefix("whsec_")
    ArchiveWriter(ledger, objects).look()
    kept = b"".join(objects.read(info.key, max_bytes=10**6) for info in objects.list(keys.ARCHIVE))
    await api.close()
    ledger.close()
    kept += (tmp_path / "ledger.duckdb").read_bytes()
    assert b"receiver.example" in kept
    assert secret.encode() not in kept
    assert base64.b64decode(secret) not in kept


@both_ledgers
async def test_deliveries_show_every_attempt_and_can_be_replayed(api: Api) -> None:
    made = await add(api)
    batch_id = await ended(api)
    (outgoing,) = await claims(api)
    assert (await report(api, outgoing, status_code=500, answer="broken")).json() == {"taken": True}
    listed = (await api.http.get(f"/v1/webhooks/{made['id']}/deliveries")).json()
    (delivery,) = listed["data"]
    assert listed["next_cursor"] is None
    assert (delivery["status"], delivery["event"]) == ("pending", "batch.completed")
    assert (delivery["id"], delivery["batch_id"]) == (outgoing["headers"]["webhook-id"], batch_id)
    assert delivery["next_attempt_at"] is not None
    (attempt,) = delivery["attempts"]
    assert (attempt["attempt"], attempt["status_code"], attempt["answer"]) == (1, 500, "broken")
    address = f"/v1/webhooks/deliveries/{delivery['id']}"
    assert (await api.http.get(address)).json() == delivery
    assert (await api.http.post(f"{address}/replay")).status_code == 200
    (again,) = await claims(api)
    assert again["delivery_id"] == outgoing["delivery_id"]
    assert again["body"] == outgoing["body"]
    await report(api, again, status_code=204)
    assert (await api.http.get(address)).json()["status"] == "delivered"
    assert not (await report(api, outgoing, status_code=200)).json()["taken"]


async def test_deliveries_come_page_by_page(api: Api) -> None:
    made = await add(api)
    for _ in range(3):
        await ended(api)
    address = f"/v1/webhooks/{made['id']}/deliveries"
    first = (await api.http.get(address, params={"limit": 2})).json()
    second = (await api.http.get(address, params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert (len(first["data"]), len(second["data"]), second["next_cursor"]) == (2, 1, None)
    other = await add(api)
    foreign = await api.http.get(f"/v1/webhooks/{other['id']}/deliveries", params={"cursor": first["next_cursor"]})
    assert (foreign.status_code, foreign.json()["error"]) == (422, "invalid_cursor")


async def test_a_ping_is_about_the_webhook(api: Api) -> None:
    made = await add(api, events=["batch.failed"])
    pinged = (await api.http.post(f"/v1/webhooks/{made['id']}/ping")).json()
    assert (pinged["event"], pinged["batch_id"], pinged["attempts"]) == ("webhook.ping", None, [])
    (outgoing,) = await claims(api)
    said = Webhook(made["secret"]).verify(outgoing["body"], outgoing["headers"])
    assert (said["type"], said["data"]["id"]) == ("webhook.ping", made["id"])


async def test_a_webhook_that_is_off_is_sent_nothing(api: Api) -> None:
    made = await add(api)
    await ended(api)
    address = f"/v1/webhooks/{made['id']}"
    assert (await api.http.patch(address, json={"enabled": False})).json()["enabled"] is False
    (delivery,) = (await api.http.get(f"{address}/deliveries")).json()["data"]
    assert delivery["status"] == "cancelled"
    answers = [
        await api.http.post(f"{address}/ping"),
        await api.http.post(f"/v1/webhooks/deliveries/{delivery['id']}/replay"),
    ]
    assert [(answer.status_code, answer.json()["error"]) for answer in answers] == [(409, "webhook_disabled")] * 2
    assert await claims(api) == []


async def test_another_customers_webhooks_and_deliveries_are_not_there(api: Api) -> None:
    made = await add(api)
    await ended(api)
    (delivery,) = (await api.http.get(f"/v1/webhooks/{made['id']}/deliveries")).json()["data"]
    stranger = api.stranger()
    for method, path, code in [
        ("GET", f"/v1/webhooks/{made['id']}", "webhook_not_found"),
        ("PATCH", f"/v1/webhooks/{made['id']}", "webhook_not_found"),
        ("DELETE", f"/v1/webhooks/{made['id']}", "webhook_not_found"),
        ("POST", f"/v1/webhooks/{made['id']}/rotate", "webhook_not_found"),
        ("POST", f"/v1/webhooks/{made['id']}/ping", "webhook_not_found"),
        ("GET", f"/v1/webhooks/{made['id']}/deliveries", "webhook_not_found"),
        ("GET", f"/v1/webhooks/deliveries/{delivery['id']}", "delivery_not_found"),
        ("POST", f"/v1/webhooks/deliveries/{delivery['id']}/replay", "delivery_not_found"),
    ]:
        answer = await stranger.request(method, path, json={} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["error"]) == (404, code), (method, path)
    assert (await stranger.get("/v1/webhooks")).json()["data"] == []


async def test_a_claim_waits_for_the_end_of_a_batch(api: Api) -> None:
    loop = asyncio.create_task(api.service.deliveries.run())
    await add(api)
    batch_id = await api.batch()
    waiting = asyncio.create_task(claims(api, wait=20))
    await until_one_waits(api)
    api.finish_all(batch_id, succeeded())
    (outgoing,) = await asyncio.wait_for(waiting, 5)
    assert batch_id in outgoing["body"]
    loop.cancel()


async def test_claims_that_wait_are_answered_when_the_process_ends(api: Api) -> None:
    waiting = asyncio.create_task(claims(api, wait=20))
    await until_one_waits(api)
    await api.service.deliveries.close()
    assert await asyncio.wait_for(waiting, 5) == []


@both_ledgers
@pytest.mark.parametrize("path", ["hello", "goodbye"])
async def test_what_a_worker_held_is_due_at_once_when_it_comes_again_or_goes(api: Api, path: str) -> None:
    await add(api)
    await ended(api)
    (first,) = await claims(api, worker="embedded/1")
    assert await claims(api, worker="embedded/1") == []
    said = {"worker_id": "embedded/2" if path == "hello" else "embedded/1"}
    assert (await api.worker().post(f"/internal/workers/{path}", json=said)).status_code == 200
    (again,) = await claims(api, worker="embedded/2")
    assert again["delivery_id"] == first["delivery_id"]
    assert (await report(api, again, status_code=200)).json() == {"taken": True}
    assert api.service.deliveries.senders() == set()


async def test_what_a_silent_worker_held_is_due_again_long_before_its_lease_ends(
    ledger: Ledger, clock: MovableClock, tmp_path: Path
) -> None:
    objects = MemoryObjects()
    api = Api.make(make_service(settings(tmp_path), ledger, objects, silence_seconds=0.2), objects, clock)
    await add(api)
    await ended(api)
    assert len(await claims(api, worker="embedded/1")) == 1
    async with asyncio.timeout(60):
        while api.service.deliveries.senders():
            await api.service.deliveries.take_from_the_silent()
            await asyncio.sleep(0.02)
    assert len(await claims(api, worker="other/1")) == 1
    await api.close()


async def test_old_deliveries_are_pruned(api: Api) -> None:
    made = await add(api)
    await ended(api)
    (outgoing,) = await claims(api)
    api.clock.shift = -timedelta(days=31)
    await report(api, outgoing, status_code=200)
    api.clock.shift = timedelta()
    answer = await api.worker().post("/internal/deliveries/prune", json={})
    assert answer.json() == {"deliveries": 1}
    assert (await api.http.get(f"/v1/webhooks/{made['id']}/deliveries")).json()["data"] == []


async def test_a_key_for_uploads_only_has_nobody_told_of_anything(api: Api) -> None:
    made = await add(api)
    key = await api.client(Authorization=f"Bearer {ADMIN_TOKEN}").post(
        "/admin/keys", json={"customer": api.customer.name, "uploads_only": True}
    )
    client = api.client(**{"X-API-KEY": key.json()["key"]})
    for answer in (
        await client.post("/v1/webhooks", json={"url": URL}),
        await client.patch(f"/v1/webhooks/{made['id']}", json={"url": URL}),
    ):
        assert (answer.status_code, answer.json()["error"]) == (403, "uploads_only")
    assert (await client.get("/v1/webhooks")).json()["data"][0]["id"] == made["id"]


async def test_pings_and_replays_are_counted_like_submissions(api: Api) -> None:
    made = await add(api)
    api.ledger.accounts.set_limits(api.customer.customer_id, {"submissions_per_minute": 2})
    ping = f"/v1/webhooks/{made['id']}/ping"
    sent = (await api.http.post(ping)).json()
    assert (await api.http.post(ping)).status_code == 200
    refused = await api.http.post(ping)
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0
    replay = f"/v1/webhooks/deliveries/{sent['id']}/replay"
    assert [(await api.http.post(replay)).status_code for _ in range(3)] == [200, 200, 429]
