"""The bench of one worker process. Knows nothing of Prefect.

A flow run opens itself here and claims slices; each is begun in a thread as soon as it is claimed, and the
task run that shows it joins that work by the slice's id. A thread renews the leases of what the worker holds.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from octavo.client.outbox import Outbox
from octavo.client.worker import WorkerClient
from octavo.client.worker_protocol import OpenedRun, OpenRun, RunSummary
from octavo.errors import OcrProviderError, OctavoError, ServiceUnreachable, StaleLease
from octavo.extraction.items import ItemWork
from octavo.identifiers import BatchId, CustomerId, RunId
from octavo.ledger.contract import ClaimRequest, Pruned
from octavo.pacing import Pace
from octavo.worker.leased_slice import Ended, LeasedSlice
from octavo.worker.progress_reporter import ProgressReporter
from octavo.worker.slice_processor import SliceProcessor
from octavo.worker.sweeper import Sweeper

logger = logging.getLogger(__name__)
CLAIM_WAIT_SECONDS = 20.0
RENEWALS_PER_LEASE = 3
LONGEST_BEAT_SECONDS = 3.0
FIRST_LEASE_SECONDS = 20.0
"""Life of a lease until its first renewal: a claim whose answer was lost, with an API that died, is soon free again."""
CLAIMS_AHEAD = 2
"""Claims whose slices are begun before the flow has made task runs of the last ones; then it is waited for."""
PUT_SECONDS = 1.0


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
        self._client = client
        self._sweeper = sweeper
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._leased: dict[str, LeasedSlice] = {}
        self._outbox = Outbox(lambda reports: client.report(*reports))
        self._runs: dict[RunId, OpenedRun] = {}
        self._paces: dict[RunId, Pace] = {}
        self._percent: dict[RunId, int] = {}
        self._cancelled: set[RunId] = set()
        self._stale: set[RunId] = set()
        self._lock = threading.Lock()
        self._draining = threading.Event()
        self._closed = threading.Event()
        self._processor = SliceProcessor(work, self._outbox, self._draining, reserve=client.reserve, lanes=slots)
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="octavo-slice")
        self._news = ProgressReporter()
        self.on_change = on_change
        self._beat = threading.Thread(target=self._keep_leases, name="octavo-leases", daemon=True)

    # A worker's life

    @property
    def slots(self) -> int:
        """How many slices may be in progress at once."""
        return self._slots

    @property
    def client(self) -> WorkerClient:
        """This process's connection to the API."""
        return self._client

    def start(self) -> None:
        """Begin to renew leases."""
        self._beat.start()

    def drain(self) -> None:
        """Claim nothing more; slices already held are finished. Claims that wait are answered at once."""
        self._draining.set()
        try:
            self._client.drain()
        except OctavoError as error:
            logger.warning("the API cannot be told that this worker drains: %s", error.message)

    def close(self) -> None:
        """Stop renewing leases, send what is still to be said."""
        self._closed.set()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._processor.close()
        self._outbox.close()
        if self._beat.is_alive():
            self._beat.join(timeout=5)

    def slots_by_customer(self) -> Mapping[CustomerId, int]:
        """Return how many slices each customer has open here."""
        with self._lock:
            found: dict[CustomerId, int] = {}
            for leased in [leased for leased in self._leased.values() if not leased.is_done]:
                found[leased.run.customer_id] = found.get(leased.run.customer_id, 0) + 1
            return found

    # A flow run

    def open_run(self, run_id: RunId, batch_id: BatchId) -> OpenedRun:
        """Begin a flow run's work on its batch."""
        opened = self._client.open_run(OpenRun(run_id=run_id, batch_id=batch_id, worker_id=self._client.worker_id))
        with self._lock:
            self._runs[run_id] = opened
            self._paces[run_id] = Pace()
        return opened

    def claims(self, run_id: RunId) -> Iterator[tuple[str, ...]]:
        """Yield the ids of newly claimed slices until nothing is left for this run, or the worker drains."""
        run, pace = self._runs[run_id], self._paces[run_id]
        while not self._draining.is_set():
            request = ClaimRequest(
                batch_id=run.batch_id,
                run_id=run_id,
                worker_id=self._client.worker_id,
                slots=min(run.item_cap, self._slots),
                slice_items=pace.slice_items,
                lease_seconds=min(self._lease_seconds, FIRST_LEASE_SECONDS),
                worker_slots=self._slots,
            )
            try:
                claim = self._client.claim(request, wait_seconds=CLAIM_WAIT_SECONDS)
            except StaleLease as error:
                logger.warning("run %s claims no more: %s", run_id, error.message)
                with self._lock:
                    self._stale.add(run_id)
                return
            done = run.total_items - claim.unleased - claim.held
            with self._lock:
                self._percent[run_id] = 100 * done // max(1, run.total_items)
                for piece in claim.slices:
                    self._leased[piece.slice_id] = LeasedSlice(piece, run, run_id, pace)
            self.on_change()
            if claim.slices:
                yield tuple(piece.slice_id for piece in claim.slices)
            elif claim.unleased == 0 and claim.held == 0:
                return

    def started_claims(self, run_id: RunId) -> Iterator[tuple[str, ...]]:
        """Yield slices as `claims` does, each already begun, so that no slot waits for the caller.

        Claims in a thread of its own, a little ahead of the taker. What that thread raises is raised here.
        """
        claimed: queue.Queue[tuple[str, ...] | BaseException | None] = queue.Queue(CLAIMS_AHEAD)
        is_taken = threading.Event()
        is_taken.set()

        def put(what: tuple[str, ...] | BaseException | None) -> None:
            while is_taken.is_set():
                with contextlib.suppress(queue.Full):
                    return claimed.put(what, timeout=PUT_SECONDS)

        def claim() -> None:
            end: BaseException | None = None
            try:
                for slice_ids in self.claims(run_id):
                    if not is_taken.is_set():
                        return self._give_all_up(slice_ids)
                    self.begin_slices(slice_ids)
                    put(slice_ids)
            except BaseException as error:  # noqa: BLE001 - the edge of this thread: the taker hears of it
                end = error
            put(end)

        threading.Thread(target=claim, name=f"octavo-claims-{run_id}", daemon=True).start()
        try:
            while (taken := claimed.get()) is not None:
                if isinstance(taken, BaseException):
                    raise taken
                yield taken
        finally:
            is_taken.clear()

    def percent(self, run_id: RunId) -> int:
        """Return how much of the run's batch was done at its last claim, in percent, rounded down."""
        with self._lock:
            return self._percent.get(run_id, 0)

    def cancel_run(self, run_id: RunId) -> None:
        """Cancel the run's batch: somebody pressed Cancel in the Prefect UI. Running items finish."""
        with self._lock:
            self._cancelled.add(run_id)
        self._client.cancel_run(run_id)

    def is_cancelled(self, run_id: RunId) -> bool:
        """Whether `cancel_run` was called for this run."""
        with self._lock:
            return run_id in self._cancelled

    def is_stale(self, run_id: RunId) -> bool:
        """Whether the run was given up by the API and claims no more, though what it has begun continues."""
        with self._lock:
            return run_id in self._stale

    def end_run(self, run_id: RunId) -> RunSummary:
        """End a flow run; returns how its batch stands."""
        self._client.end_run(run_id)
        self.forget_run(run_id)
        return self._client.summary(run_id)

    def forget_run(self, run_id: RunId) -> None:
        """Take a run, and whatever of it is left, from the worker."""
        with self._lock:
            self._runs.pop(run_id, None)
            self._percent.pop(run_id, None)
            self._paces.pop(run_id, None)
            self._cancelled.discard(run_id)
            self._stale.discard(run_id)
            for leased in [leased for leased in self._leased.values() if leased.run_id == run_id]:
                leased.is_lost = True
                del self._leased[leased.slice.slice_id]
        self.on_change()

    def prune(self, keep_runs_seconds: float) -> Pruned:
        """Have the ledger remove what is old enough."""
        return self._client.prune(keep_runs_seconds)

    @property
    def sweeper(self) -> Sweeper:
        """What this worker sweeps storage with. Raises LookupError on a bench without."""
        if self._sweeper is None:
            raise LookupError("this bench has no sweeper")
        return self._sweeper

    @property
    def is_draining(self) -> bool:
        """Whether this worker takes nothing new."""
        return self._draining.is_set()

    # A task run

    def label(self, slice_id: str) -> str:
        """Return a name a person understands: customer and file name."""
        with self._lock:
            leased = self._leased.get(slice_id)
        if leased is None:
            return slice_id
        first, *rest = leased.slice.items
        name = first.filename or first.file_id
        return f"{leased.run.customer_name}: {name}" + (f" and {len(rest)} more" if rest else "")

    def begin_slices(self, slice_ids: Sequence[str]) -> None:
        """Begin the first attempt at these slices, each in a thread of this worker, before anybody asks for it."""
        with self._lock:
            found = [self._leased[slice_id] for slice_id in slice_ids if slice_id in self._leased]
        for leased in found:
            leased.work = self._threads.submit(self._process, leased, is_last_attempt=False)

    def process(self, slice_id: str, *, is_last_attempt: bool) -> Ended:
        """Process a slice, item by item, or attach to the work on it; return how many items succeeded and failed.

        Raises OcrProviderError when an item should be tried again and this was not the last attempt: the
        slice stays with the worker, and items that are done are not repeated.
        """
        with self._lock:
            leased = self._leased.get(slice_id)
        if leased is None:
            raise StaleLease(f"slice {slice_id} is not on this bench any more")
        begun, leased.work = leased.work, None
        is_kept = False
        try:
            return self._process(leased, is_last_attempt=is_last_attempt) if begun is None else begun.result()
        except OcrProviderError:
            is_kept = True
            raise
        finally:
            if not is_kept:
                self._remove(slice_id)

    def _process(self, leased: LeasedSlice, *, is_last_attempt: bool) -> Ended:
        is_kept = False
        try:
            return self._processor.process(leased, is_last_attempt=is_last_attempt)
        except OcrProviderError:
            is_kept = True
            raise
        finally:
            # What is not kept must free its slot whatever happened, or its lease would be renewed for ever.
            if not is_kept:
                leased.is_done = True
                self.on_change()
            elif leased.is_abandoned:
                self._give_up(leased)

    def give_up(self, slice_id: str) -> None:
        """Give back what is left of a slice that nobody asks for any more; one that was asked for is not here."""
        with self._lock:
            leased = self._leased.get(slice_id)
        if leased is None:
            return
        leased.is_abandoned = True
        if leased.work is None or leased.work.done():
            self._give_up(leased)

    def _give_up(self, leased: LeasedSlice) -> None:
        left = [item for item in leased.slice.items if item.item_id not in leased.finished]
        if left and not leased.is_done:
            logger.warning("slice %s was never processed; it is given back", leased.slice.slice_id)
            for item in left:
                self._processor.give_back(leased, item)
        self._remove(leased.slice.slice_id)

    def _give_all_up(self, slice_ids: Sequence[str]) -> None:
        for slice_id in slice_ids:
            self.give_up(slice_id)

    def _remove(self, slice_id: str) -> None:
        with self._lock:
            self._leased.pop(slice_id, None)
        self.on_change()

    # Leases

    def _keep_leases(self) -> None:
        pause = min(self._lease_seconds / RENEWALS_PER_LEASE, LONGEST_BEAT_SECONDS)
        while not self._closed.wait(pause):
            with self._lock:
                slice_ids = tuple(slice_id for slice_id, leased in self._leased.items() if not leased.is_done)
                run_ids = tuple(self._runs)
                progress = self._news.look(self._leased.values(), pause)
            try:
                slots = 0 if self._draining.is_set() else self._slots
                lost = self._client.heartbeat(slice_ids, run_ids, self._lease_seconds, slots=slots, progress=progress)
            except (ServiceUnreachable, OctavoError) as error:
                logger.warning("leases could not be renewed: %s", error.message)
                continue
            self._news.note_told(progress)
            with self._lock:
                for slice_id in lost.slice_ids:
                    if slice_id in self._leased:
                        self._leased[slice_id].is_lost = True
