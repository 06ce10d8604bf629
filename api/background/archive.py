"""Keeps the archive up: looks at the ledger once a second, off the way of every request."""

import asyncio
import logging
import time
from contextlib import suppress

import anyio
import anyio.to_thread

from octavo.archive.writing import ArchiveWriter
from octavo.errors import ArchiveForeign, ArchiveUnreadable, OctavoError
from octavo.ledger.contract import Ledger
from octavo.objects.contract import ObjectStore

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
PATIENCE_SECONDS = 60.0
"""How long the archive may lag before health says so."""
LAST_LOOK_SECONDS = 3.0


class Archive:
    """The archive of this process's ledger, and how it is."""

    def __init__(self, ledger: Ledger, objects: ObjectStore) -> None:
        self._writer = ArchiveWriter(ledger, objects)
        self._error: OctavoError | None = None
        self._well_at = time.monotonic()
        self._is_looking = False

    @property
    def trouble(self) -> str | None:
        """What is wrong for long, or for good; None when all is well."""
        if self._error is None:
            return None
        behind = time.monotonic() - self._well_at
        if isinstance(self._error, ArchiveForeign | ArchiveUnreadable):
            return self._error.message
        return f"{behind:.0f} s behind: {self._error.message}" if behind > PATIENCE_SECONDS else None

    def catch_up(self) -> None:
        """Archive all that is new, now, in this thread. Raises as `ArchiveWriter.look` does."""
        self._writer.look()

    async def run(self) -> None:
        """Go on for ever; what fails is tried again, later and later."""
        pause = PERIOD_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = PERIOD_SECONDS if await self._look() else min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def close(self) -> None:
        """Archive what came last, if that takes no time to speak of; call it when `run` has ended."""
        if self._error is None and not self._is_looking:
            with suppress(OctavoError, TimeoutError), anyio.fail_after(LAST_LOOK_SECONDS):
                await self._look_in_thread()

    async def _look_in_thread(self) -> None:
        """Look, and leave the thread to itself when this process ends meanwhile: the next one goes on."""

        def look() -> None:
            self._is_looking = True
            try:
                self._writer.look()
            finally:
                self._is_looking = False

        await anyio.to_thread.run_sync(look, abandon_on_cancel=True)

    async def _look(self) -> bool:
        try:
            await self._look_in_thread()
        except OctavoError as error:
            self._note(error)
        except Exception as error:  # nothing an archive can come to may end the service it is the archive of
            logger.exception("the ledger could not be archived")
            self._error = OctavoError(f"a defect: {type(error).__name__}")
        else:
            self._note(None)
        return self._error is None

    def _note(self, error: OctavoError | None) -> None:
        """Remember how it went; told in the log when it changes."""
        before, self._error = self._error, error
        if error is None:
            self._well_at = time.monotonic()
            if before is not None:
                logger.info("the ledger is archived again")
        elif before is None or before.code != error.code:
            level = logging.ERROR if isinstance(error, ArchiveForeign | ArchiveUnreadable) else logging.WARNING
            logger.log(level, "the ledger is not archived: %s", error.message)
