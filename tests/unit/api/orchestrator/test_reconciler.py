"""The reconciler: silent workers lose their leases, and work that nobody does gets a run."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from api.orchestrator.reconciler import PATIENCE, Reconciler, Restarts, is_overdue, needs_run
from octavo.batches import ItemStatus, Run, RunStatus
from octavo.directory import free_port
from octavo.identifiers import BatchId, CustomerId, WorkerId
from octavo.ledger.contract import OpenBatch
from octavo.timestamps import now
from tests.unit.api.service import RUN, WORKER, Api, succeeded

pytestmark = pytest.mark.anyio
SOON = 45.0
OTHER = WorkerId("worker-2/one")


@pytest.fixture
async def away(api: Api) -> AsyncIterator[Api]:
    """Yield an API whose dispatcher runs, and whose orchestrator does not answer."""
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}):
        service = api.service
        loops = [asyncio.create_task(service.dispatcher.run())]
        await asyncio.sleep(0)
        yield api
        for loop in loops:
            loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loop
        await service.dispatcher.close()


def reconciler(api: Api) -> Reconciler:
    service = api.service
    return Reconciler(service.ledger, service.dispatcher, service.workers, service.estimates, service.run_delivery)


async def until(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), SOON)


def open_batch(api: Api, batch_id: str) -> OpenBatch:
    return next(found for found in api.ledger.runs.open_batches() if found.batch.batch_id == batch_id)


async def unseen_batch(api: Api, files: int = 1) -> BatchId:
    """Return a batch as an earlier life of this process has left it: nobody was asked for a run."""
    dispatcher = api.service.dispatcher
    loop, dispatcher._loop = dispatcher._loop, None
    batch_id = await api.batch(files)
    dispatcher._loop = loop
    return batch_id


def a_run(status: RunStatus, age: timedelta) -> Run:
    moment = now()
    return Run(
        batch_id=BatchId("batch_1"),
        customer_id=CustomerId("cust_1"),
        run_no=1,
        run_id=RUN,
        worker_id=None,
        status=status,
        created_at=moment - age,
        seen_at=moment,
    )


async def test_a_batch_needs_a_run_when_items_wait_and_nobody_claims_them(api: Api) -> None:
    found = open_batch(api, await api.batch(2))
    run = a_run(RunStatus.ACTIVE, timedelta())
    assert needs_run(found)
    assert not needs_run(replace(found, unleased=0))
    assert not needs_run(replace(found, runs=(run,)))


async def test_a_run_is_overdue_when_no_worker_opened_it_for_long() -> None:
    moment = now()
    assert is_overdue(a_run(RunStatus.STARTING, PATIENCE + timedelta(seconds=1)), moment)
    assert not is_overdue(a_run(RunStatus.STARTING, PATIENCE - timedelta(seconds=1)), moment)
    for status in (RunStatus.ACTIVE, RunStatus.ENDED, RunStatus.LOST):
        assert not is_overdue(a_run(status, 10 * PATIENCE), moment)


async def test_a_run_that_comes_to_nothing_is_made_again_later_and_later(api: Api) -> None:
    found = open_batch(api, await api.batch(3))
    restarts = Restarts()
    assert restarts.may_start(found, 100.0)
    starts = [
        moment for moment in (100.0 + tenths / 10 for tenths in range(1, 200)) if restarts.may_start(found, moment)
    ]
    pauses = [later - earlier for earlier, later in itertools.pairwise([100.0, *starts])]
    assert pauses == sorted(pauses)
    assert pauses[0] < 3
    assert pauses[-1] > 2 * pauses[0]


async def test_a_run_that_brought_something_about_is_followed_at_once(api: Api) -> None:
    batch_id = await api.batch(3)
    restarts = Restarts()
    assert restarts.may_start(open_batch(api, batch_id), 100.0)
    assert not restarts.may_start(open_batch(api, batch_id), 100.0)
    api.finish_all(batch_id, succeeded())
    assert restarts.may_start(open_batch(api, batch_id), 100.0)


async def test_a_batch_nobody_works_on_gets_one_run(away: Api) -> None:
    batch_id = await away.batch()
    # Submitting has asked for one already; it waits for the orchestrator, and no second one is made.
    await until(lambda: bool(open_batch(away, batch_id).runs))
    for _ in range(3):
        await reconciler(away)._pass()
    (run,) = open_batch(away, batch_id).runs
    assert (run.run_no, run.status, run.run_id) == (1, RunStatus.STARTING, None)
    assert away.service.dispatcher.is_starting(batch_id)


async def test_after_this_process_was_stopped_workers_are_given_time_to_renew_their_leases(away: Api) -> None:
    batch_id = await away.batch()
    workers = away.service.workers
    workers._since -= 1000.0
    (piece,) = away.claim(batch_id).slices
    away.begin(piece.items[0])
    away.clock.shift = timedelta(seconds=91)
    looking = reconciler(away)
    looking._looked -= timedelta(seconds=60)
    await looking._take_from_the_dead()
    (item,) = away.items(batch_id)
    assert item.status is ItemStatus.RUNNING
    workers._since -= 1000.0
    workers.heartbeat(WORKER)
    await looking._take_from_the_dead()
    (item,) = away.items(batch_id)
    assert item.status is ItemStatus.PENDING


async def test_a_silent_worker_loses_its_leases_and_its_batch_gets_a_new_run(away: Api) -> None:
    batch_id = await unseen_batch(away)
    run = away.ledger.runs.add(batch_id)
    away.ledger.runs.name(batch_id, run.run_no, RUN)
    away.ledger.runs.open(RUN, WORKER)
    (piece,) = away.claim(batch_id).slices
    away.begin(piece.items[0])
    await reconciler(away)._pass()
    assert open_batch(away, batch_id).runs[0].run_id == RUN, "a worker is given time to speak up"
    away.service.workers._silence_seconds = -1
    await reconciler(away)._pass()
    (item,) = away.items(batch_id)
    assert (item.status, item.attempts) == (ItemStatus.PENDING, 1)
    assert [lost.run_id for lost in away.ledger.runs.lost()] == [RUN], "the orchestrator is told when it is back"
    await until(lambda: bool(open_batch(away, batch_id).runs))
    (new,) = open_batch(away, batch_id).runs
    assert (new.run_no, new.status) == (2, RunStatus.STARTING)


async def test_a_worker_that_is_heard_keeps_its_leases(away: Api) -> None:
    batch_id = await away.batch()
    (piece,) = away.claim(batch_id).slices
    away.service.workers.heartbeat(WORKER)
    await reconciler(away)._pass()
    assert away.ledger.work.renew(WORKER, [piece.slice_id], 90.0) == []


async def test_leases_that_ran_out_go_back_and_wake_whoever_waits(away: Api) -> None:
    batch_id = await away.batch()
    (piece,) = away.claim(batch_id).slices
    away.service.workers._since -= 1000.0
    away.service.workers.heartbeat(WORKER)
    away.clock.shift = timedelta(seconds=91)
    await reconciler(away)._pass()
    assert away.ledger.work.renew(WORKER, [piece.slice_id], 90.0) == [piece.slice_id]
    assert open_batch(away, batch_id).unleased == 1


async def test_a_pass_that_fails_is_followed_by_another(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.ledger.close()
    loop = asyncio.create_task(reconciler(api).run())
    await until(lambda: "a reconciling pass failed" in caplog.text)
    assert not loop.done()
    loop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await loop


async def test_a_run_that_was_being_made_when_the_process_died_is_made_again_not_another(away: Api) -> None:
    batch_id = await unseen_batch(away)
    away.ledger.runs.add(batch_id)
    await reconciler(away)._pass()
    assert away.service.dispatcher.is_starting(batch_id)
    await reconciler(away)._pass()
    (run,) = open_batch(away, batch_id).runs
    assert run.run_no == 1


# Further runs


async def batch_at_a_full_worker(away: Api, files: int = 4) -> BatchId:
    """Return a batch of which a worker with two slots holds two items."""
    away.ledger.accounts.update_customer(away.customer.customer_id, item_cap=4)
    batch_id = await unseen_batch(away, files)
    away.ledger.runs.name(batch_id, away.ledger.runs.add(batch_id).run_no, RUN)
    away.ledger.runs.open(RUN, WORKER)
    assert len(away.claim(batch_id, 2).slices) == 2
    away.service.workers.heartbeat(WORKER, slots=2)
    away.service.workers.accepts_runs(WORKER)
    return batch_id


async def test_a_worker_that_comes_while_another_is_full_gets_a_further_run_at_once(away: Api) -> None:
    batch_id = await batch_at_a_full_worker(away)
    loop = asyncio.create_task(reconciler(away).run())
    await asyncio.sleep(0)
    away.service.workers.heartbeat(OTHER, slots=2)
    away.service.workers.accepts_runs(OTHER)
    await until(lambda: len(open_batch(away, batch_id).runs) == 2)
    for _ in range(3):
        await reconciler(away)._pass()
    assert [run.run_no for run in open_batch(away, batch_id).runs] == [1, 2], "one for one idle worker"
    loop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await loop


async def test_a_worker_alone_gets_no_further_run(away: Api) -> None:
    batch_id = await batch_at_a_full_worker(away)
    await reconciler(away)._pass()
    assert not away.service.dispatcher.is_starting(batch_id)


async def test_a_customer_at_its_cap_gets_no_further_run(away: Api) -> None:
    batch_id = await batch_at_a_full_worker(away)
    away.ledger.accounts.update_customer(away.customer.customer_id, item_cap=2)
    away.service.workers.heartbeat(OTHER, slots=2)
    away.service.workers.accepts_runs(OTHER)
    await reconciler(away)._pass()
    assert not away.service.dispatcher.is_starting(batch_id)


async def test_a_further_run_that_finds_nothing_is_not_made_again_and_again(api: Api) -> None:
    found = open_batch(api, await api.batch(3))
    shared = replace(found, runs=(a_run(RunStatus.ACTIVE, timedelta()),))
    restarts = Restarts()
    starts = [tenths for tenths in range(300) if restarts.may_start(shared, 100.0 + tenths / 10)]
    assert len(starts) <= 5
    assert restarts.may_start(found, 130.0), "that holds back no run for a batch that has none left"
