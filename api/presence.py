"""Which workers are there, and the bell that wakes them; in memory, because it is about now."""

import asyncio
import contextlib
import time
from collections.abc import Mapping

from api.orchestrator.further_runs import WorkerRoom
from octavo.identifiers import WorkerId


class Presence:
    """Remembers when each worker was last heard of, and counts the runs that were made for them."""

    def __init__(self, *, silence_seconds: float) -> None:
        self._silence_seconds = silence_seconds
        self._heard: dict[WorkerId, float] = {}
        self._slots: dict[WorkerId, int] = {}
        self._protection: dict[WorkerId, tuple[str, ...]] = {}
        self._listening: set[WorkerId] = set()
        self._news = asyncio.Event()
        self._since = time.monotonic()
        self._rings = 0
        self._is_closed = False
        self._bell = asyncio.Condition()

    def hear(self, worker_id: WorkerId, *, slots: int | None = None, protection: tuple[str, ...] = ()) -> None:
        """Note a sign of life, and how many slices the worker may hold if it says so; 0 while it drains.

        `protection` names the walls around its extraction children, if it says so.
        """
        self._heard[worker_id] = time.monotonic()
        if protection:
            self._protection[worker_id] = protection
        if slots is not None and self._slots.get(worker_id) != slots:
            self._slots[worker_id] = slots
            self._news.set()

    def listens(self, worker_id: WorkerId) -> None:
        """Note that a worker waits for runs, and so takes them."""
        self.hear(worker_id)
        if worker_id not in self._listening:
            self._listening.add(worker_id)
            self._news.set()

    def takes_no_more(self, worker_id: WorkerId) -> None:
        """Note that a worker drains."""
        self.hear(worker_id, slots=0)
        self._listening.discard(worker_id)

    def forget(self, worker_id: WorkerId) -> None:
        """Note that a worker has gone."""
        self._heard.pop(worker_id, None)
        self._slots.pop(worker_id, None)
        self._protection.pop(worker_id, None)
        self._listening.discard(worker_id)

    def was_away(self) -> None:
        """Note that this process itself could not hear: everybody is given their time to speak anew."""
        self._since = time.monotonic()

    @property
    def is_listening(self) -> bool:
        """Whether this process has listened for long enough to take silence for a sign."""
        return time.monotonic() - self._since > self._silence_seconds

    def is_silent(self, worker_id: WorkerId) -> bool:
        """Whether a worker has not been heard of for too long while this process listened."""
        heard = max(self._since, self._heard.get(worker_id, self._since))
        return time.monotonic() - heard > self._silence_seconds

    def workers(self) -> list[WorkerId]:
        """Return the workers that are there."""
        return [worker_id for worker_id in self._heard if not self.is_silent(worker_id)]

    def protection(self, worker_id: WorkerId) -> tuple[str, ...]:
        """Return which walls a worker has around its extraction children; empty if it did not say."""
        return self._protection.get(worker_id, ())

    def rooms(self, held: Mapping[WorkerId, int]) -> list[WorkerRoom]:
        """Return the workers that are there and have told their slots; `held` is how many slices each holds."""
        return [
            WorkerRoom(
                worker_id,
                max(0, self._slots[worker_id] - held.get(worker_id, 0)),
                takes_runs=worker_id in self._listening,
            )
            for worker_id in self.workers()
            if worker_id in self._slots
        ]

    async def wait_for_news(self, seconds: float) -> bool:
        """Wait until a worker has come or a run was made; False when the time is over first."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        is_news = self._news.is_set()
        self._news.clear()
        return is_news

    @property
    def rings(self) -> int:
        """How often the bell has rung."""
        return self._rings

    async def ring(self) -> None:
        """Wake every worker that waits: there is a run to fetch."""
        async with self._bell:
            self._rings += 1
            self._bell.notify_all()
        self._news.set()

    async def close(self) -> None:
        """Answer every worker that waits, now and from now on."""
        async with self._bell:
            self._is_closed = True
            self._bell.notify_all()

    async def wait(self, heard_rings: int, seconds: float) -> int:
        """Wait until the bell rings once more than the caller has heard, or the time is over."""
        async with self._bell:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._bell.wait_for(lambda: self._is_closed or self._rings != heard_rings), seconds
                )
        return self._rings
