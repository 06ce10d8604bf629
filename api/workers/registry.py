"""Which workers are alive, and how they are notified of new runs; in memory, because it is about now."""

import asyncio
import contextlib
import time
from collections.abc import Mapping

from api.orchestrator.further_runs import WorkerCapacity
from octavo.identifiers import WorkerId


class WorkerRegistry:
    """Remembers the last sign of life of each worker, and counts the runs that were made for them."""

    def __init__(self, *, silence_seconds: float) -> None:
        self._silence_seconds = silence_seconds
        self._seen_at: dict[WorkerId, float] = {}
        self._slots: dict[WorkerId, int] = {}
        self._protection: dict[WorkerId, tuple[str, ...]] = {}
        self._accepting: set[WorkerId] = set()
        self._changed = asyncio.Event()
        self._since = time.monotonic()
        self._notifications = 0
        self._is_closed = False
        self._notified = asyncio.Condition()

    def heartbeat(self, worker_id: WorkerId, *, slots: int | None = None, protection: tuple[str, ...] = ()) -> None:
        """Note a sign of life, and how many slices the worker may hold if it says so; 0 while it drains.

        `protection` names the walls around its extraction children, if it says so.
        """
        self._seen_at[worker_id] = time.monotonic()
        if protection:
            self._protection[worker_id] = protection
        if slots is not None and self._slots.get(worker_id) != slots:
            self._slots[worker_id] = slots
            self._changed.set()

    def accepts_runs(self, worker_id: WorkerId) -> None:
        """Note that a worker waits for runs, and so takes them."""
        self.heartbeat(worker_id)
        if worker_id not in self._accepting:
            self._accepting.add(worker_id)
            self._changed.set()

    def drains(self, worker_id: WorkerId) -> None:
        """Note that a worker drains."""
        self.heartbeat(worker_id, slots=0)
        self._accepting.discard(worker_id)

    def forget(self, worker_id: WorkerId) -> None:
        """Note that a worker has gone."""
        self._seen_at.pop(worker_id, None)
        self._slots.pop(worker_id, None)
        self._protection.pop(worker_id, None)
        self._accepting.discard(worker_id)

    def was_silent(self) -> None:
        """Note that this process itself could not hear: everybody is given their time to report again."""
        self._since = time.monotonic()

    @property
    def is_listening(self) -> bool:
        """Whether this process has listened for long enough to take silence for a sign."""
        return time.monotonic() - self._since > self._silence_seconds

    def is_silent(self, worker_id: WorkerId) -> bool:
        """Whether a worker has not been heard of for too long while this process listened."""
        heard = max(self._since, self._seen_at.get(worker_id, self._since))
        return time.monotonic() - heard > self._silence_seconds

    def alive(self) -> list[WorkerId]:
        """Return the workers that are alive."""
        return [worker_id for worker_id in self._seen_at if not self.is_silent(worker_id)]

    def protection(self, worker_id: WorkerId) -> tuple[str, ...]:
        """Return which walls a worker has around its extraction children; empty if it did not say."""
        return self._protection.get(worker_id, ())

    def capacities(self, held: Mapping[WorkerId, int]) -> list[WorkerCapacity]:
        """Return the workers that are alive and have told their slots; `held` is how many slices each holds."""
        return [
            WorkerCapacity(
                worker_id,
                max(0, self._slots[worker_id] - held.get(worker_id, 0)),
                takes_runs=worker_id in self._accepting,
            )
            for worker_id in self.alive()
            if worker_id in self._slots
        ]

    async def wait_for_change(self, seconds: float) -> bool:
        """Wait until a worker has come or a run was made; False when the time is over first."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        has_changed = self._changed.is_set()
        self._changed.clear()
        return has_changed

    @property
    def notifications(self) -> int:
        """How many notifications there have been."""
        return self._notifications

    async def notify(self) -> None:
        """Wake every worker that waits: there is a run to fetch."""
        async with self._notified:
            self._notifications += 1
            self._notified.notify_all()
        self._changed.set()

    async def close(self) -> None:
        """Answer every worker that waits, now and from now on."""
        async with self._notified:
            self._is_closed = True
            self._notified.notify_all()

    async def wait(self, seen: int, seconds: float) -> int:
        """Wait until there is a notification that the caller has not seen, or the time is over; returns their count."""
        async with self._notified:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._notified.wait_for(lambda: self._is_closed or self._notifications != seen), seconds
                )
        return self._notifications
