"""`GET /v1/batches`, `GET /v1/batches/{id}` and cancel: what is shown, in which order, and what comes next."""

import base64
import json
import re
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from octavo.batches import BatchStatus
from octavo.identifiers import BatchId
from tests.unit.api.service import Api, failed, succeeded

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
ITEM_KEYS = {
    "object", "id", "batch_id", "file_id", "position", "status", "attempts", "updated_at",
    "page_count", "pages_done", "pages_total", "failed_pages",
    "reused", "started_at", "completed_at", "result_url", "error",
    "reason",
}  # fmt: skip


async def get(api: Api, path: str, **params: str | int) -> dict[str, Any]:
    answer = await api.http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def detail(api: Api, batch_id: str, **params: str | int) -> dict[str, Any]:
    return await get(api, f"/v1/batches/{batch_id}", **params)


async def pages(api: Api, path: str, key: str, limit: int) -> list[dict[str, Any]]:
    """Follow the cursors as long as a page has something; returns everything, in the order it came."""
    found: list[dict[str, Any]] = []
    page = await get(api, path, limit=limit)
    while page[key]:
        assert len(page[key]) <= limit
        found += page[key]
        if page["next_cursor"] is None:
            break
        page = await get(api, path, limit=limit, cursor=page["next_cursor"])
    return found


def assert_unknown_batch(answer: httpx.Response) -> None:
    assert answer.status_code == 404
    assert answer.json()["error"] == "batch_not_found"
    assert answer.json()["message"]


def forge(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


# One batch


@BOTH
async def test_items_have_every_documented_key_whatever_became_of_them(api: Api) -> None:
    batch_id = await api.batch(4)
    api.finish_all(batch_id, succeeded(3), failed("unsupported_input"))
    (running,) = api.claim(batch_id, 1).slices
    api.begin(running.items[0])
    items = {item["position"]: item for item in (await detail(api, batch_id))["items"]}
    for item in items.values():
        assert set(item) == ITEM_KEYS
        assert (item["object"], item["batch_id"]) == ("batch_item", batch_id)
        assert item["id"].startswith("item_")
    good, bad, begun, waiting = (items[position] for position in range(4))
    assert [one["status"] for one in (good, bad, begun, waiting)] == ["succeeded", "failed", "running", "pending"]
    assert [one["attempts"] for one in (good, bad, begun, waiting)] == [1, 1, 1, 0]
    assert (good["page_count"], good["error"]) == (3, None)
    assert good["result_url"] == f"/v1/batches/{batch_id}/items/{good['id']}/result"
    assert bad["error"] == {"code": "unsupported_input", "message": "It is damaged.", "retryable": False}
    for one in (bad, begun, waiting):
        assert (one["page_count"], one["result_url"]) == (None, None)
    assert (waiting["started_at"], waiting["completed_at"], waiting["error"]) == (None, None, None)
    moments = [good["started_at"], good["completed_at"], bad["completed_at"], begun["started_at"]]
    for moment in moments + [one["updated_at"] for one in items.values()]:
        assert MICROSECONDS.fullmatch(moment)


async def test_a_batch_shows_its_counts_and_how_it_ended(api: Api) -> None:
    batch_id = await api.batch(3)
    assert (await detail(api, batch_id))["status"] == "pending"
    api.finish_all(batch_id, succeeded())
    running = await detail(api, batch_id)
    assert running["status"] == "running"
    assert MICROSECONDS.fullmatch(running["started_at"])
    assert running["completed_at"] is None
    api.finish_all(batch_id, failed(), succeeded())
    ended = await detail(api, batch_id)
    assert ended["status"] == "partially_failed"
    assert ended["counts"] == {"pending": 0, "running": 0, "succeeded": 2, "failed": 1, "cancelled": 0}
    assert MICROSECONDS.fullmatch(ended["completed_at"])


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([succeeded(), succeeded()], "completed"),
        ([succeeded(), failed()], "partially_failed"),
        ([failed(), failed()], "failed"),
    ],
)
async def test_items_decide_how_a_batch_ends(api: Api, outcomes: Sequence[Any], status: str) -> None:
    batch_id = await api.batch(2)
    api.finish_all(batch_id, *outcomes)
    assert (await detail(api, batch_id))["status"] == status


