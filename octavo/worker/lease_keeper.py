"""Renews the leases of a worker's slices, and reports how far long items are, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from octavo.client.worker import WorkerClient
from octavo.errors import OctavoError, ServiceUnreachable
from octavo.identifiers import RunId
from octavo.worker.leased_slice import LeasedSlices
from octavo.worker.progress_reporter import ProgressReporter

logger = logging.getLogger(__name__)
RENEWALS_PER_LEASE = 3
LONGEST_PERIOD_SECONDS = 3.0


class LeaseKeeper:
    """Sends the heartbeats of one worker process."""

    def __init__(
        self,
        client: WorkerClient,
        slices: LeasedSlices,
        *,
        lease_seconds: float,
        slots: Callable[[], int],
        run_ids: Callable[[], tuple[RunId, ...]],
    ) -> None:
        """`slots` is how many slices the worker may hold, 0 while it drains."""
        self._client = client
        self._slices = slices
        self._lease_seconds = lease_seconds
        self._slots = slots
        self._run_ids = run_ids
        self._progress = ProgressReporter()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="octavo-leases", daemon=True)

    def start(self) -> None:
        """Begin to renew leases."""
        self._thread.start()

    def stop(self) -> None:
        """Renew no more leases; `join` waits for the end."""
        self._closed.set()

    def join(self, seconds: float) -> None:
        """Wait for so long until the last heartbeat has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout=seconds)

    def _run(self) -> None:
        period = min(self._lease_seconds / RENEWALS_PER_LEASE, LONGEST_PERIOD_SECONDS)
        while not self._closed.wait(period):
            self._beat(period)

    def _beat(self, period: float) -> None:
        slices = self._slices.in_work()
        progress = self._progress.due(slices, period)
        slice_ids = tuple(one.slice.slice_id for one in slices)
        try:
            lost = self._client.heartbeat(
                slice_ids, self._run_ids(), self._lease_seconds, slots=self._slots(), progress=progress
            )
        except (ServiceUnreachable, OctavoError) as error:
            logger.warning("leases could not be renewed: %s", error.message)
            return
        self._progress.note_reported(progress)
        self._slices.mark_lost(lost.slice_ids)
