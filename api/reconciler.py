"""Puts right what died: silent workers, leases that ran out, batches without a living run.

Reads the ledger, asks the dispatcher for new runs; a crashed run is never scheduled again.
"""

import asyncio
import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial

from api.dispatch import TROUBLE, Dispatcher, RunView
from api.lanes import in_thread
from api.presence import Presence
from octavo.batches import Run, RunStatus
from octavo.identifiers import BatchId, RunId
from octavo.ledger.contract import Ledger, OpenBatch
from octavo.timestamps import now

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
PATIENCE = timedelta(seconds=5)
"""How long a run that was made may say nothing before Prefect is asked about it, and between two questions."""
BEGINNING = timedelta(seconds=30)
"""How long a run may be on its way from Prefect's Pending to its first word here; then its worker has died."""
QUESTIONS_PER_PASS = 10


def needs_run(found: OpenBatch) -> bool:
    """Whether a batch has items that nobody holds and no run to claim them."""
    return found.unleased > 0 and not found.runs


def is_overdue(run: Run, moment: datetime) -> bool:
    """Whether a run was made a good while ago and no worker has opened it."""
    return run.status is RunStatus.STARTING and moment - run.created_at > PATIENCE


class Restarts:
    """How soon a batch may have another run: at once after progress, later and later without.

    A run that ends at once, for a defect or a missing module, would otherwise be made anew every second.
    """

    def __init__(self) -> None:
        self._seen: dict[BatchId, tuple[int, int, float]] = {}

    def may_start(self, found: OpenBatch, moment: float) -> bool:
        """Whether it is time; `moment` is monotonic seconds. A yes counts as a start."""
        done = found.batch.total_items - found.batch.counts.unfinished
        was_done, fruitless, started = self._seen.get(found.batch.batch_id, (-1, 0, 0.0))
        if done > was_done:
            fruitless = 0
        elif moment - started < min(2.0**fruitless, LONGEST_PAUSE_SECONDS):
            return False
        self._seen[found.batch.batch_id] = (done, fruitless + 1, moment)
        return True

    def keep(self, batch_ids: Collection[BatchId]) -> None:
        """Forget every other batch."""
        self._seen = {batch_id: seen for batch_id, seen in self._seen.items() if batch_id in batch_ids}


class Reconciler:
    """One pass a second over everything that is not finished."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, presence: Presence) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._presence = presence
        self._restarts = Restarts()
        self._asked: dict[RunId, float] = {}
        self._questions = 0

    async def run(self) -> None:
        """Go on for ever; a pass that fails is tried again."""
        while True:
            try:
                await self._pass()
            except Exception:  # the one loop that must outlive every trouble; the next pass looks again
                logger.exception("a reconciling pass failed")
            await asyncio.sleep(PERIOD_SECONDS)

    async def _pass(self) -> None:
        await self._take_from_the_dead()
        batches = await in_thread(self._ledger.open_batches)
        self._restarts.keep({found.batch.batch_id for found in batches})
        self._questions = 0
        open_runs = {run.run_id for found in batches for run in found.runs}
        self._asked = {run_id: asked for run_id, asked in self._asked.items() if run_id in open_runs}
        for found in batches:
            await self._look_after(found)
        for run in await in_thread(self._ledger.lost_runs):
            try:
                await self._dispatcher.crash(run)
            except TROUBLE as error:
                logger.warning("Prefect does not hear of lost run %s yet: %s", run.run_id, error)

    async def _take_from_the_dead(self) -> None:
        await in_thread(self._ledger.expire_leases)
        for worker_id in await in_thread(self._ledger.workers):
            if self._presence.is_silent(worker_id):
                logger.warning("worker %s is silent; its leases are taken away", worker_id)
                await in_thread(partial(self._ledger.revoke, worker_id=worker_id))

    async def _look_after(self, found: OpenBatch) -> None:
        batch_id = found.batch.batch_id
        if self._dispatcher.is_starting(batch_id):
            return
        for run in found.runs:
            if run.status is RunStatus.STARTING and run.run_id is None:
                self._dispatcher.resume(run)
            elif run.run_id is not None and is_overdue(run, now()) and self._may_ask(run.run_id):
                await self._ask_about(found, run, run.run_id)
        if needs_run(found) and self._restarts.may_start(found, time.monotonic()):
            logger.info("batch %s has no run; one is made", batch_id)
            self._dispatcher.start(batch_id)

    def _may_ask(self, run_id: RunId) -> bool:
        """Whether Prefect may be asked about a run now: seldom about one, and about few in a pass."""
        moment = time.monotonic()
        if self._questions >= QUESTIONS_PER_PASS or moment - self._asked.get(run_id, 0.0) < PATIENCE.total_seconds():
            return False
        self._asked[run_id] = moment
        self._questions += 1
        return True

    async def _ask_about(self, found: OpenBatch, run: Run, run_id: RunId) -> None:
        try:
            view = await self._dispatcher.look(run_id)
        except TROUBLE as error:
            logger.warning("Prefect says nothing about run %s: %s", run_id, error)
            return
        if view is RunView.CANCELLED:
            # Cancelled before it began: no worker has seen it, so nobody else would cancel the batch.
            logger.info("batch %s was cancelled in Prefect", run.batch_id)
            await in_thread(lambda: self._ledger.cancel_batch(found.batch.customer_id, run.batch_id))
            # Prefect shows Cancelling until somebody says that it is over: told with the lost runs of this pass.
            await in_thread(lambda: self._ledger.revoke(run_id=run_id))
        elif view is RunView.GONE:
            await self._dispatcher.ended_in_silence(run)
        elif view is RunView.BEGUN and now() - run.created_at > BEGINNING:
            logger.warning("run %s was begun and never spoke up; it counts as lost", run_id)
            await in_thread(lambda: self._ledger.revoke(run_id=run_id))
