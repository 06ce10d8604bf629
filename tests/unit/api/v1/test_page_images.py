"""`/v1/batches/{id}/items/{id}/pages/{n}/image`: what a viewer sees; a worker is simulated by its own requests."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from octavo.identifiers import ResultId, WorkerId
from octavo.objects import keys
from tests.unit.api.service import Api, add_customer, client_of, failed, succeeded

pytestmark = pytest.mark.anyio
WORKER = "worker/1"
RESULT = ResultId("res_1")
IMAGE = b"the bytes of an image"


async def item_path(api: Api, pages: int = 3, result_id: ResultId = RESULT) -> str:
    """End an item of so many pages; returns where its pages are."""
    batch_id = await api.batch()
    api.finish_all(batch_id, replace(succeeded(pages), result_id=result_id))
    return f"/v1/batches/{batch_id}/items/{api.items(batch_id)[0].item_id}/pages"


async def claim(api: Api, worker: str = WORKER, wait: float = 5) -> dict[str, Any] | None:
    answer = await api.worker().post(f"/internal/page-renders/claims?wait={wait}", json={"worker_id": worker})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] | None = answer.json()["task"]
    return found


async def claimed(api: Api, worker: str = WORKER) -> dict[str, Any]:
    found = await claim(api, worker)
    assert found is not None
    return found


async def end(api: Api, page: dict[str, Any], **said: object) -> bool:
    if "code" not in said:
        api.objects.write(page["key"], IMAGE, "image/png")
    answer = await api.worker().post("/internal/page-renders/end", json={"key": page["key"], **said})
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["accepted"])


def ask(api: Api, path: str, client: httpx.AsyncClient | None = None) -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task((client or api.http).get(path))


@pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
async def test_a_page_is_drawn_when_somebody_looks_and_then_found_in_storage(api: Api) -> None:
    path = await item_path(api)
    asked = ask(api, f"{path}/2/image?width=700")
    page = await claimed(api)
    assert page["key"] == f"results/{api.customer.customer_id}/res_1/pages/2-800.png"
    assert (page["page_no"], page["width"], page["size_bytes"]) == (2, 800, 5)
    assert await end(api, page)
    for answer in (await asked, await api.http.get(f"{path}/2/image?width=800")):
        assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
        assert api.objects.get_through(answer.headers["location"]).body == IMAGE
    assert await claim(api, wait=0) is None


@pytest.mark.parametrize(
    ("query", "width"),
    [("", 1200), ("?width=100", 200), ("?width=200", 200), ("?width=201", 400), ("?width=2400", 2400)],
)
async def test_widths_are_a_few_and_never_narrower_than_asked(api: Api, query: str, width: int) -> None:
    asked = ask(api, f"{await item_path(api)}/1/image{query}")
    page = await claimed(api)
    assert page["width"] == width
    await end(api, page)
    assert (await asked).status_code == 302


@pytest.mark.parametrize("end_of", ["1/image?width=99", "1/image?width=2401", "1/image?width=x", "x/image"])
async def test_what_makes_no_sense_is_a_422(api: Api, end_of: str) -> None:
    assert (await api.http.get(f"{await item_path(api)}/{end_of}")).status_code == 422


async def test_two_who_ask_at_the_same_time_wait_for_one_drawing(api: Api) -> None:
    path = await item_path(api)
    first, second = ask(api, f"{path}/1/image"), ask(api, f"{path}/1/image")
    page = await claimed(api)
    third = ask(api, f"{path}/1/image")
    assert await claim(api, wait=0.2) is None
    await end(api, page)
    assert [answer.status_code for answer in await asyncio.gather(first, second, third)] == [302] * 3


@pytest.mark.parametrize("number", ["0", "-1", "4", "99999999999999999999"])
async def test_a_page_that_is_not_there_is_a_404(api: Api, number: str) -> None:
    answer = await api.http.get(f"{await item_path(api)}/{number}/image")
    assert (answer.status_code, answer.json()["error"]) == (404, "item_not_found")


async def test_an_unknown_batch_or_item_is_a_404_also_for_a_stranger(api: Api) -> None:
    path = await item_path(api)
    batch, item = path.split("/")[3], path.split("/")[5]
    for client, asked, code in (
        (api.http, f"/v1/batches/batch_x/items/{item}/pages/1/image", "batch_not_found"),
        (api.http, f"/v1/batches/{batch}/items/item_x/pages/1/image", "item_not_found"),
        (api.stranger(), f"{path}/1/image", "batch_not_found"),
    ):
        answer = await client.get(asked)
        assert (answer.status_code, answer.json()["error"]) == (404, code)
    assert (await api.client().get(f"{path}/1/image")).status_code == 401


async def test_an_item_without_a_result_is_a_409(api: Api) -> None:
    batch_id = await api.batch(2)
    api.finish_all(batch_id, failed())
    for item in api.items(batch_id):
        answer = await api.http.get(f"/v1/batches/{batch_id}/items/{item.item_id}/pages/1/image")
        assert (answer.status_code, answer.json()["error"]) == (409, "result_not_ready")
        assert answer.json()["status"] == item.status.value


@pytest.mark.parametrize("ledger", ["memory", "duckdb"], indirect=True)
async def test_a_page_is_gone_from_the_very_second_its_result_expires(api: Api) -> None:
    api.clock.shift = -timedelta(hours=72)
    path = await item_path(api)
    api.objects.write(keys.drawn_page_key(api.customer.customer_id, RESULT, 1, 200), IMAGE, "image/png")
    answer = await api.http.get(f"{path}/1/image?width=200")
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")


async def test_a_file_that_was_deleted_has_the_pages_that_were_drawn_and_no_more(api: Api) -> None:
    path = await item_path(api)
    asked = ask(api, f"{path}/1/image")
    await end(api, await claimed(api))
    assert (await asked).status_code == 302
    (item,) = api.items(api.batches()[0].batch_id)
    assert (await api.http.delete(f"/v1/files/{item.file_id}")).status_code in (200, 202, 204)
    answer = await api.http.get(f"{path}/2/image")
    assert (answer.status_code, answer.json()["error"]) == (404, "file_not_found")
    assert answer.json()["file_ids"] == [item.file_id]
    assert (await api.http.get(f"{path}/1/image")).status_code == 302


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("no_page_images", 422),
        ("page_not_drawn", 422),
        ("file_not_found", 404),
        ("result_expired", 410),
        ("storage_unavailable", 503),
        ("internal_error", 500),
        ("never_heard_of", 500),
    ],
)
async def test_what_a_drawing_came_to_is_the_answer(api: Api, code: str, status: int) -> None:
    asked = ask(api, f"{await item_path(api)}/1/image")
    await end(api, await claimed(api), code=code, message="what to do")
    answer = await asked
    assert (answer.status_code, answer.json()["message"]) == (status, "what to do")
    assert answer.json()["error"] == (code if code != "never_heard_of" else "internal_error")
    assert ("file_ids" in answer.json()) == (code == "file_not_found")


async def test_too_many_drawings_are_a_429_for_their_customer_and_for_all(api: Api) -> None:
    renders = api.service.page_renders
    renders.limit_per_customer, renders.limit = 2, 3
    path = await item_path(api)
    asked = [ask(api, f"{path}/{number}/image") for number in (1, 2)]
    pages = [await claimed(api), await claimed(api)]
    answer = await api.http.get(f"{path}/3/image")
    assert (answer.status_code, answer.json()["error"]) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) == answer.json()["retry_after_seconds"] > 0
    asked.append(ask(api, f"{path}/1/image"))
    renders.limit_per_customer, renders.limit = 9, 2
    assert (await api.http.get(f"{path}/3/image")).status_code == 429
    for page in pages:
        await end(api, page)
    assert [answer.status_code for answer in await asyncio.gather(*asked)] == [302] * 3


async def test_who_waits_too_long_is_told_504_and_what_waits_is_forgotten(api: Api) -> None:
    api.service.page_renders.seconds = 0.2
    answer = await api.http.get(f"{await item_path(api)}/1/image")
    assert (answer.status_code, answer.json()["error"]) == (504, "drawing_timeout")
    assert api.service.page_renders.broker.jobs == []
    assert await claim(api, wait=0) is None


async def test_a_drawing_whose_askers_are_gone_is_kept_for_the_next(api: Api) -> None:
    path = await item_path(api)
    api.service.page_renders.seconds = 0.5
    asked = ask(api, f"{path}/1/image")
    page = await claimed(api)
    assert (await asked).status_code == 504
    again = ask(api, f"{path}/1/image")
    assert await claim(api, wait=0.1) is None
    assert await end(api, page)
    assert (await again).status_code == 302


async def test_a_drawing_that_no_word_comes_of_is_forgotten(api: Api) -> None:
    path = await item_path(api)
    api.service.page_renders.seconds = 0.1
    asked = ask(api, f"{path}/1/image")
    page = await claimed(api)
    assert (await asked).status_code == 504
    async with asyncio.timeout(60):
        while api.service.page_renders.broker.jobs:
            await asyncio.sleep(0.01)
    assert not await end(api, page)


async def test_another_worker_takes_over_from_one_that_is_lost(api: Api) -> None:
    asked = ask(api, f"{await item_path(api)}/1/image")
    first = await claimed(api, "lost/1")
    api.service.workers.forget(WorkerId("lost/1"))
    api.service.workers._since -= 1000
    second = await claimed(api, "other/1")
    assert second == first
    await end(api, second)
    assert (await asked).status_code == 302
    assert not await end(api, first)


async def test_customers_take_turns(api: Api) -> None:
    path = await item_path(api)
    other, key = add_customer(api.ledger, "other")
    asked = [ask(api, f"{path}/{number}/image") for number in (1, 2)]
    first = await claimed(api)
    client = client_of(api.app, {"X-API-KEY": key})
    staged = (await client.post("/v1/files", json={"size_bytes": 5})).json()
    api.objects.put_through(staged["upload"]["url"], b"bytes")
    batch = (await client.post("/v1/batches", json={"source": {"file_ids": [staged["id"]]}})).json()
    api.finish_all(batch["id"], succeeded())
    (item,) = api.items(batch["id"])
    asked.append(ask(api, f"/v1/batches/{batch['id']}/items/{item.item_id}/pages/1/image", client))
    async with asyncio.timeout(60):
        while len(api.service.page_renders.broker.jobs) < 3:
            await asyncio.sleep(0.01)
    second = await claimed(api)
    assert second["customer_id"] == other.customer_id
    for page in (first, second, await claimed(api)):
        await end(api, page)
    assert [answer.status_code for answer in await asyncio.gather(*asked)] == [302] * 3
    await client.aclose()


async def test_a_page_drawn_while_its_result_went_goes_with_it(api: Api) -> None:
    asked = ask(api, f"{await item_path(api)}/1/image")
    page = await claimed(api)
    (batch,) = api.batches()
    assert (await api.http.delete(f"/v1/batches/{batch.batch_id}")).status_code in (200, 202, 204)
    await end(api, page)
    answer = await asked
    assert (answer.status_code, answer.json()["error"]) == (410, "result_expired")
    assert list(api.objects.list("results/")) == []


async def test_storage_that_is_down_is_a_503(api: Api) -> None:
    path = await item_path(api)
    api.objects.available = False
    answer = await api.http.get(f"{path}/1/image")
    assert (answer.status_code, answer.json()["error"]) == (503, "storage_unavailable")
    assert "retry-after" in answer.headers


async def test_only_workers_hear_of_pages_to_draw(api: Api) -> None:
    for path in ("/internal/page-renders/claims?wait=0", "/internal/page-renders/end"):
        assert (await api.http.post(path, json={"worker_id": WORKER, "key": "x"})).status_code == 401
