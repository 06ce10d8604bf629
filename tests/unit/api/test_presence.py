"""Which workers are there, and the bell that wakes them."""

import asyncio

import pytest

from api.orchestrator.further_runs import WorkerRoom
from api.presence import Presence
from octavo.identifiers import WorkerId

pytestmark = pytest.mark.anyio
WORKER = WorkerId("worker/1")
SOON = 10.0


async def test_a_worker_that_was_heard_is_there() -> None:
    presence = Presence(silence_seconds=60)
    assert presence.workers() == []
    presence.hear(WORKER)
    assert presence.workers() == [WORKER]
    assert not presence.is_silent(WORKER)


async def test_a_worker_that_was_never_heard_is_given_its_time_from_the_start() -> None:
    assert not Presence(silence_seconds=60).is_silent(WORKER)
    assert Presence(silence_seconds=-1).is_silent(WORKER)


async def test_a_worker_that_says_nothing_for_too_long_is_gone() -> None:
    presence = Presence(silence_seconds=-1)
    presence.hear(WORKER)
    assert presence.is_silent(WORKER)
    assert presence.workers() == []


async def test_a_worker_that_left_is_gone_at_once() -> None:
    presence = Presence(silence_seconds=60)
    presence.hear(WORKER)
    presence.forget(WORKER)
    presence.forget(WORKER)
    assert presence.workers() == []


async def test_the_walls_of_a_worker_are_known_until_it_leaves() -> None:
    presence = Presence(silence_seconds=60)
    presence.hear(WORKER, protection=("limits", "seccomp"))
    presence.hear(WORKER)
    assert presence.protection(WORKER) == ("limits", "seccomp")
    presence.forget(WORKER)
    assert presence.protection(WORKER) == ()


async def test_the_bell_wakes_everybody_who_waits() -> None:
    presence = Presence(silence_seconds=60)
    waiting = [asyncio.create_task(presence.wait(0, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    await presence.ring()
    assert await asyncio.wait_for(asyncio.gather(*waiting), SOON) == [1, 1, 1]


async def test_a_ring_that_was_not_heard_is_not_missed() -> None:
    presence = Presence(silence_seconds=60)
    await presence.ring()
    await presence.ring()
    assert await asyncio.wait_for(presence.wait(0, 60), SOON) == 2
    assert presence.rings == 2


async def test_without_a_ring_the_wait_ends_with_its_time() -> None:
    assert await asyncio.wait_for(Presence(silence_seconds=60).wait(0, 0.01), SOON) == 0


# What workers can hold


def free(presence: Presence, **held: int) -> dict[str, tuple[int, bool]]:
    rooms = presence.rooms({WorkerId(name): lanes for name, lanes in held.items()})
    return {room.worker_id: (room.free, room.takes_runs) for room in rooms}


async def test_a_worker_has_room_for_what_it_told_less_what_it_holds() -> None:
    presence = Presence(silence_seconds=60)
    presence.hear(WorkerId("untold"))
    presence.hear(WorkerId("worker"), slots=8)
    presence.listens(WorkerId("worker"))
    presence.hear(WorkerId("worker"))
    assert free(presence, worker=3) == {"worker": (5, True)}
    assert free(presence, worker=9) == {"worker": (0, True)}


async def test_a_worker_that_does_not_wait_for_runs_takes_none() -> None:
    presence = Presence(silence_seconds=60)
    presence.hear(WorkerId("process"), slots=8)
    assert free(presence) == {"process": (8, False)}


async def test_a_worker_that_drains_has_no_room_and_takes_no_runs() -> None:
    presence = Presence(silence_seconds=60)
    presence.hear(WORKER, slots=8)
    presence.listens(WORKER)
    presence.takes_no_more(WORKER)
    assert presence.rooms({}) == [WorkerRoom(WORKER, 0, takes_runs=False)]
    presence.forget(WORKER)
    assert presence.rooms({}) == []


async def test_workers_that_come_and_runs_that_are_made_are_news() -> None:
    presence = Presence(silence_seconds=60)
    assert not await presence.wait_for_news(0.01)
    presence.hear(WORKER, slots=8)
    assert await asyncio.wait_for(presence.wait_for_news(60), SOON)
    presence.listens(WORKER)
    assert await asyncio.wait_for(presence.wait_for_news(60), SOON)
    presence.hear(WORKER, slots=8)
    presence.listens(WORKER)
    assert not await presence.wait_for_news(0.01), "heard again, it is nothing new"
    await presence.ring()
    assert await asyncio.wait_for(presence.wait_for_news(60), SOON)


async def test_a_process_that_was_away_gives_everybody_their_time_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: moment)
    presence = Presence(silence_seconds=10)
    presence.hear(WORKER)
    moment = 1030.0
    assert presence.is_silent(WORKER)
    presence.was_away()
    assert not presence.is_silent(WORKER)
    assert not presence.is_listening
    moment = 1041.0
    assert presence.is_silent(WORKER)
    assert presence.is_listening
