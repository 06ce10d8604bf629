"""Hands out lanes: claims that wait, served in turn as soon as there is something to give.

Customers come in turn, inside a customer its batches in turn; the cap itself is kept by the
ledger, in the transaction that leases. Nothing here polls: a claim waits on a future, and
`wake` is called by whatever may have made room or work. Whoever stops asking has what it was given
put back.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import anyio.to_thread

from octavo.batches import Slice
from octavo.errors import LedgerUnavailable
from octavo.identifiers import BatchId, CustomerId, WorkerId
from octavo.ledger.contract import Claim, ClaimRequest, Ledger, Report, ReportKind

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(eq=False)
class _Waiter:
    request: ClaimRequest
    customer_id: CustomerId
    answer: asyncio.Future[Claim]
    got: Claim | None = None
    is_served: bool = field(default=False)
    is_late: bool = field(default=False)
    is_gone: bool = field(default=False)

    @property
    def wants(self) -> int:
        return self.request.lanes - (len(self.got.slices) if self.got else 0)

    @property
    def is_answered(self) -> bool:
        """Whether there is something to say: slices, or that nothing is left for this run."""
        got = self.got
        return got is not None and (bool(got.slices) or (got.unleased == 0 and got.held == 0))


class Lanes:
    """All claims of this API process, in one queue of turns."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiters: list[_Waiter] = []
        self._unwanted: list[Slice] = []
        self._news: set[BatchId] = set()
        self._woken = asyncio.Event()
        self._turn = 0
        self._last_turn: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def wake(self, *batch_ids: BatchId) -> None:
        """Say, from any thread, that there may be something to give, and that these batches have changed."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._note, batch_ids)

    def _note(self, batch_ids: Iterable[BatchId]) -> None:
        self._news.update(batch_ids)
        self._woken.set()

    def close_for(self, worker_id: WorkerId) -> None:
        """Answer the waiting claims of a worker that drains with what they have, which is nothing."""
        for waiter in [waiter for waiter in self._waiters if waiter.request.worker_id == worker_id]:
            waiter.is_late = True
            if waiter.got is not None and not waiter.is_served:
                self._deliver(waiter)

    def close(self) -> None:
        """Answer every waiting claim with what it has: this process ends, and workers ask the next one."""
        for worker_id in {waiter.request.worker_id for waiter in self._waiters}:
            self.close_for(worker_id)

    async def run(self) -> None:
        """Serve for ever; a ledger that fails once is asked again at the next wake."""
        self._loop = asyncio.get_running_loop()
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self._serve()

    async def claim(self, request: ClaimRequest, customer_id: CustomerId, wait_seconds: float) -> Claim:
        """Return slices as soon as there are any, or what is so after `wait_seconds`."""
        waiter = _Waiter(request, customer_id, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        self._woken.set()
        try:
            await asyncio.wait({waiter.answer}, timeout=wait_seconds)
            waiter.is_late = True
            if not waiter.is_served and waiter.got is not None:
                self._deliver(waiter)
            return await waiter.answer
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise

    def _deliver(self, waiter: _Waiter) -> None:
        self._forget(waiter)
        if not waiter.answer.done() and waiter.got is not None:
            waiter.answer.set_result(waiter.got)

    def _forget(self, waiter: _Waiter) -> None:
        self._waiters = [other for other in self._waiters if other is not waiter]

    def _abandon(self, waiter: _Waiter) -> None:
        """Forget an asker that has gone; while it is being served, what it gets is not all there yet."""
        waiter.is_gone = True
        self._forget(waiter)
        if not waiter.is_served:
            self._put_back(waiter)

    def _put_back(self, waiter: _Waiter) -> None:
        if waiter.got is not None:
            self._unwanted += waiter.got.slices
            waiter.got = None
            self._woken.set()

    async def _serve(self) -> None:
        """Give one lane at a time, in turn, until nobody gets any more."""
        await self._release_unwanted()
        active = list(self._waiters)
        news, self._news = self._news, set()
        for waiter in active:
            waiter.is_served = True
            if waiter.request.batch_id in news:
                waiter.got = None  # what it heard of its batch is not so any more
        served = list(active)
        while active:
            waiter = min(active, key=self._rank)
            alone = len(active) == 1
            claim = await self._ask(waiter, waiter.wants if alone else min(waiter.wants, 1))
            self._take_turn(waiter)
            if claim is None or not claim.slices or waiter.wants == 0:
                active.remove(waiter)
            if claim is not None and claim.at_cap and not claim.slices:
                # Whoever shares this cap gets nothing either, but hears how things stand.
                active = [other for other in active if other.customer_id != waiter.customer_id or other.got is None]
        for waiter in served:
            waiter.is_served = False
            if waiter.is_gone:
                self._put_back(waiter)
            elif waiter.is_answered or waiter.is_late:
                self._deliver(waiter)

    def _rank(self, waiter: _Waiter) -> tuple[int, int]:
        return (
            self._last_turn.get(waiter.customer_id, 0),
            self._last_turn.get(waiter.request.batch_id, 0),
        )

    def _take_turn(self, waiter: _Waiter) -> None:
        self._turn += 1
        self._last_turn[waiter.customer_id] = self._turn
        self._last_turn[waiter.request.batch_id] = self._turn
        if len(self._last_turn) > 10_000:
            oldest = sorted(self._last_turn, key=self._last_turn.__getitem__)[:5_000]
            for name in oldest:
                del self._last_turn[name]

    async def _ask(self, waiter: _Waiter, lanes: int) -> Claim | None:
        try:
            claim = await in_thread(lambda: self._ledger.claim(replace(waiter.request, lanes=lanes)))
        except Exception as error:  # noqa: BLE001 - the asker must hear of it, and the others must not suffer
            if waiter.got is None or not waiter.got.slices:
                self._forget(waiter)
                if not waiter.answer.done():
                    waiter.answer.set_exception(error)
            return None
        before = waiter.got.slices if waiter.got else ()
        waiter.got = replace(claim, slices=before + claim.slices)
        return claim

    async def _release_unwanted(self) -> None:
        reports = [
            Report(kind=ReportKind.RELEASE, item_id=item.item_id, lease_no=item.lease_no)
            for piece in self._unwanted
            for item in piece.items
        ]
        self._unwanted = []
        if reports:
            try:
                await in_thread(lambda: self._ledger.report(reports))
            except LedgerUnavailable as error:
                logger.warning("unwanted leases are left to run out: %s", error.message)


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread, off the event loop."""
    return await anyio.to_thread.run_sync(work)
