"""How long a batch still takes and why its items wait: told where it is known, from memory."""

from dataclasses import dataclass

import pytest

from api.workers.registry import WorkerRegistry
from octavo.batch_options import BatchOptions
from octavo.batches import Batch, BatchStatus, Counts
from octavo.identifiers import BatchId, CustomerId
from octavo.ledger.contract import OpenBatch
from octavo.ledger.duckdb import memory_ledger
from octavo.service import estimates
from octavo.service.estimates import Estimates
from octavo.timestamps import now
from tests.unit.api.service import WORKER, Api, succeeded

pytestmark = pytest.mark.anyio


def batch(status: BatchStatus = BatchStatus.RUNNING, **counts: int) -> Batch:
    moment = now()
    return Batch(
        batch_id=BatchId("batch_1"),
        customer_id=CustomerId("cust_1"),
        status=status,
        counts=Counts(**counts),
        total_items=Counts(**counts).total,
        engine=None,
        options=BatchOptions(),
        metadata=None,
        priority=60,
        retention_seconds=3600,
        cancel_requested_at=None,
        created_at=moment,
        started_at=moment,
        completed_at=None,
        expires_at=moment,
    )


@dataclass
class Paused:
    is_paused: bool


def fresh() -> Estimates:
    return Estimates(memory_ledger(), WorkerRegistry(silence_seconds=10), Paused(is_paused=False))


def seen(by: Estimates, found: Batch, moment: float) -> None:
    by.observe([OpenBatch(batch=found, unleased=0, runs=())], moment)


def test_an_estimate_is_what_is_left_at_the_pace_of_the_last_items() -> None:
    found = fresh()
    seen(found, batch(pending=92, running=8), 100.0)
    assert found.eta_seconds(batch(pending=92, running=8), 100.0) is None
    now_done = batch(pending=82, running=8, succeeded=9, failed=1)
    seen(found, now_done, 105.0)
    assert found.eta_seconds(now_done, 105.0) == 45
    # Nothing more for five seconds: it will take longer.
    assert found.eta_seconds(now_done, 110.0) == 90


def test_nothing_is_said_before_a_few_items_have_finished() -> None:
    found = fresh()
    seen(found, batch(pending=10, running=8), 0.0)
    assert found.eta_seconds(batch(pending=8, running=8, succeeded=2), 10.0) is None
    assert found.eta_seconds(batch(pending=7, running=8, succeeded=3), 10.0) == 50


def test_time_in_the_queue_is_not_counted() -> None:
    found = fresh()
    seen(found, batch(BatchStatus.PENDING, pending=10), 0.0)
    seen(found, batch(pending=9, running=1), 1000.0)
    assert found.eta_seconds(batch(pending=4, running=1, succeeded=5), 1010.0) == 10


def test_the_pace_is_that_of_the_last_while() -> None:
    found = fresh()
    for second in range(200):
        done = second if second < 100 else 100 + 10 * (second - 100)
        seen(found, batch(pending=10_000 - done, running=1, succeeded=done), float(second))
    estimate = found.eta_seconds(batch(pending=8_909, running=1, succeeded=1_090), 199.0)
    assert estimate is not None
    assert 880 <= estimate <= 920


@pytest.mark.parametrize("status", [one for one in BatchStatus if one is not BatchStatus.RUNNING])
def test_only_a_running_batch_has_an_estimate(status: BatchStatus) -> None:
    found = fresh()
    seen(found, batch(pending=10, running=1), 0.0)
    assert found.eta_seconds(batch(status, pending=1, running=1, succeeded=9), 10.0) is None


def test_after_a_retry_the_pace_is_measured_anew() -> None:
    found = fresh()
    seen(found, batch(running=1, failed=10), 0.0)
    seen(found, batch(pending=10, running=1), 1000.0)
    assert found.eta_seconds(batch(pending=7, running=0, succeeded=4), 1004.0) == 7


def test_batches_that_are_over_are_forgotten() -> None:
    found = fresh()
    seen(found, batch(pending=10, running=1), 0.0)
    found.observe([], 1.0)
    assert found.eta_seconds(batch(pending=1, succeeded=9, running=1), 10.0) is None


# Why items wait


async def reasons(api: Api, batch_id: str) -> list[str | None]:
    body = (await api.http.get(f"/v1/batches/{batch_id}")).json()
    items = sorted(body["items"], key=lambda item: int(item["position"]))
    return [body["reason"], *(item["reason"] for item in items)]


async def test_without_a_worker_everything_waits_for_one(api: Api) -> None:
    assert await reasons(api, await api.batch(2)) == ["waiting_for_worker"] * 3


async def test_items_are_queued_where_there_is_a_worker_and_room(api: Api) -> None:
    api.service.workers.heartbeat(WORKER, slots=16)
    assert await reasons(api, await api.batch(1)) == ["queued"] * 2


async def test_items_beyond_the_cap_wait_for_it_and_those_a_worker_has_wait_for_the_worker(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.service.workers.heartbeat(WORKER, slots=16)
    batch_id = await api.batch(10)
    monkeypatch.setattr(estimates, "SLOTS_SECONDS", -1.0)
    (first, *_) = api.claim(batch_id, 8).slices
    api.begin(first.items[0])
    assert await reasons(api, batch_id) == ["customer_cap", None, *["waiting_for_worker"] * 7, *["customer_cap"] * 2]


async def test_what_does_not_wait_has_no_reason(api: Api) -> None:
    batch_id = await api.batch(1)
    api.finish_all(batch_id, succeeded())
    assert await reasons(api, batch_id) == [None, None]