@BOTH
async def test_untouched_items_come_by_position(api: Api) -> None:
    batch_id = await api.batch(7)
    found = await pages(api, f"/v1/batches/{batch_id}", "items", 3)
    assert [item["position"] for item in found] == list(range(7))


async def test_changed_items_come_oldest_change_first(api: Api) -> None:
    batch_id = await api.batch(3)
    items = [piece.items[0] for piece in api.claim(batch_id).slices]
    for item in (items[2], items[0]):
        api.finish(item)
    found = (await detail(api, batch_id))["items"]
    assert [item["position"] for item in found] == [1, 2, 0]
    order = [(item["updated_at"], item["id"]) for item in found]
    assert order == sorted(order)


async def test_a_cursor_gives_what_changed_since_and_nothing_else(api: Api) -> None:
    batch_id = await api.batch(3)
    seen = await detail(api, batch_id)
    assert seen["next_cursor"]
    quiet = await detail(api, batch_id, cursor=seen["next_cursor"])
    assert (quiet["items"], quiet["next_cursor"]) == ([], seen["next_cursor"])
    items = [piece.items[0] for piece in api.claim(batch_id).slices]
    assert (await detail(api, batch_id, cursor=quiet["next_cursor"]))["items"] == [], "nobody sees a lease"
    api.finish(items[1])
    changed = await detail(api, batch_id, cursor=quiet["next_cursor"])
    assert [item["position"] for item in changed["items"]] == [1]
    assert changed["next_cursor"] not in (None, quiet["next_cursor"])


@BOTH
async def test_a_client_that_polls_by_cursor_misses_no_end(api: Api) -> None:
    batch_id = await api.batch(5)
    page = await detail(api, batch_id, limit=2)
    ended: list[str] = []
    for item in [piece.items[0] for piece in api.claim(batch_id).slices]:
        api.finish(item)
        page = await detail(api, batch_id, limit=2, cursor=page["next_cursor"])
        ended += [one["id"] for one in page["items"] if one["status"] == "succeeded"]
    while page["next_cursor"] is not None:
        page = await detail(api, batch_id, limit=2, cursor=page["next_cursor"])
        ended += [one["id"] for one in page["items"] if one["status"] == "succeeded"]
    assert sorted(ended) == sorted(item.item_id for item in api.items(batch_id))


async def test_the_cursor_ends_when_the_batch_has_and_nothing_follows(api: Api) -> None:
    batch_id = await api.batch(3)
    api.finish_all(batch_id, succeeded(), succeeded(), failed())
    first = await detail(api, batch_id, limit=2)
    assert first["next_cursor"]
    rest = await detail(api, batch_id, limit=2, cursor=first["next_cursor"])
    assert (len(rest["items"]), rest["next_cursor"]) == (1, None)
    assert (await detail(api, batch_id, limit=3))["next_cursor"] is None


@pytest.mark.parametrize("limit", ["0", "501", "-1", "many", "1.5", "9" * 400])
async def test_items_are_listed_1_to_500_at_once(api: Api, limit: str) -> None:
    batch_id = await api.batch()
    answer = await api.http.get(f"/v1/batches/{batch_id}", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "limit"]


async def test_a_page_of_items_has_100_unless_told(api: Api) -> None:
    file_id = await api.upload()
    batch_id = (await api.submit([file_id] * 501)).json()["id"]
    assert len((await detail(api, batch_id))["items"]) == 100
    assert len((await detail(api, batch_id, limit=500))["items"]) == 500
    assert len((await detail(api, batch_id, limit=1))["items"]) == 1


@BOTH
async def test_an_empty_cursor_is_the_beginning(api: Api) -> None:
    batch_id = await api.batch(2)
    assert await detail(api, batch_id, cursor="") == await detail(api, batch_id)
    assert await get(api, "/v1/batches", cursor="") == await get(api, "/v1/batches")


