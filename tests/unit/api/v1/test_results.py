"""`GET .../items/{item_id}/result`: 302 to the bytes, or why there are none."""

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from octavo.identifiers import BatchId
from octavo.objects import keys
from octavo.timestamps import now
from tests.unit.api.service import Api, failed, succeeded

pytestmark = pytest.mark.anyio
BOTH = pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
RETENTION = timedelta(hours=72)


async def succeed(api: Api) -> tuple[BatchId, str]:
    """Return a batch and its one item, which has succeeded; its result is in storage."""
    batch_id = await api.batch()
    outcome = succeeded()
    key = keys.result_key(api.customer.customer_id, outcome.result_id, "extract-page.json")
    api.objects.write(key, b'{"chunks": []}', "application/json")
    api.finish_all(batch_id, outcome)
    return batch_id, api.items(batch_id)[0].item_id


async def fetch(api: Api, batch_id: str, item_id: str, client: httpx.AsyncClient | None = None) -> httpx.Response:
    return await (client or api.http).get(f"/v1/batches/{batch_id}/items/{item_id}/result")


def life_of(url: str) -> timedelta:
    (expires,) = parse_qs(urlsplit(url).query)["expires"]
    return datetime.fromtimestamp(float(expires), now().tzinfo) - now()


async def test_a_result_is_a_redirect_to_its_bytes(api: Api) -> None:
    answer = await fetch(api, *await succeed(api))
    assert answer.status_code == 302
    assert answer.headers["Cache-Control"] == "no-store"
    link = answer.headers["Location"]
    assert timedelta(minutes=4) < life_of(link) <= timedelta(minutes=5)
    got = api.objects.get_through(link)
    assert (got.status, got.body) == (200, b'{"chunks": []}')
    assert got.headers["content-type"] == "application/json"


async def test_the_result_url_of_an_item_is_where_its_result_is(api: Api) -> None:
    batch_id, _ = await succeed(api)
    (item,) = (await api.http.get(f"/v1/batches/{batch_id}")).json()["items"]
    assert (await api.http.get(item["result_url"])).status_code == 302


async def test_unknown_items_and_batches_are_not_found(api: Api) -> None:
    batch_id, item_id = await succeed(api)
    other, _ = await succeed(api)
    for asked, code in (
        ((batch_id, "item_nobody"), "item_not_found"),
        ((other, item_id), "item_not_found"),
        (("batch_nobody", item_id), "batch_not_found"),
    ):
        answer = await fetch(api, *asked)
        assert (answer.status_code, answer.json()["error"]) == (404, code)
        assert answer.json()["message"]


async def test_another_customers_result_is_not_found(api: Api) -> None:
    batch_id, item_id = await succeed(api)
    answer = await fetch(api, batch_id, item_id, api.stranger())
    assert (answer.status_code, answer.json()["error"]) == (404, "batch_not_found")


@BOTH
async def test_an_item_without_a_result_is_a_conflict_that_tells_its_status(api: Api) -> None:
    batch_id = await api.batch(4)
    api.finish_all(batch_id, failed())
    (piece,) = api.claim(batch_id, 1).slices
    api.begin(piece.items[0])
    told = {}
    for item in api.items(batch_id)[:3]:
        answer = await fetch(api, batch_id, item.item_id)
        assert (answer.status_code, answer.json()["error"]) == (409, "result_not_ready")
        told[item.position] = answer.json()["status"]
    assert told == {0: "failed", 1: "running", 2: "pending"}
    await api.http.post(f"/v1/batches/{batch_id}/cancel")
    answer = await fetch(api, batch_id, api.items(batch_id)[2].item_id)
    assert (answer.status_code, answer.json()["status"]) == (409, "cancelled")


@BOTH
async def test_a_result_is_gone_from_the_second_its_retention_ends(api: Api) -> None:
    # The item completed by a clock that lags: seconds, not three days, before its retention ends.
    api.clock.shift = -RETENTION
    answer = await fetch(api, *await succeed(api))
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
    assert "submit" in answer.json()["message"]
    api.clock.shift = -(RETENTION - timedelta(seconds=60))
    assert (await fetch(api, *await succeed(api))).status_code == 302


async def test_retention_counts_from_the_items_completion_not_the_batchs(api: Api) -> None:
    api.clock.shift = -RETENTION
    batch_id = await api.batch(2)
    early, late = (piece.items[0] for piece in api.claim(batch_id).slices)
    api.finish(early)
    api.clock.shift = timedelta()
    api.finish(late)
    answers = [await fetch(api, batch_id, item.item_id) for item in (early, late)]
    assert [answer.status_code for answer in answers] == [410, 302]


async def test_a_link_never_outlives_its_result(api: Api) -> None:
    api.clock.shift = -(RETENTION - timedelta(seconds=90))
    link = (await fetch(api, *await succeed(api))).headers["Location"]
    assert timedelta(seconds=60) < life_of(link) <= timedelta(seconds=90)


async def test_a_result_is_linked_even_while_storage_is_down(api: Api) -> None:
    batch_id, item_id = await succeed(api)
    api.objects.available = False
    assert (await fetch(api, batch_id, item_id)).status_code == 302


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://app.example"}, 200),
        ({"Origin": "https://app.example", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}, 200),
        ({"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, 302),
        ({"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin"}, 302),
        ({"Origin": "https://evil.example"}, 302),
        ({"Origin": "null"}, 302),
        ({}, 302),
    ],
)
async def test_a_script_of_an_allowed_page_gets_the_bytes_and_everybody_else_the_way_to_them(
    api: Api, headers: dict[str, str], status: int
) -> None:
    api.service.settings.api.allowed_origins.append("https://app.example")
    batch_id, item_id = await succeed(api)
    answer = await api.http.get(f"/v1/batches/{batch_id}/items/{item_id}/result", headers=headers)
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"
    if status == 200:
        assert (answer.content, answer.headers["Content-Type"]) == (b'{"chunks": []}', "application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_result_that_is_gone_from_storage_is_told_to_a_page(api: Api) -> None:
    batch_id, item_id = await succeed(api)
    api.objects.delete([info.key for info in api.objects.list("results/")])
    own = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    answer = await api.http.get(f"/v1/batches/{batch_id}/items/{item_id}/result", headers=own)
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
