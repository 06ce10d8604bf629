"""Claims over HTTP: each stands before the ledger until there is something for it, or its time is over.

Nothing here polls and nothing is decided here: the commit that frees a slot hands it on, in turn, and calls back.
Whoever stops asking has what it was given put back.
"""

import asyncio
import contextlib
import logging
from typing import Any, TypeVar

from api.threads import in_thread
from octavo.errors import OctavoError
from octavo.identifiers import WorkerId
from octavo.ledger.contract import Claim, ClaimRequest, Ledger, Report, ReportKind

logger = logging.getLogger(__name__)
T = TypeVar("T")
CLEARING_SECONDS = 60.0


class Claims:
    """The claims of this API process that wait."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ends: dict[asyncio.Event, WorkerId] = {}
        self._clearing: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many claims wait."""
        return len(self._ends)

    def close_for(self, worker_id: WorkerId) -> None:
        """Have the waiting claims of a worker that drains answered now, with how things stand."""
        for end, of in self._ends.items():
            if of == worker_id:
                end.set()

    def close(self) -> None:
        """Have every waiting claim answered: this process ends, and workers ask the next one."""
        self._closed = True
        for end in self._ends:
            end.set()

    async def claim(self, request: ClaimRequest, wait_seconds: float) -> Claim:
        """Return slices as soon as there are any, or what is so after `wait_seconds`.

        Raises: what the ledger's `claim` does.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Claim | OctavoError] = loop.create_future()

        def tell(told: Claim | OctavoError) -> None:
            # When the loop has ended nobody waits any more; this must not kill the ledger's writer.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_set, answer, told)

        waiting_task = loop.create_task(in_thread(lambda: self._ledger.work.wait_for_claim(request, tell)))
        try:
            await asyncio.shield(waiting_task)
            return await self._wait(request, answer, wait_seconds)
        except asyncio.CancelledError:
            clearing = loop.create_task(self._clear(request, waiting_task, answer))
            self._clearing.add(clearing)
            clearing.add_done_callback(self._clearing.discard)
            raise

    async def _wait(
        self,
        request: ClaimRequest,
        answer: "asyncio.Future[Claim | OctavoError]",
        wait_seconds: float,
    ) -> Claim:
        end = asyncio.Event()
        self._ends[end] = request.worker_id
        ending = asyncio.ensure_future(end.wait())
        either: set[asyncio.Future[Any]] = {answer, ending}
        try:
            if not self._closed:
                await asyncio.wait(either, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._ends[end]
            ending.cancel()
        if not answer.done():
            await in_thread(lambda: self._ledger.work.cancel_wait(run_id=request.run_id))
        told = await answer
        if isinstance(told, OctavoError):
            raise told
        return told

    async def _clear(
        self,
        request: ClaimRequest,
        waiting_task: "asyncio.Task[None]",
        answer: "asyncio.Future[Claim | OctavoError]",
    ) -> None:
        """Take an asker that has gone out of the ledger's queue, and put back what it was given in that moment."""
        try:
            await waiting_task
            if not answer.done():
                await in_thread(lambda: self._ledger.work.cancel_wait(run_id=request.run_id))
            told = await asyncio.wait_for(answer, CLEARING_SECONDS)
            if isinstance(told, Claim):
                await self._put_back(told)
        except (OctavoError, TimeoutError) as error:
            logger.warning("unwanted leases are left to run out: %s", error)

    async def _put_back(self, claim: Claim) -> None:
        items = [item for piece in claim.slices for item in piece.items]
        reports = [Report(kind=ReportKind.RELEASE, item_id=item.item_id, lease_no=item.lease_no) for item in items]
        if reports:
            await in_thread(lambda: self._ledger.work.report(reports))


def _set(answer: "asyncio.Future[T]", told: T) -> None:
    if not answer.done():
        answer.set_result(told)
