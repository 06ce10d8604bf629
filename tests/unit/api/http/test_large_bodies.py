"""Large bodies at once are bounded, for the process and for each customer; who has to wait too long is told so."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.http.large_bodies import Bounds, LargeBodies
from octavo.errors import RateLimited, ServiceBusy
from octavo.identifiers import CustomerId
from octavo.ledger.contract import Ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import add_customer, client_of, make_service, settings

pytestmark = pytest.mark.anyio
A, B, C = CustomerId("cust_a"), CustomerId("cust_b"), CustomerId("cust_c")
LARGE = 100_000


def places(*, wait_seconds: float = 0.0) -> LargeBodies:
    return LargeBodies(
        process=Bounds(bodies=3, body_bytes=100), customer=Bounds(bodies=2, body_bytes=60), wait_seconds=wait_seconds
    )


async def test_a_customer_takes_no_more_places_than_allowed_and_leaves_some_to_others() -> None:
    found = places()
    first = await found.take(A, 10)
    await found.take(A, 10)
    with pytest.raises(RateLimited):
        await found.take(A, 10)
    await found.take(B, 10)
    with pytest.raises(ServiceBusy):
        await found.take(C, 10)
    found.give_back(first)
    await found.take(C, 10)
    assert found.in_use == 3


async def test_bytes_are_bounded_as_well_but_one_body_is_always_taken() -> None:
    found = places()
    huge = await found.take(A, 500)
    with pytest.raises(ServiceBusy):
        await found.take(B, 1)
    found.give_back(huge)
    await found.take(A, 50)
    with pytest.raises(RateLimited):
        await found.take(A, 20)
    await found.take(B, 50)


async def test_a_place_that_comes_free_is_given_to_who_waits() -> None:
    found = places(wait_seconds=60)
    held = [await found.take(A, 10), await found.take(A, 10)]
    waiting = asyncio.create_task(found.take(A, 10))
    await asyncio.sleep(0)
    assert not waiting.done()
    found.give_back(held[0])
    assert (await waiting).customer_id == A


async def test_an_unfinished_body_keeps_its_customer_from_sending_more_and_nobody_else(
    ledger: Ledger, tmp_path: Path
) -> None:
    limits = {"large_bodies": 8, "large_body_wait_seconds": 0.05}
    app = create_app(make_service(settings(tmp_path, limits=limits), ledger, MemoryObjects()))
    keys = [add_customer(ledger, name)[1] for name in ("acme", "other")]
    begun, over = [asyncio.Event() for _ in range(2)], asyncio.Event()

    async def never_ending(number: int) -> httpx.Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b" " * LARGE
            begun[number].set()
            await over.wait()
            yield b" "

        async with client_of(app, {"X-API-KEY": keys[0], "Content-Type": "application/json"}) as client:
            return await client.post("/v1/batches", content=pieces())

    async def whole(key: str, size: int = LARGE) -> httpx.Response:
        async with client_of(app, {"X-API-KEY": key, "Content-Type": "application/json"}) as client:
            return await client.post("/v1/batches", content=b" " * size)

    tasks = [asyncio.create_task(never_ending(number)) for number in range(2)]
    await asyncio.gather(*(one.wait() for one in begun))
    refused = await whole(keys[0])
    assert (refused.status_code, refused.json()["error"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await whole(keys[0], size=1000)).status_code == 422, "a small body takes no place"
    assert (await whole(keys[1])).status_code == 422
    over.set()
    assert {answer.status_code for answer in await asyncio.gather(*tasks)} == {422}
    assert (await whole(keys[0])).status_code == 422
