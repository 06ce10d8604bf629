"""Which workers are alive, and the notifications that wake them."""

import asyncio

import pytest

from api.orchestrator.further_runs import WorkerCapacity
from api.workers.registry import WorkerRegistry
from octavo.identifiers import WorkerId

pytestmark = pytest.mark.anyio
WORKER = WorkerId("worker/1")
SOON = 45.0


async def test_a_worker_that_was_heard_is_there() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    assert workers.alive() == []
    workers.heartbeat(WORKER)
    assert workers.alive() == [WORKER]
    assert not workers.is_silent(WORKER)


async def test_a_worker_that_was_never_heard_is_given_its_time_from_the_start() -> None:
    assert not WorkerRegistry(silence_seconds=60).is_silent(WORKER)
    assert WorkerRegistry(silence_seconds=-1).is_silent(WORKER)


async def test_a_worker_that_says_nothing_for_too_long_is_gone() -> None:
    workers = WorkerRegistry(silence_seconds=-1)
    workers.heartbeat(WORKER)
    assert workers.is_silent(WORKER)
    assert workers.alive() == []


async def test_a_worker_that_left_is_gone_at_once() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    workers.heartbeat(WORKER)
    workers.forget(WORKER)
    workers.forget(WORKER)
    assert workers.alive() == []


async def test_the_walls_of_a_worker_are_known_until_it_leaves() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    workers.heartbeat(WORKER, protection=("limits", "seccomp"))
    workers.heartbeat(WORKER)
    assert workers.protection(WORKER) == ("limits", "seccomp")
    workers.forget(WORKER)
    assert workers.protection(WORKER) == ()


async def test_the_bell_wakes_everybody_who_waits() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    waiting = [asyncio.create_task(workers.wait(0, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    await workers.notify()
    assert await asyncio.wait_for(asyncio.gather(*waiting), SOON) == [1, 1, 1]


async def test_a_ring_that_was_not_heard_is_not_missed() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    await workers.notify()
    await workers.notify()
    assert await asyncio.wait_for(workers.wait(0, 60), SOON) == 2
    assert workers.notifications == 2


async def test_without_a_ring_the_wait_ends_with_its_time() -> None:
    assert await asyncio.wait_for(WorkerRegistry(silence_seconds=60).wait(0, 0.01), SOON) == 0


# What workers can hold


def free(workers: WorkerRegistry, **held: int) -> dict[str, tuple[int, bool]]:
    rooms = workers.capacities({WorkerId(name): lanes for name, lanes in held.items()})
    return {room.worker_id: (room.free, room.takes_runs) for room in rooms}


async def test_a_worker_has_room_for_what_it_told_less_what_it_holds() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    workers.heartbeat(WorkerId("untold"))
    workers.heartbeat(WorkerId("worker"), slots=8)
    workers.accepts_runs(WorkerId("worker"))
    workers.heartbeat(WorkerId("worker"))
    assert free(workers, worker=3) == {"worker": (5, True)}
    assert free(workers, worker=9) == {"worker": (0, True)}


async def test_a_worker_that_does_not_wait_for_runs_takes_none() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    workers.heartbeat(WorkerId("process"), slots=8)
    assert free(workers) == {"process": (8, False)}


async def test_a_worker_that_drains_has_no_room_and_takes_no_runs() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    workers.heartbeat(WORKER, slots=8)
    workers.accepts_runs(WORKER)
    workers.drains(WORKER)
    assert workers.capacities({}) == [WorkerCapacity(WORKER, 0, takes_runs=False)]
    workers.forget(WORKER)
    assert workers.capacities({}) == []


async def test_workers_that_come_and_runs_that_are_made_are_news() -> None:
    workers = WorkerRegistry(silence_seconds=60)
    assert not await workers.wait_for_change(0.01)
    workers.heartbeat(WORKER, slots=8)
    assert await asyncio.wait_for(workers.wait_for_change(60), SOON)
    workers.accepts_runs(WORKER)
    assert await asyncio.wait_for(workers.wait_for_change(60), SOON)
    workers.heartbeat(WORKER, slots=8)
    workers.accepts_runs(WORKER)
    assert not await workers.wait_for_change(0.01), "heard again, it is nothing new"
    await workers.notify()
    assert await asyncio.wait_for(workers.wait_for_change(60), SOON)


async def test_a_process_that_was_away_gives_everybody_their_time_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: moment)
    workers = WorkerRegistry(silence_seconds=10)
    workers.heartbeat(WORKER)
    moment = 1030.0
    assert workers.is_silent(WORKER)
    workers.was_silent()
    assert not workers.is_silent(WORKER)
    assert not workers.is_listening
    moment = 1041.0
    assert workers.is_silent(WORKER)
    assert workers.is_listening
