"""`GET /v1/batches/{id}?wait=S`: answered when something has changed, without polling the ledger."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any

import httpx
import pytest

from octavo.identifiers import BatchId
from tests.unit.api.service import Api, failed, succeeded
from tests.unit.api.serving import served
from tests.unit.api.v1.test_results import BOTH

pytestmark = pytest.mark.anyio
LONG = 50
SOON_SECONDS = 40.0


async def ask(api: Api, batch_id: str, wait: float = LONG, cursor: str | None = None) -> httpx.Response:
    given: dict[str, Any] = {"wait": wait} | ({"cursor": cursor} if cursor else {})
    return await api.http.get(f"/v1/batches/{batch_id}", params=given)


async def seen(api: Api, batch_id: str) -> str:
    """Return the cursor after all that can be seen now."""
    return str((await api.http.get(f"/v1/batches/{batch_id}")).json()["next_cursor"])


async def until(condition: Any) -> None:  # noqa: ANN401 - anything that can be called
    limit = time.monotonic() + SOON_SECONDS
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def waiting(api: Api, *requests: Coroutine[Any, Any, httpx.Response]) -> Any:  # noqa: ANN401 - tasks
    tasks = [asyncio.create_task(request) for request in requests]
    await until(lambda: api.service.long_polls.waiting == len(tasks))
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def answered(task: "asyncio.Task[httpx.Response]") -> dict[str, Any]:
    answer = await asyncio.wait_for(task, SOON_SECONDS)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@BOTH
async def test_a_poll_that_waits_is_answered_by_the_change_it_waits_for(api: Api) -> None:
    batch_id = await api.batch(2)
    cursor = await seen(api, batch_id)
    async with waiting(api, ask(api, batch_id, cursor=cursor)) as (task,):
        (piece,) = api.claim(batch_id, 1).slices
        await asyncio.sleep(0)
        assert not task.done(), "a lease is nothing that anybody sees"
        await asyncio.to_thread(api.begin, piece.items[0])
        found = await answered(task)
    assert [(item["position"], item["status"]) for item in found["items"]] == [(0, "running")]
    assert found["status"] == "running"
    assert found["next_cursor"] != cursor


@BOTH
async def test_a_poll_that_waits_is_answered_by_the_end_of_the_batch(api: Api) -> None:
    batch_id = await api.batch(1)
    cursor = await seen(api, batch_id)
    async with waiting(api, ask(api, batch_id, cursor=cursor)) as (task,):
        assert (await api.http.post(f"/v1/batches/{batch_id}/cancel")).status_code == 200
        found = await answered(task)
    assert (found["status"], found["next_cursor"]) == ("cancelled", None)


async def test_what_has_changed_already_is_answered_at_once(api: Api) -> None:
    batch_id = await api.batch(2)
    found = await answered(asyncio.create_task(ask(api, batch_id)))
    assert len(found["items"]) == 2
    api.finish_all(batch_id, succeeded(), succeeded())
    cursor = (await api.http.get(f"/v1/batches/{batch_id}", params={"limit": 1})).json()["next_cursor"]
    last = await answered(asyncio.create_task(ask(api, batch_id, cursor=cursor)))
    assert last["status"] == "completed"


async def test_without_news_the_answer_is_the_same_as_now_when_the_time_is_over(api: Api) -> None:
    batch_id = await api.batch(1)
    cursor = await seen(api, batch_id)
    began = time.monotonic()
    waited = (await ask(api, batch_id, 0.2, cursor)).json()
    assert time.monotonic() - began >= 0.2
    assert waited == (await ask(api, batch_id, 0, cursor)).json()
    assert (waited["items"], waited["next_cursor"]) == ([], cursor)


async def test_changes_of_other_batches_wake_nobody(api: Api) -> None:
    batch_id, other = await api.batch(1), await api.batch(1)
    cursor = await seen(api, batch_id)
    async with waiting(api, ask(api, batch_id, cursor=cursor)) as (task,):
        api.finish_all(other, succeeded())
        await api.http.get("/health")
        assert not task.done()
        api.finish_all(batch_id, succeeded())
        assert (await answered(task))["status"] == "completed"


@BOTH
async def test_hundreds_may_wait_and_hold_no_thread(api: Api) -> None:
    batch_id = await api.batch(2)
    cursor = await seen(api, batch_id)
    before = threading.active_count()
    async with waiting(api, *(ask(api, batch_id, cursor=cursor) for _ in range(300))) as tasks:
        await api.upload()
        assert threading.active_count() - before < 50
        assert not any(task.done() for task in tasks)
        api.finish_all(batch_id, failed(), succeeded())
        bodies = [await answered(task) for task in tasks]
    assert {len(body["items"]) for body in bodies} <= {1, 2}
    assert api.service.long_polls.waiting == 0


async def test_a_batch_that_does_not_exist_or_is_not_yours_is_not_waited_for(api: Api) -> None:
    batch_id = await api.batch(1)
    for client, asked in ((api.http, "batch_nobody"), (api.stranger(), batch_id)):
        answer = await client.get(f"/v1/batches/{asked}", params={"wait": LONG})
        assert (answer.status_code, answer.json()["error"]) == (404, "batch_not_found")
    assert api.service.long_polls.waiting == 0


@pytest.mark.parametrize("wait", ["-1", "61", "soon", "nan", "inf"])
async def test_a_wait_outside_0_to_60_seconds_is_refused(api: Api, wait: str) -> None:
    batch_id = await api.batch(1)
    answer = await api.http.get(f"/v1/batches/{batch_id}", params={"wait": wait})
    assert answer.status_code == 422


async def test_polls_are_answered_when_the_process_ends(api: Api) -> None:
    batch_id = await api.batch(1)
    cursor = await seen(api, batch_id)
    async with waiting(api, ask(api, batch_id, cursor=cursor)) as (task,):
        api.service.long_polls.close()
        assert (await answered(task))["status"] == "pending"
    assert (await ask(api, batch_id, cursor=cursor)).json()["items"] == []


@pytest.fixture
def address(api: Api) -> Iterator[str]:
    with served(api.app) as url:
        yield url


async def test_a_client_that_goes_away_ends_its_wait(api: Api, address: str) -> None:
    batch_id = BatchId(await api.batch(1))
    cursor = await seen(api, batch_id)
    async with httpx.AsyncClient(base_url=address, headers={"X-API-KEY": api.key}, trust_env=False) as client:
        with contextlib.suppress(httpx.ReadTimeout):
            asking = client.get(f"/v1/batches/{batch_id}", params={"wait": LONG, "cursor": cursor}, timeout=1.0)
            task = asyncio.create_task(asking)
            await until(lambda: api.service.long_polls.waiting == 1)
            await task
    await until(lambda: api.service.long_polls.waiting == 0)
