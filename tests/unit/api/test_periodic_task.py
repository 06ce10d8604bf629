"""The loop of the API: its period, its wake, its back-off, and what ends it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from api import periodic_task
from api.periodic_task import PeriodicTask
from octavo.errors import LedgerUnavailable, StorageUnavailable

pytestmark = pytest.mark.anyio
logger = logging.getLogger("tests.periodic")
LONG = 3600.0
SOON = 45.0


class Work:
    """Counts its passes; fails with what it is told to, pass by pass, then goes well."""

    def __init__(self, *failures: Exception, wanted: float | None = None) -> None:
        self.passes = 0
        self._failures = list(failures)
        self._wanted = wanted

    async def __call__(self) -> float | None:
        self.passes += 1
        if self._failures:
            raise self._failures.pop(0)
        return self._wanted

    async def until(self, passes: int) -> None:
        async with asyncio.timeout(SOON):
            while self.passes < passes:
                await asyncio.sleep(0.001)


def task(
    work: Callable[[], Awaitable[float | None]], *, survives: bool = False, seconds: float = 0.001
) -> PeriodicTask:
    return PeriodicTask(
        "the work",
        work,
        seconds=seconds,
        longest_pause_seconds=0.002,
        first_pause_seconds=0.001,
        passing=(StorageUnavailable, LedgerUnavailable),
        lasting=(LedgerUnavailable,),
        survives_defects=survives,
        logger=logger,
    )


async def stopped(running: "asyncio.Task[None]") -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_it_repeats_at_its_period() -> None:
    work = Work()
    running = asyncio.create_task(task(work).run())
    await work.until(5)
    await stopped(running)


async def test_it_waits_a_period_first_unless_it_is_to_begin_at_once() -> None:
    late, early = Work(), Work()
    running = [
        asyncio.create_task(task(late, seconds=LONG).run()),
        asyncio.create_task(task(early, seconds=LONG).run(at_once=True)),
    ]
    await early.until(1)
    assert late.passes == 0
    for one in running:
        await stopped(one)


async def test_the_work_says_how_long_the_next_pass_may_wait() -> None:
    work = Work(wanted=0.0)
    running = asyncio.create_task(task(work, seconds=LONG).run(at_once=True))
    await work.until(3)
    await stopped(running)


async def test_a_wake_from_any_thread_ends_the_pause() -> None:
    work = Work()
    repeated = task(work, seconds=LONG)
    running = asyncio.create_task(repeated.run(at_once=True))
    await work.until(1)
    await asyncio.to_thread(repeated.wake)
    await work.until(2)
    await stopped(running)


async def test_a_wake_during_a_pass_is_followed_by_another_pass() -> None:
    gate, passes = asyncio.Event(), []

    async def work() -> None:
        passes.append(1)
        await gate.wait()

    repeated = task(work, seconds=LONG)
    running = asyncio.create_task(repeated.run(at_once=True))
    async with asyncio.timeout(SOON):
        while not passes:
            await asyncio.sleep(0.001)
        repeated.wake()
        gate.set()
        while len(passes) < 2:
            await asyncio.sleep(0.001)
    await stopped(running)


@pytest.mark.parametrize(("starting_seconds", "level"), [(0.0, "WARNING"), (600.0, "INFO")])
async def test_trouble_that_passes_is_tried_again_and_logged_when_it_begins_and_ends(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, starting_seconds: float, level: str
) -> None:
    # While everything is being started, parts are missing, and nobody need be warned.
    monkeypatch.setattr(periodic_task, "STARTING_SECONDS", starting_seconds)
    caplog.set_level(logging.INFO)
    work = Work(*[StorageUnavailable("It is off.") for _ in range(3)], LedgerUnavailable("It is full."))
    repeated = task(work, seconds=LONG)
    running = asyncio.create_task(repeated.run(at_once=True))
    await work.until(5)
    await asyncio.sleep(0)
    assert repeated.trouble is None
    assert [
        (record.levelname, "It is" in record.message) for record in caplog.records if record.name == logger.name
    ] == [
        (level, True),
        ("ERROR", True),
        ("INFO", False),
    ]
    await stopped(running)


async def test_a_part_that_is_still_missing_after_the_start_is_warned_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    work = Work(*[StorageUnavailable("It is off.") for _ in range(20)])
    running = asyncio.create_task(task(work, seconds=LONG).run(at_once=True))
    await work.until(5)
    monkeypatch.setattr(periodic_task, "STARTING_SECONDS", 0.0)
    await work.until(20)
    told = [record.levelname for record in caplog.records if record.name == logger.name]
    assert told == ["INFO", "WARNING"]
    await stopped(running)


async def test_its_trouble_can_be_seen_while_it_lasts() -> None:
    work = Work(*[StorageUnavailable("It is off.") for _ in range(1000)])
    repeated = task(work)
    running = asyncio.create_task(repeated.run(at_once=True))
    await work.until(3)
    assert isinstance(repeated.trouble, StorageUnavailable)
    assert repeated.seconds_since_success > 0
    await stopped(running)


async def test_a_defect_ends_it_for_its_owner_to_see() -> None:
    with pytest.raises(KeyError):
        await asyncio.wait_for(task(Work(KeyError("a defect"))).run(at_once=True), SOON)


async def test_a_defect_does_not_end_one_that_survives_defects(caplog: pytest.LogCaptureFixture) -> None:
    work = Work(KeyError("a defect"))
    running = asyncio.create_task(task(work, survives=True).run(at_once=True))
    await work.until(3)
    await stopped(running)
    assert "the work failed with a defect" in caplog.text
