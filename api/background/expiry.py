"""Enforces retention: looks every few seconds for what is due, in no request's way.

A loop and no schedule of Prefect's: bytes must be gone within a minute, even while there is no worker
(docs/adr/0031-expiry-is-a-loop-sweeping-a-flow.md).
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

import anyio
import anyio.to_thread

from api.background.archive import Archive
from api.periodic_task import PeriodicTask
from octavo.errors import OctavoError
from octavo.expiry.expiring import Expiry
from octavo.expiry.sweeping import Sweep
from octavo.ledger.contract import Ledger
from octavo.objects.contract import ObjectStore

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 40.0
ANSWER_SECONDS = 20.0
"""How long the answer to a DELETE waits for the bytes to be deleted; after that they are deleted all the same."""


class Retention:
    """The expiry of this process's ledger and storage, and what a DELETE asks of it."""

    def __init__(self, ledger: Ledger, objects: ObjectStore, archive: Archive, *, orphan_hours: float) -> None:
        self.expiry = Expiry(ledger, objects)
        self.sweep = Sweep(ledger, objects, self.expiry, patience=timedelta(hours=orphan_hours))
        self._archive = archive
        self._task = PeriodicTask(
            "expiry",
            self._look,
            seconds=PERIOD_SECONDS,
            longest_pause_seconds=LONGEST_PAUSE_SECONDS,
            passing=(OctavoError,),
            # Nothing that happens to expiry may end the service; the next look tries again.
            survives_defects=True,
            logger=logger,
        )

    async def run(self) -> None:
        """Expire what is due until this is cancelled."""
        await self._task.run()

    async def _look(self) -> None:
        if taken := await _in_abandoned_thread(self.expiry.look):
            logger.info("%d inputs and results were kept long enough and are deleted", taken)

    async def finish(self, numbers: Sequence[int]) -> None:
        """Delete what was marked under these numbers and have the archive forget it, if that does not take long.

        What cannot be done now is done by the loops: the ledger remembers it.
        """

        def work() -> None:
            self.expiry.finish(numbers)
            self._archive.catch_up()

        with anyio.move_on_after(ANSWER_SECONDS):
            try:
                await _in_abandoned_thread(work)
            except OctavoError as error:
                logger.warning("what was deleted is removed from storage later: %s", error.message)


async def _in_abandoned_thread(work: Callable[[], int | None]) -> int | None:
    """Work in a thread that continues when nobody waits for it any more: the ledger knows what is left."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
