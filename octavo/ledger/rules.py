"""What may be claimed, what makes sense to ask for, and what follows for a batch or a run. No storage, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from octavo.batches import (
    MAX_LOST_LEASES,
    BatchStatus,
    ItemStatus,
    NewBatch,
    Run,
    RunStatus,
    batch_status,
)
from octavo.identifiers import RunId, WorkerId, random_part
from octavo.ledger.contract import ClaimRequest, Report, ReportKind
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow

IDEMPOTENCY_WINDOW = timedelta(hours=24)
SEEN_LATELY = timedelta(seconds=1)


class Stamp:
    """The `updated_at` of one commit: its moment, but always later than that of any commit before.

    Made when first asked for, so that a commit which touches no item leaves the sequence alone.
    """

    def __init__(self, now: datetime, last: datetime) -> None:
        self._now = now
        self._last = last
        self.used = False

    def __call__(self) -> datetime:
        """Return the commit's moment."""
        self.used = True
        return max(self._now, self._last + timedelta(microseconds=1))


def new_batch_row(new: NewBatch, moment: datetime) -> BatchRow:
    """Return a batch nothing has happened to."""
    return BatchRow(
        batch_id=new.batch_id,
        customer_id=new.customer_id,
        total_items=len(new.items),
        engine=new.engine,
        options=new.options,
        metadata=new.metadata,
        priority=new.priority,
        retention_seconds=new.retention_seconds,
        created_at=moment,
        expires_at=moment + timedelta(seconds=new.retention_seconds),
        pending=len(new.items),
        unleased=len(new.items),
        dialect=new.options.dialect,
    )


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many more slices a claim may open, and who says so."""

    customer: int
    """Places left under the customer's cap."""
    worker: int
    """Slots left at the worker."""
    run: int
    """Slots the run asked for."""

    def sizes(self, batch: BatchRow, slice_items: int) -> list[int]:
        """Return how many items each new slice gets: as many slices as can have one, of about equal size.

        Equal, because a slot with twice the work of the others would end last and alone.
        """
        slices = min(self.customer, self.worker, self.run, batch.unleased)
        if slices <= 0 or not is_claimable(batch):
            return []
        small, larger = divmod(min(batch.unleased, slices * slice_items), slices)
        return [small + 1] * larger + [small] * (slices - larger)

    def at_cap(self, batch: BatchRow) -> bool:
        """Whether the customer's cap alone kept items from being leased; asked after the claim."""
        return is_claimable(batch) and batch.unleased > 0 and self.customer < min(self.worker, self.run)


def capacity(request: ClaimRequest, *, cap: int, of_customer: int, of_worker: int) -> Capacity:
    """Return the room for a claim, from the slices its customer and its worker have open."""
    slots = request.slots if request.worker_slots is None else request.worker_slots - of_worker
    return Capacity(customer=cap - of_customer, worker=slots, run=request.slots)


def fitting(free: Sequence[ItemRow], size: int) -> int:
    """Return how many of the first free items make one slice of at most `size`.

    An item that has lost all leases but one stands alone: if it is what kills its workers, it takes no other along.
    """
    for place, item in enumerate(free[:size]):
        if is_on_its_last_lease(item):
            return max(place, 1)
    return min(size, len(free))


def is_on_its_last_lease(item: ItemRow) -> bool:
    """Whether the next lost lease of an item ends it."""
    return item.lost_leases >= MAX_LOST_LEASES - 1


def new_slice(request: ClaimRequest, batch: BatchRow, expires_at: datetime, size: int) -> SliceRow:
    """Return an open slice of so many items for whoever asks."""
    return SliceRow(
        slice_id=f"slice_{random_part()}",
        batch_id=batch.batch_id,
        customer_id=batch.customer_id,
        run_id=request.run_id,
        worker_id=request.worker_id,
        expires_at=expires_at,
        open_items=size,
    )


def is_free(item: ItemRow) -> bool:
    """Whether an item waits and nobody holds it."""
    return item.status is ItemStatus.PENDING and item.slice_id is None


def is_claimable(batch: BatchRow) -> bool:
    """Whether items of the batch may be leased."""
    return batch.status in (BatchStatus.PENDING, BatchStatus.RUNNING)


def check_claim(request: ClaimRequest) -> None:
    """Raise ValueError for a claim that makes no sense."""
    if request.slots < 0 or request.slice_items < 1 or request.lease_seconds <= 0:
        raise ValueError(f"not a claim: {request}")


def check_reports(reports: Sequence[Report]) -> None:
    """Raise ValueError for a FINISH without an outcome, before anything is written."""
    for report in reports:
        if report.kind is ReportKind.FINISH and report.outcome is None:
            raise ValueError(f"a finish needs an outcome: {report.item_id}")


def check_revoke(worker_id: WorkerId | None, run_id: RunId | None) -> None:
    """Raise ValueError unless exactly one is given."""
    if (worker_id is None) == (run_id is None):
        raise ValueError("revoke takes a worker or a run, and only one of them")


def check_batch(new: NewBatch) -> None:
    """Raise ValueError for a batch without items: it could never end."""
    if not new.items:
        raise ValueError("a batch has at least one item")


def check_end(status: RunStatus) -> None:
    """Raise ValueError for a status that is no end."""
    if status not in (RunStatus.ENDED, RunStatus.LOST):
        raise ValueError(f"a run does not end as {status}")


def is_over(run: Run) -> bool:
    """Whether a run was given up or has ended, and may claim no more."""
    return run.status in (RunStatus.ENDED, RunStatus.LOST)


def opened(run: Run, worker_id: WorkerId, now: datetime) -> Run:
    """Return the run once a worker has begun it; a lost one stays lost, an ended one lives again."""
    if run.status is RunStatus.LOST:
        return run
    return replace(run, status=RunStatus.ACTIVE, worker_id=worker_id, seen_at=now)


def claimed_by(run: Run, worker_id: WorkerId, now: datetime) -> Run:
    """Return the run once it has claimed: opened, but the same when it was seen less than a second ago."""
    is_fresh = timedelta(0) <= now - run.seen_at < SEEN_LATELY
    if run.status is RunStatus.ACTIVE and run.worker_id == worker_id and is_fresh:
        return run
    return opened(run, worker_id, now)


def ended(run: Run, status: RunStatus) -> Run:
    """Return the run once it has ended; one that has ended by itself is not lost any more."""
    return run if run.status is RunStatus.ENDED else replace(run, status=status)


def settle(batch: BatchRow, stamp: Stamp) -> bool:
    """Give a batch the status its items make; at the end also `completed_at` and a fresh `expires_at`.

    Returns whether this ended it.
    """
    batch.status = batch_status(
        batch.counts(),
        started=batch.started_at is not None,
        cancel_requested=batch.cancel_requested_at is not None,
    )
    if not batch.status.is_terminal or batch.completed_at is not None:
        return False
    batch.completed_at = stamp()
    batch.expires_at = batch.completed_at + timedelta(seconds=batch.retention_seconds)
    return True
