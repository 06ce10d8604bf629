"""Keeps retention: looks every few seconds for what has had its time, off the way of every request.

A loop and no schedule of Prefect's: bytes are to be gone within a minute, also while no worker is there
(docs/adr/0031-expiry-is-a-loop-sweeping-a-flow.md).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

import anyio
import anyio.to_thread

from api.background.archive import Archive
from octavo.errors import OctavoError
from octavo.expiry.expiring import Expiry
from octavo.expiry.sweeping import Sweep
from octavo.ledger.contract import Ledger
from octavo.objects.contract import ObjectStore

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 40.0
ANSWER_SECONDS = 20.0
"""How long the answer to a DELETE waits for the bytes to be gone; after it they go all the same."""


class Retention:
    """The expiry of this process's ledger and storage, and what a DELETE asks of it."""

    def __init__(self, ledger: Ledger, objects: ObjectStore, archive: Archive, *, orphan_hours: float) -> None:
        self.expiry = Expiry(ledger, objects)
        self.sweep = Sweep(ledger, objects, self.expiry, patience=timedelta(hours=orphan_hours))
        self._archive = archive
        self._trouble: str | None = None

    async def run(self) -> None:
        """Go on for ever; what fails is tried again, later and later."""
        pause = PERIOD_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = PERIOD_SECONDS if await self._look() else min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _look(self) -> bool:
        try:
            taken = await _in_abandoned_thread(self.expiry.look)
            if taken:
                logger.info("%d inputs and results have had their time and are gone", taken)
            self._note(None)
        except OctavoError as error:
            self._note(error.message)
        except Exception:  # nothing that expiry can come to may end the service; the next look tries again
            logger.exception("expiry failed")
            self._note("a defect")
        return self._trouble is None

    def _note(self, trouble: str | None) -> None:
        """Remember how it went; told in the log when it changes."""
        before, self._trouble = self._trouble, trouble
        if trouble is not None and before is None:
            logger.warning("nothing expires for now: %s", trouble)
        elif trouble is None and before is not None:
            logger.info("expiry goes on")

    async def finish(self, numbers: Sequence[int]) -> None:
        """Take away what was doomed under these numbers and have the archive forget it, if that takes no long time.

        What cannot be done now is done by the loops: the ledger has it.
        """

        def work() -> None:
            self.expiry.finish(numbers)
            self._archive.catch_up()

        with anyio.move_on_after(ANSWER_SECONDS):
            try:
                await _in_abandoned_thread(work)
            except OctavoError as error:
                logger.warning("what was deleted is taken from storage later: %s", error.message)


async def _in_abandoned_thread(work: Callable[[], int | None]) -> int | None:
    """Work in a thread that is left to itself when nobody waits for it any more: the ledger knows what is left."""
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
