"""What flows and tasks work with: claims slices and processes them. Knows nothing of Prefect.

A flow run opens itself here and claims slices; each is begun in a thread as soon as it is claimed, and the task run
that shows it joins that work by the slice's id.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from octavo.client.outbox import Outbox
from octavo.client.worker import WorkerClient
from octavo.client.worker_protocol import OpenedRun, OpenRun, RetriedRun, RunSummary
from octavo.errors import OcrProviderError, OctavoError, StaleLease
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, CustomerId, RunId
from octavo.ledger.contract import Claim, ClaimRequest, Pruned
from octavo.worker.claims_ahead import ahead
from octavo.worker.lease_keeper import LeaseKeeper
from octavo.worker.leased_slice import BatchRun, LeasedSlice, LeasedSlices, SliceEnd
from octavo.worker.slice_processor import SliceProcessor
from octavo.worker.sweeper import Sweeper

logger = logging.getLogger(__name__)
CLAIM_WAIT_SECONDS = 20.0
FIRST_LEASE_SECONDS = 20.0
"""Life of a lease until its first renewal: a claim whose answer was lost, with an API that died, is soon free again."""


class SliceWorker:
    """The slices of one worker process. Thread-safe."""

    def __init__(
        self,
        client: WorkerClient,
        work: ItemWork,
        *,
        slots: int,
        lease_seconds: float,
        on_change: Callable[[], None],
        sweeper: Sweeper | None = None,
    ) -> None:
        self.on_change = on_change
        self._client = client
        self._sweeper = sweeper
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._draining = threading.Event()
        self._runs: dict[RunId, BatchRun] = {}
        self._slices = LeasedSlices(lambda: self.on_change())
        self._outbox = Outbox(lambda reports: client.report(*reports))
        self._processor = SliceProcessor(work, self._outbox, self._draining, reserve=client.reserve, threads=slots)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="octavo-slice")
        self._leases = LeaseKeeper(
            client,
            self._slices,
            lease_seconds=lease_seconds,
            slots=lambda: 0 if self._draining.is_set() else slots,
            run_ids=lambda: tuple(self._runs.copy()),
        )

    # A worker's life

    @property
    def slots(self) -> int:
        """How many slices may be in progress at once."""
        return self._slots

    @property
    def client(self) -> WorkerClient:
        """This process's connection to the API."""
        return self._client

    @property
    def sweeper(self) -> Sweeper:
        """What this worker sweeps storage with. Raises LookupError on a worker without."""
        if self._sweeper is None:
            raise LookupError("this worker has no sweeper")
        return self._sweeper

    @property
    def is_draining(self) -> bool:
        """Whether this worker takes nothing new."""
        return self._draining.is_set()

    def start(self) -> None:
        """Begin to renew leases."""
        self._leases.start()

    def drain(self) -> None:
        """Claim nothing more; what was claimed is finished. Claims that wait are answered at once."""
        self._draining.set()
        try:
            self._client.drain()
        except OctavoError as error:
            logger.warning("the API cannot be told that this worker drains: %s", error.message)

    def close(self) -> None:
        """Stop renewing leases, send what is still to be reported."""
        self._leases.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._processor.close()
        self._outbox.close()
        self._leases.join(5)

    def slots_by_customer(self) -> Mapping[CustomerId, int]:
        """Return how many slots of each customer are taken here."""
        return self._slices.slots_by_customer()

    def prune(self, keep_runs_seconds: float) -> Pruned:
        """Have the ledger remove what is past its retention."""
        return self._client.prune(keep_runs_seconds)

    # A flow run

    def open_run(self, run_id: RunId, batch_id: BatchId) -> OpenedRun:
        """Begin a flow run's work on its batch."""
        request = OpenRun(run_id=run_id, batch_id=batch_id, worker_id=self._client.worker_id)
        opened = self._client.open_run(request)
        self._runs[run_id] = BatchRun(run_id, opened)
        return opened

    def claims(self, run_id: RunId) -> Iterator[tuple[str, ...]]:
        """Yield the ids of newly claimed slices until nothing is left for this run, or the worker drains."""
        run = self._runs[run_id]
        while not self._draining.is_set():
            try:
                claim = self._client.claim(self._request(run), wait_seconds=CLAIM_WAIT_SECONDS)
            except StaleLease as error:
                logger.warning("run %s claims no more: %s", run_id, error.message)
                run.is_stale = True
                return
            self._take_in(run, claim)
            if claim.slices:
                yield tuple(one.slice_id for one in claim.slices)
            elif claim.unleased == 0 and claim.held == 0:
                return

    def _request(self, run: BatchRun) -> ClaimRequest:
        return ClaimRequest(
            batch_id=run.opened.batch_id,
            run_id=run.run_id,
            worker_id=self._client.worker_id,
            slots=min(run.opened.item_cap, self._slots),
            slice_items=run.pace.slice_items,
            lease_seconds=min(self._lease_seconds, FIRST_LEASE_SECONDS),
            worker_slots=self._slots,
        )

    def _take_in(self, run: BatchRun, claim: Claim) -> None:
        total = run.opened.total_items
        run.percent_done = 100 * (total - claim.unleased - claim.held) // max(1, total)
        self._slices.add(LeasedSlice(one, run) for one in claim.slices)

    def started_claims(self, run_id: RunId) -> Iterator[tuple[str, ...]]:
        """Yield slices as `claims` does, each begun in a thread by then: no slot waits for whoever takes them."""
        return ahead(
            self.claims(run_id), begin=self.begin_slices, give_up=self._give_all_up, name=f"octavo-claims-{run_id}"
        )

    def percent(self, run_id: RunId) -> int:
        """Return how much of the run's batch was done at its last claim, in percent, rounded down."""
        run = self._runs.get(run_id)
        return 0 if run is None else run.percent_done

    def cancel_run(self, run_id: RunId) -> None:
        """Cancel the batch of a run that is open here, as somebody asked in the Prefect UI; running items finish."""
        run = self._runs.get(run_id)
        if run is None:
            return
        run.is_cancelled = True
        try:
            self._client.cancel_run(run_id)
        except OctavoError:
            run.is_cancelled = False
            raise

    def is_cancelled(self, run_id: RunId) -> bool:
        """Whether `cancel_run` was called for this run."""
        run = self._runs.get(run_id)
        return run is not None and run.is_cancelled

    def is_stale(self, run_id: RunId) -> bool:
        """Whether the run was given up by the API and claims no more, though what it has begun continues."""
        run = self._runs.get(run_id)
        return run is not None and run.is_stale

    def retry_batch(self, run_id: RunId) -> RetriedRun:
        """Have the failed items of an ended run's batch run again, as somebody asked in the Prefect UI."""
        return self._client.retry_batch(run_id)

    def end_run(self, run_id: RunId) -> RunSummary:
        """End a flow run; returns how its batch stands."""
        self._client.end_run(run_id)
        self.forget_run(run_id)
        return self._client.summary(run_id)

    def forget_run(self, run_id: RunId) -> None:
        """Forget a run, and whatever of it is left."""
        self._runs.pop(run_id, None)
        self._slices.remove_run(run_id)

    # A task run

    def label(self, slice_id: str) -> str:
        """Return a name a person understands: customer and file name."""
        leased = self._slices.get(slice_id)
        return slice_id if leased is None else leased.label

    def begin_slices(self, slice_ids: Sequence[str]) -> None:
        """Begin the first attempt at these slices, each in a thread of this worker, before anybody asks for it."""
        for leased in filter(None, map(self._slices.get, slice_ids)):
            leased.work = self._threads.submit(self._process, leased, is_last_attempt=False)

    def process(self, slice_id: str, *, is_last_attempt: bool) -> SliceEnd:
        """Process a slice, item by item, or join the work on it; returns how its items ended.

        Raises OcrProviderError when an item should be tried again and this was not the last attempt: the slice stays
        here, and items that are done are not repeated.
        """
        leased = self._slices.get(slice_id)
        if leased is None:
            raise StaleLease(f"slice {slice_id} is not this worker's any more")
        begun, leased.work = leased.work, None
        is_kept = False
        try:
            return self._process(leased, is_last_attempt=is_last_attempt) if begun is None else begun.result()
        except OcrProviderError:
            is_kept = True
            raise
        finally:
            if not is_kept:
                self._slices.remove(slice_id)

    def _process(self, leased: LeasedSlice, *, is_last_attempt: bool) -> SliceEnd:
        is_kept = False
        try:
            return self._processor.process(leased, is_last_attempt=is_last_attempt)
        except OcrProviderError:
            is_kept = True
            raise
        finally:
            # What is not kept must free its slot whatever happened, or its lease would be renewed for ever.
            if not is_kept:
                self._slices.mark_done(leased)
            elif leased.is_abandoned:
                self._give_up(leased)

    def give_up(self, slice_id: str) -> None:
        """Give back what is left of a slice that nobody asks for any more; one that was asked for is not here."""
        leased = self._slices.get(slice_id)
        if leased is None:
            return
        leased.is_abandoned = True
        if leased.work is None or leased.work.done():
            self._give_up(leased)

    def _give_up(self, leased: LeasedSlice) -> None:
        left = [item for item in leased.slice.items if item.item_id not in leased.finished]
        if left and not leased.is_done:
            logger.warning("slice %s was never processed; it goes back", leased.slice.slice_id)
            for item in left:
                self._processor.give_back(leased, item)
        self._slices.remove(leased.slice.slice_id)

    def _give_all_up(self, slice_ids: Sequence[str]) -> None:
        for slice_id in slice_ids:
            self.give_up(slice_id)
