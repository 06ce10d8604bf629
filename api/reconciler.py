"""Puts right what died: silent workers, leases that ran out, batches without a living run.

Reads the ledger, asks the dispatcher for new runs; a crashed run is never scheduled again.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from functools import partial

from api.dispatch import TROUBLE, Dispatcher
from api.lanes import Lanes, in_thread
from api.presence import Presence
from octavo.batches import Run, RunStatus
from octavo.ledger.contract import Ledger, OpenBatch
from octavo.timestamps import now

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 1.0
PATIENCE = timedelta(seconds=20)
"""How long a run that was made may say nothing before Prefect is asked about it."""


def needs_run(found: OpenBatch) -> bool:
    """Whether a batch has items that nobody holds and no run to claim them."""
    return found.unleased > 0 and not found.runs


def is_overdue(run: Run, moment: datetime) -> bool:
    """Whether a run was made a good while ago and no worker has opened it."""
    return run.status is RunStatus.STARTING and moment - run.created_at > PATIENCE


class Reconciler:
    """One pass a second over everything that is not finished."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, lanes: Lanes, presence: Presence) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._lanes = lanes
        self._presence = presence

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
        for found in await in_thread(self._ledger.open_batches):
            await self._look_after(found)
        for run in await in_thread(self._ledger.lost_runs):
            try:
                await self._dispatcher.crash(run)
            except TROUBLE as error:
                logger.warning("Prefect does not hear of lost run %s yet: %s", run.run_id, error)

    async def _take_from_the_dead(self) -> None:
        touched = await in_thread(self._ledger.expire_leases)
        for worker_id in await in_thread(self._ledger.workers):
            if self._presence.is_silent(worker_id):
                logger.warning("worker %s is silent; its leases are taken away", worker_id)
                touched += await in_thread(partial(self._ledger.revoke, worker_id=worker_id))
        if touched:
            self._lanes.wake()

    async def _look_after(self, found: OpenBatch) -> None:
        batch_id = found.batch.batch_id
        if self._dispatcher.is_starting(batch_id):
            return
        for run in found.runs:
            if run.status is RunStatus.STARTING and run.run_id is None:
                self._dispatcher.resume(run)
            elif is_overdue(run, now()) and run.run_id is not None and await self._has_gone(run):
                await self._dispatcher.ended_in_silence(run)
        if needs_run(found):
            logger.info("batch %s has no run; one is made", batch_id)
            self._dispatcher.start(batch_id)

    async def _has_gone(self, run: Run) -> bool:
        try:
            return run.run_id is not None and await self._dispatcher.has_gone(run.run_id)
        except TROUBLE:
            return False
