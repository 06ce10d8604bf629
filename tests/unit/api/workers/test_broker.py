"""The broker by itself: who gets which work, who loses it, and when it is dropped."""

import asyncio
from collections.abc import Callable

import pytest

from api.workers import broker as brokers
from api.workers.broker import Broker, Job
from api.workers.registry import WorkerRegistry
from octavo.errors import FetchFailed, InternalError, StaleLease
from octavo.identifiers import CustomerId, WorkerId

pytestmark = pytest.mark.anyio
ACME, OTHER = CustomerId("acme"), CustomerId("other")
ONE, TWO = WorkerId("one/1"), WorkerId("two/1")


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "LOOK_SECONDS", 0.01)


@pytest.fixture
def workers() -> WorkerRegistry:
    return WorkerRegistry(silence_seconds=60)


async def waiting(broker: Broker[str, str], *jobs: Job[str, str], seconds: float = 5) -> list["asyncio.Task[str]"]:
    """Wait for each of these jobs in a task of its own, which has begun to wait."""
    tasks = [asyncio.create_task(broker.wait(job, seconds)) for job in jobs]
    await asyncio.sleep(0)
    return tasks


async def claimed(
    broker: Broker[str, str], worker_id: WorkerId = ONE, lease_seconds: float | None = None
) -> Job[str, str]:
    job = await broker.claim(worker_id, 5, lease_seconds=lease_seconds)
    assert job is not None
    return job


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.005)


def silence(workers: WorkerRegistry, worker_id: WorkerId) -> None:
    workers.forget(worker_id)
    workers._since -= 1000


async def test_work_goes_to_the_worker_that_asks_and_its_answer_to_everyone_who_waits(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=False)
    asking = asyncio.create_task(claimed(broker))
    job = broker.add("job", ACME, "the task")
    both = await waiting(broker, job, job)
    assert (await asking).task == "the task"
    broker.leased("job", 1).succeed("the answer")
    assert await asyncio.gather(*both) == ["the answer"] * 2
    assert broker.jobs == []


async def test_an_error_is_raised_for_whoever_waits(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=True)
    job = broker.add("job", ACME, "")
    (asking,) = await waiting(broker, job)
    await claimed(broker)
    broker.leased("job", 1).fail(FetchFailed("no answer"))
    with pytest.raises(FetchFailed):
        await asking


async def test_the_customer_with_the_fewest_in_work_comes_first_then_who_has_waited_longest(
    workers: WorkerRegistry,
) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=False)
    for number in range(3):
        broker.add(f"acme {number}", ACME, "")
    broker.add("other 0", OTHER, "")
    assert [(await claimed(broker)).job_id for _ in range(4)] == ["acme 0", "other 0", "acme 1", "acme 2"]


async def test_a_silent_worker_loses_its_work_to_the_next_and_its_word_is_stale(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=False)
    (asking,) = await waiting(broker, broker.add("job", ACME, ""))
    await claimed(broker, ONE)
    silence(workers, ONE)
    again = await claimed(broker, TWO)
    assert (again.job_id, again.attempt) == ("job", 2)
    with pytest.raises(StaleLease):
        broker.leased("job", 1)
    broker.leased("job", 2).succeed("late but there")
    assert await asking == "late but there"


async def test_work_that_costs_too_many_workers_is_an_internal_error(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=False)
    (asking,) = await waiting(broker, broker.add("job", ACME, ""))
    for number in range(brokers.MAX_ATTEMPTS):
        worker_id = WorkerId(f"lost/{number}")
        await claimed(broker, worker_id)
        silence(workers, worker_id)
    with pytest.raises(InternalError):
        await asking


async def test_a_lease_that_runs_out_gives_the_work_to_another(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=True)
    (asking,) = await waiting(broker, broker.add("job", ACME, ""))
    await claimed(broker, ONE, lease_seconds=0.02)
    again = await claimed(broker, TWO)
    assert again.attempt == 2
    again.succeed("done")
    assert await asking == "done"


@pytest.mark.parametrize("outlives_askers", [False, True])
async def test_work_nobody_waits_for_is_dropped_unless_it_has_begun_and_may_outlive_them(
    workers: WorkerRegistry, outlives_askers: bool
) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=outlives_askers)
    (first,) = await waiting(broker, broker.add("begun", ACME, ""))
    begun = await claimed(broker, lease_seconds=0.1)
    (second,) = await waiting(broker, broker.add("waiting", ACME, ""))
    await until(lambda: [job.askers for job in broker.jobs] == [1, 1])
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert broker.jobs == ([begun] if outlives_askers else [])
    assert await broker.watch("begun", 1, 0) is outlives_askers
    await until(lambda: not broker.jobs)


async def test_a_worker_that_watches_hears_at_once_that_nobody_waits_any_more(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=False)
    (asking,) = await waiting(broker, broker.add("job", ACME, ""))
    await claimed(broker)
    watching = asyncio.create_task(broker.watch("job", 1, 60))
    asking.cancel()
    assert not await asyncio.wait_for(watching, 5)


async def test_a_time_limit_waits_for_an_end_that_is_being_recorded(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=False)
    recorded, never = await waiting(
        broker, broker.add("recorded", ACME, ""), broker.add("never", ACME, ""), seconds=0.05
    )
    job = await claimed(broker)
    with job.ending():
        with pytest.raises(StaleLease):
            broker.leased("recorded", 1)
        with pytest.raises(TimeoutError):
            await never
        assert not recorded.done()
    job.succeed("billed")
    assert await recorded == "billed"


async def test_a_broker_that_closes_answers_every_worker_that_waits(workers: WorkerRegistry) -> None:
    broker: Broker[str, str] = Broker(workers, outlives_askers=False)
    asking = asyncio.create_task(broker.claim(ONE, 60))
    await asyncio.sleep(0)
    broker.close()
    assert await asyncio.wait_for(asking, 5) is None