@BOTH
async def test_a_cursor_that_is_not_this_lists_own_is_refused(api: Api) -> None:
    one, other = await api.batch(2), await api.batch(2)
    good = str((await detail(api, one))["next_cursor"])
    of_list = (await get(api, "/v1/batches", limit=1))["next_cursor"]
    foreign = (await detail(api, other))["next_cursor"]
    broken = [good[: len(good) // 2], good[:-1], good + "x", "garbage", " ", "\x00", "\u4e2d", "a" * 5000, "==="]
    forged = [
        forge(one, 10**40, "item_x"),
        forge(one, -(10**40), "item_x"),
        forge(one, True, "item_x"),
        forge(one, 1.5, "item_x"),
        forge(one, 1, None),
        forge(one, 1),
        forge(one, 1, "a", "b"),
        forge(one, 1, "\ud800"),
        base64.urlsafe_b64encode(b"[" * 3000).decode(),
        base64.urlsafe_b64encode(b"[1," + b"9" * 5000 + b",1]").decode(),
        base64.urlsafe_b64encode(b"\xff\xff").decode(),
        base64.urlsafe_b64encode(b"null").decode(),
    ]
    for cursor in [of_list, foreign, *broken, *forged]:
        answer = await api.http.get(f"/v1/batches/{one}", params={"cursor": cursor})
        assert answer.status_code == 422, cursor
        assert answer.json()["error"] == "invalid_cursor"
        assert "beginning" in answer.json()["message"]


@BOTH
@pytest.mark.parametrize("micros", [-(10**15), 0, 10**17, 250_000_000_000_000_000])
async def test_a_cursor_far_away_in_time_harms_nothing(api: Api, micros: int) -> None:
    batch_id = await api.batch(2)
    items = (await detail(api, batch_id, cursor=forge(batch_id, micros, "item_\x00")))["items"]
    assert len(items) == (2 if micros <= 0 else 0)


async def test_unknown_and_foreign_batches_are_not_found(api: Api) -> None:
    batch_id = await api.batch()
    stranger = api.stranger()
    assert_unknown_batch(await api.http.get("/v1/batches/batch_nobody"))
    assert_unknown_batch(await stranger.get(f"/v1/batches/{batch_id}"))
    assert_unknown_batch(await stranger.post(f"/v1/batches/{batch_id}/cancel"))
    assert (await detail(api, batch_id))["status"] == "pending"


# The list


@BOTH
async def test_batches_are_listed_newest_first(api: Api) -> None:
    made = [await api.batch() for _ in range(5)]
    listed = await get(api, "/v1/batches")
    assert set(listed) == {"object", "data", "next_cursor"}
    assert (listed["object"], listed["next_cursor"]) == ("list", None)
    assert [batch["id"] for batch in listed["data"]] == made[::-1]
    assert "items" not in listed["data"][0]
    assert [batch["id"] for batch in await pages(api, "/v1/batches", "data", 2)] == made[::-1]
    assert [batch["id"] for batch in await pages(api, "/v1/batches", "data", 5)] == made[::-1]


async def test_a_customer_sees_their_own_batches_only(api: Api) -> None:
    await api.batch()
    assert (await api.stranger().get("/v1/batches")).json() == {"object": "list", "data": [], "next_cursor": None}


@BOTH
async def test_batches_are_listed_by_status(api: Api) -> None:
    waiting, ended, cancelled = await api.batch(), await api.batch(), await api.batch()
    api.finish_all(ended, succeeded())
    api.ledger.batches.cancel(api.customer.customer_id, cancelled)
    expected = {"pending": [waiting], "completed": [ended], "cancelled": [cancelled]}
    for status in BatchStatus:
        listed = (await get(api, "/v1/batches", status=status.value))["data"]
        assert [batch["id"] for batch in listed] == expected.get(status.value, [])


@pytest.mark.parametrize("status", ["done", "COMPLETED", "succeeded", "\x00"])
async def test_an_unknown_status_is_refused_with_the_list(api: Api, status: str) -> None:
    answer = await api.http.get("/v1/batches", params={"status": status})
    assert answer.status_code == 422
    assert answer.json()["error"] == "invalid_status"
    assert answer.json()["statuses"] == [one.value for one in BatchStatus]


@pytest.mark.parametrize("limit", ["0", "201", "-1", "many"])
async def test_batches_are_listed_1_to_200_at_once(api: Api, limit: str) -> None:
    answer = await api.http.get("/v1/batches", params={"limit": limit})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "limit"]


async def test_a_page_of_batches_has_50_unless_told(api: Api) -> None:
    file_id = await api.upload()
    for _ in range(51):
        await api.submit([file_id])
    assert len((await get(api, "/v1/batches"))["data"]) == 50
    assert len((await get(api, "/v1/batches", limit=200))["data"]) == 51


async def test_a_cursor_of_another_list_of_batches_is_refused(api: Api) -> None:
    made = [await api.batch() for _ in range(2)]
    mine = (await get(api, "/v1/batches", limit=1))["next_cursor"]
    of_items = (await detail(api, made[0]))["next_cursor"]
    for client, cursor in ((api.stranger(), mine), (api.http, of_items), (api.http, mine[:10]), (api.http, "x")):
        answer = await client.get("/v1/batches", params={"cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["error"] == "invalid_cursor"


# Cancel


@BOTH
async def test_a_cancel_takes_what_is_pending_and_lets_the_rest_finish(api: Api) -> None:
    batch_id = await api.batch(3)
    first, leased, _ = (piece.items[0] for piece in api.claim(batch_id).slices)
    api.begin(first)
    answer = await api.http.post(f"/v1/batches/{batch_id}/cancel")
    assert answer.status_code == 200
    batch = answer.json()
    assert batch["status"] == "cancelling"
    assert batch["counts"] == {"pending": 0, "running": 1, "succeeded": 0, "failed": 0, "cancelled": 2}
    assert "items" not in batch
    assert api.items(batch_id)[leased.position].status.value == "cancelled"
    api.finish(first)
    assert (await detail(api, batch_id))["status"] == "completed"


async def test_a_cancel_of_what_was_not_begun_ends_the_batch(api: Api) -> None:
    batch_id = await api.batch(2)
    cancelled = (await api.http.post(f"/v1/batches/{batch_id}/cancel")).json()
    assert cancelled["status"] == "cancelled"
    assert MICROSECONDS.fullmatch(cancelled["completed_at"])
    assert {item["status"] for item in (await detail(api, batch_id))["items"]} == {"cancelled"}
    assert not api.claim(batch_id).slices


async def test_a_cancel_of_a_finished_batch_changes_nothing(api: Api) -> None:
    batch_id = await api.batch()
    api.finish_all(batch_id, succeeded())
    before = api.ledger.batches.get(api.customer.customer_id, batch_id)
    answer = await api.http.post(f"/v1/batches/{batch_id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert api.ledger.batches.get(api.customer.customer_id, batch_id) == before


async def test_a_second_cancel_changes_nothing(api: Api) -> None:
    batch_id = await api.batch(2)
    (piece,) = api.claim(batch_id, 1).slices
    api.begin(piece.items[0])
    first = (await api.http.post(f"/v1/batches/{batch_id}/cancel")).json()
    assert (await api.http.post(f"/v1/batches/{batch_id}/cancel")).json() == first


async def test_a_batch_whose_running_items_all_fail_after_a_cancel_is_cancelled(api: Api) -> None:
    batch_id = await api.batch(2)
    (piece,) = api.claim(batch_id, 1).slices
    api.begin(piece.items[0])
    await api.http.post(f"/v1/batches/{batch_id}/cancel")
    api.finish(piece.items[0], failed())
    assert api.ledger.batches.get(api.customer.customer_id, BatchId(batch_id)).status is BatchStatus.CANCELLED
