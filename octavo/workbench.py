"""What one worker process has on its bench: its slices, their leases, and the tools to work on them.

Knows nothing of Prefect. A flow run opens itself here, claims slices, and hands their ids to task
runs; a task run works its slice off by id. A thread renews the leases of what lies on the bench.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from octavo.batches import MAX_LOST_LEASES, ClaimedItem, Slice
from octavo.client.outbox import Outbox
from octavo.client.worker import WorkerClient
from octavo.client.worker_protocol import OpenedRun, OpenRun, RunSummary
from octavo.engines.sandbox.failures import ChildLost, SandboxUnavailable
from octavo.errors import (
    InternalError,
    OcrProviderError,
    OctavoError,
    ServiceUnreachable,
    StaleLease,
    StorageUnavailable,
)
from octavo.extraction.items import ItemOptions, ItemWork
from octavo.identifiers import BatchId, CustomerId, ItemId, RunId
from octavo.ledger.contract import ClaimRequest, Report, ReportKind
from octavo.outcomes import Failed, Outcome, Succeeded, failure, lost_too_often
from octavo.pacing import Pace

logger = logging.getLogger(__name__)
CLAIM_WAIT_SECONDS = 20.0
RENEWALS_PER_LEASE = 3
LONGEST_BEAT_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 0.2
FIRST_LEASE_SECONDS = 20.0
"""Life of a lease until its first renewal: a claim whose answer was lost, with an API that died, is soon free again."""
MAX_OUTAGES = 20
"""Outages of storage during one item; each was waited out, so this many mean a fault that waiting does not mend."""
LONGEST_PAUSE_SECONDS = 5.0


@dataclass
class _Held:
    """A slice on the bench and how far its work has come."""

    piece: Slice
    run: OpenedRun
    run_id: RunId
    pace: Pace
    attempts: dict[ItemId, int] = field(default_factory=dict)
    finished: set[ItemId] = field(default_factory=set)
    is_lost: bool = False


class _Draining(Exception):
    """Ends work that was about to begin on a worker that takes nothing new."""


class Workbench:
    """The slices of one worker process. Thread-safe."""

    def __init__(
        self,
        client: WorkerClient,
        work: ItemWork,
        *,
        slots: int,
        lease_seconds: float,
        on_change: Callable[[], None],
    ) -> None:
        self._client = client
        self._work = work
        self._slots = slots
        self._lease_seconds = lease_seconds
        self._held: dict[str, _Held] = {}
        self._outbox = Outbox(lambda reports: client.report(*reports))
        self._runs: dict[RunId, OpenedRun] = {}
        self._paces: dict[RunId, Pace] = {}
        self._percent: dict[RunId, int] = {}
        self._cancelled: set[RunId] = set()
        self._lock = threading.Lock()
        self._draining = threading.Event()
        self._closed = threading.Event()
        self.on_change = on_change
        self._beat = threading.Thread(target=self._keep_leases, name="octavo-leases", daemon=True)

    # A worker's life

    @property
    def slots(self) -> int:
        """How many slices may be in work at once."""
        return self._slots

    def start(self) -> None:
        """Begin to renew leases."""
        self._beat.start()

    def drain(self) -> None:
        """Claim nothing more; what is on the bench is finished. Claims that wait are answered at once."""
        self._draining.set()
        try:
            self._client.drain()
        except OctavoError as error:
            logger.warning("the API does not hear that this worker drains: %s", error.message)

    def close(self) -> None:
        """Stop renewing leases, send what is still to be said."""
        self._closed.set()
        self._outbox.close()
        if self._beat.is_alive():
            self._beat.join(timeout=5)

    def lanes_by_customer(self) -> Mapping[CustomerId, int]:
        """Return how many lanes each customer has open here."""
        with self._lock:
            found: dict[CustomerId, int] = {}
            for held in self._held.values():
                found[held.run.customer_id] = found.get(held.run.customer_id, 0) + 1
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
                lanes=min(run.item_cap, self._slots),
                slice_items=pace.slice_items,
                lease_seconds=min(self._lease_seconds, FIRST_LEASE_SECONDS),
                worker_slots=self._slots,
            )
            try:
                claim = self._client.claim(request, wait_seconds=CLAIM_WAIT_SECONDS)
            except StaleLease as error:
                logger.warning("run %s claims no more: %s", run_id, error.message)
                return
            done = run.total_items - claim.unleased - claim.held
            with self._lock:
                self._percent[run_id] = 100 * done // max(1, run.total_items)
                for piece in claim.slices:
                    self._held[piece.slice_id] = _Held(piece, run, run_id, pace)
            self.on_change()
            if claim.slices:
                yield tuple(piece.slice_id for piece in claim.slices)
            elif claim.unleased == 0 and claim.held == 0:
                return

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

    def end_run(self, run_id: RunId) -> RunSummary:
        """End a flow run; returns how its batch stands."""
        self._client.end_run(run_id)
        self.forget_run(run_id)
        return self._client.summary(run_id)

    def forget_run(self, run_id: RunId) -> None:
        """Take a run, and whatever of it is left, off the bench."""
        with self._lock:
            self._runs.pop(run_id, None)
            self._percent.pop(run_id, None)
            self._paces.pop(run_id, None)
            self._cancelled.discard(run_id)
            self._held = {key: held for key, held in self._held.items() if held.run_id != run_id}
        self.on_change()

    @property
    def is_draining(self) -> bool:
        """Whether this worker takes nothing new."""
        return self._draining.is_set()

    # A task run

    def label(self, slice_id: str) -> str:
        """Return a name a person understands: customer and file name."""
        with self._lock:
            held = self._held.get(slice_id)
        if held is None:
            return slice_id
        first, *rest = held.piece.items
        name = first.filename or first.file_id
        return f"{held.run.customer_name}: {name}" + (f" and {len(rest)} more" if rest else "")

    def work_off(self, slice_id: str, *, is_last_attempt: bool) -> tuple[int, int]:
        """Work a slice off, item by item; returns how many succeeded and failed.

        Raises OcrProviderError when an item should be tried again and this was not the last attempt: the
        slice stays on the bench, and items that are done are not repeated.
        """
        with self._lock:
            held = self._held.get(slice_id)
        if held is None:
            raise StaleLease(f"slice {slice_id} is not on this bench any more")
        is_kept = False
        try:
            told = [
                self._work_on(held, item, is_last_attempt=is_last_attempt)
                for item in held.piece.items
                if not held.is_lost and item.item_id not in held.finished
            ]
            self._outbox.flush()
            outcomes = [outcome for outcome, answer in told if answer is not None and answer.result()]
        except OcrProviderError:
            is_kept = True
            raise
        finally:
            # What is not kept must leave the bench whatever happened, or its lease would be renewed for ever.
            if not is_kept:
                self._take_off(slice_id)
        failed = sum(isinstance(outcome, Failed) for outcome in outcomes)
        return len(outcomes) - failed, failed

    def give_up(self, slice_id: str) -> None:
        """Give back what is left of a slice that nobody works on any more; one that is done is not here."""
        with self._lock:
            held = self._held.get(slice_id)
        if held is None:
            return
        logger.warning("slice %s was never worked off; it goes back", slice_id)
        for item in held.piece.items:
            if item.item_id not in held.finished:
                self._give_back(held, item)
        self._take_off(slice_id)

    def _take_off(self, slice_id: str) -> None:
        with self._lock:
            self._held.pop(slice_id, None)
        self.on_change()

    def _work_on(
        self, held: _Held, item: ClaimedItem, *, is_last_attempt: bool
    ) -> tuple[Outcome | None, "Future[bool] | None"]:
        """Return the item's outcome and the ledger's word on it, which may be on its way; nothing for one given up."""
        if self._draining.is_set() and item.item_id not in held.attempts:
            self._give_back(held, item)
            return None, None
        began = time.monotonic()
        outcome = self._outcome(held, item, is_last_attempt=is_last_attempt)
        held.finished.add(item.item_id)
        if outcome is None:
            return None, None
        # The reading alone: what waits for storage and ledger would shrink slices just when they are busy.
        held.pace.add(outcome.seconds if isinstance(outcome, Succeeded) else time.monotonic() - began)
        report = Report(kind=ReportKind.FINISH, item_id=item.item_id, lease_no=item.lease_no, outcome=outcome)
        return outcome, self._outbox.put(report, is_urgent=not held.pace.is_short)

    def _give_back(self, held: _Held, item: ClaimedItem) -> None:
        held.finished.add(item.item_id)
        self._tell(Report(kind=ReportKind.RELEASE, item_id=item.item_id, lease_no=item.lease_no))

    def _outcome(self, held: _Held, item: ClaimedItem, *, is_last_attempt: bool) -> Outcome | None:
        """Work until there is an outcome, over trouble that is not the document's; None when it is given up."""
        lost, outages = item.lost_leases, 0
        while not held.is_lost:
            try:
                return self._try(held, item, is_last_attempt=is_last_attempt)
            except ChildLost as error:
                lost += 1
                logger.warning("item %s is tried again: %s", item.item_id, error.message)
            except StorageUnavailable as error:
                outages += 1
                logger.warning("item %s waits for storage: %s", item.item_id, error.message)
            if lost >= MAX_LOST_LEASES:
                return lost_too_often(lost)
            if outages >= MAX_OUTAGES:
                return failure(InternalError("Storage failed again and again while the file was worked on."))
            if not self._wait_for_storage():
                self._give_back(held, item)
                return None
        return None

    def _wait_for_storage(self) -> bool:
        """Wait until storage answers; False when this worker drains meanwhile."""
        pause = FIRST_PAUSE_SECONDS
        while not self._draining.wait(pause):
            if self._work.is_storage_there():
                return True
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return False

    def _try(self, held: _Held, item: ClaimedItem, *, is_last_attempt: bool) -> Outcome | None:
        options = ItemOptions.of_batch(held.run.options)
        try:
            return self._work.do(item, options, begin=lambda: self._begin(held, item))
        except OcrProviderError as error:
            if not is_last_attempt:
                raise
            return failure(error)
        except _Draining:
            self._give_back(held, item)
            return None
        except StaleLease:
            logger.info("item %s was taken away before work on it began", item.item_id)
            return None
        except (StorageUnavailable, ChildLost, ServiceUnreachable, SandboxUnavailable):
            raise
        except Exception:  # the edge of the worker: a defect of ours must not be taken for a bad document
            logger.exception("item %s met a defect", item.item_id)
            return failure(InternalError("Something went wrong on our side; submit the file again."))

    def _begin(self, held: _Held, item: ClaimedItem) -> None:
        times = held.attempts.get(item.item_id, 0)
        if self._draining.is_set() and times == 0:
            # It has waited for a child until now; whoever comes next begins it.
            raise _Draining
        report = Report(kind=ReportKind.BEGIN, item_id=item.item_id, lease_no=item.lease_no, again=times > 0)
        # A short item does not wait for the ledger's word: its end, a moment later, mostly goes with its beginning.
        is_short = held.pace.is_short and times == 0
        answer = self._outbox.put(report, is_urgent=not is_short)
        if held.is_lost or not (is_short or answer.result()):
            raise StaleLease(f"item {item.item_id} is no longer ours")
        held.attempts[item.item_id] = times + 1

    def _tell(self, report: Report) -> bool:
        return self._outbox.put(report).result()

    # Leases

    def _keep_leases(self) -> None:
        pause = min(self._lease_seconds / RENEWALS_PER_LEASE, LONGEST_BEAT_SECONDS)
        while not self._closed.wait(pause):
            with self._lock:
                slice_ids, run_ids = tuple(self._held), tuple(self._runs)
            try:
                lost = self._client.heartbeat(slice_ids, run_ids, self._lease_seconds)
            except (ServiceUnreachable, OctavoError) as error:
                logger.warning("leases could not be renewed: %s", error.message)
                continue
            with self._lock:
                for slice_id in lost.slice_ids:
                    if slice_id in self._held:
                        self._held[slice_id].is_lost = True
