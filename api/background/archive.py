"""Keeps the archive up to date: looks at the ledger once a second, in no request's way."""

import logging
from contextlib import suppress

import anyio
import anyio.to_thread

from api.periodic_task import PeriodicTask
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
LASTING = (ArchiveForeign, ArchiveUnreadable)
"""Trouble that does not end without an operator."""


class Archive:
    """The archive of this process's ledger, and whether it is up to date."""

    def __init__(self, ledger: Ledger, objects: ObjectStore) -> None:
        self._writer = ArchiveWriter(ledger, objects)
        self._is_looking = False
        self._task = PeriodicTask(
            "the archive of the ledger",
            self._look,
            seconds=PERIOD_SECONDS,
            longest_pause_seconds=LONGEST_PAUSE_SECONDS,
            passing=(OctavoError,),
            lasting=LASTING,
            # Nothing that happens to an archive may end the service it is the archive of.
            survives_defects=True,
            logger=logger,
        )

    @property
    def trouble(self) -> str | None:
        """What has been wrong for long, or for good; None when all is well."""
        error = self._task.trouble
        if error is None:
            return None
        if isinstance(error, LASTING):
            return error.message
        behind = self._task.seconds_since_success
        told = error.message if isinstance(error, OctavoError) else f"a defect: {type(error).__name__}"
        return f"{behind:.0f} s behind: {told}" if behind > PATIENCE_SECONDS else None

    def catch_up(self) -> None:
        """Archive all that is new, now, in this thread. Raises as `ArchiveWriter.look` does."""
        self._writer.look()

    async def run(self) -> None:
        """Archive what is new until this is cancelled."""
        await self._task.run()

    async def close(self) -> None:
        """Archive what came last if that takes no more than a moment; call it when `run` has ended."""
        if self._task.trouble is None and not self._is_looking:
            with suppress(OctavoError, TimeoutError), anyio.fail_after(LAST_LOOK_SECONDS):
                await self._look()

    async def _look(self) -> None:
        """Look in a thread that is left to itself when this process ends meanwhile: the next process continues."""

        def look() -> None:
            self._is_looking = True
            try:
                self._writer.look()
            finally:
                self._is_looking = False

        await anyio.to_thread.run_sync(look, abandon_on_cancel=True)
