"""What words about items do to rows: the one place with the ledger's transitions. No storage, no clock.

A `Work` is the rows one commit touches. The ledger puts the rows in, says what happened, and
stores what `Work` reports as changed. No method here can fail half-way.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from octavo.batches import (
    MAX_LOST_LEASES,
    Batch,
    BatchStatus,
    ItemStatus,
    NewBatch,
    Run,
    RunStatus,
    batch_status,
)
from octavo.identifiers import BatchId, FileId, ItemId, ResultId, RunId, WorkerId, random_part
from octavo.ledger import refusals
from octavo.ledger.contract import ClaimRequest, ItemProgress, Report, ReportKind, ReportResult, Reservation
from octavo.ledger.quotas import Quotas
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow, UsageRow
from octavo.outcomes import Failed, Outcome, Succeeded, failure, lost_too_often, over_quota

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
class Room:
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


def room(request: ClaimRequest, *, cap: int, of_customer: int, of_worker: int) -> Room:
    """Return the room for a claim, from the slices its customer and its worker have open."""
    slots = request.slots if request.worker_slots is None else request.worker_slots - of_worker
    return Room(customer=cap - of_customer, worker=slots, run=request.slots)


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


class Work:
    """The rows of one commit and the transitions on them."""

    def __init__(
        self,
        items: MutableMapping[ItemId, ItemRow],
        batches: MutableMapping[BatchId, BatchRow],
        slices: MutableMapping[str, SliceRow],
        stamp: Stamp,
        quotas: Quotas,
    ) -> None:
        self.items = items
        self.batches = batches
        self.slices = slices
        self.stamp = stamp
        self.quotas = quotas
        self.changed_items: dict[ItemId, ItemRow] = {}
        self.leased_items: dict[ItemId, ItemRow] = {}
        """Those of which the lease is new; nothing else of them changes with it."""
        self.changed_batches: dict[BatchId, BatchRow] = {}
        self.ended_batches: list[Batch] = []
        """Those that this has ended, each as it was at its end."""
        self.closed_slices: set[str] = set()
        self.shrunk_slices: set[str] = set()
        self.new_slices: list[SliceRow] = []
        self.usage: list[UsageRow] = []
        self.sha256: dict[FileId, str] = {}
        self.progressed_items: dict[ItemId, ItemRow] = {}
        """Those of which `pages_done`, `pages_total` or `kept_in` is new, and `updated_at` with it."""

    def forget_changes(self) -> None:
        """Begin anew with what has changed: it is stored."""
        for changes in (
            self.changed_items,
            self.leased_items,
            self.progressed_items,
            self.changed_batches,
            self.sha256,
        ):
            changes.clear()
        self.closed_slices.clear()
        self.shrunk_slices.clear()
        self.new_slices.clear()
        self.usage.clear()
        self.ended_batches.clear()
        self.quotas.forget_changes()

    # What happens to items

    def lease(self, items: Sequence[ItemRow], slice_row: SliceRow) -> None:
        """Give pending items that nobody holds to a new slice, each under a new fencing token.

        Leaves `updated_at` alone: nobody outside sees a lease.
        """
        self.slices[slice_row.slice_id] = slice_row
        self.new_slices.append(slice_row)
        for item in items:
            item.lease_no += 1
            item.slice_id = slice_row.slice_id
            self.batches[item.batch_id].unleased -= 1
            self.leased_items[item.item_id] = item
        self.changed_batches[slice_row.batch_id] = self.batches[slice_row.batch_id]

    def report(self, report: Report) -> bool:
        """Take one word; False when it is late and has left no trace."""
        item = self.items.get(report.item_id)
        if item is None:
            return False
        if item.finished_lease_no is not None and item.finished_lease_no == report.lease_no:
            return report.kind is not ReportKind.RELEASE and not report.again
        if item.slice_id is None or item.lease_no != report.lease_no:
            return False
        if report.kind is ReportKind.BEGIN:
            self._begin(item, again=report.again)
        elif report.kind is ReportKind.FINISH and report.outcome is not None:
            self._finish(item, report.outcome)
        else:
            self.give_back(item, lost=False)
        return True

    def reserve(self, asked: Reservation) -> bool:
        """Set pages aside for an item that is in work, or begins with this. Raises StaleLease."""
        item = self.items.get(asked.item_id)
        if item is None or item.slice_id is None or item.lease_no != asked.lease_no:
            raise refusals.lease_is_over(asked.item_id)
        is_billed = item.result_id is not None
        if not is_billed and not self.quotas.reserve(
            item.item_id, self.batches[item.batch_id].customer_id, asked.pages
        ):
            return False
        self._begin(item, again=False)
        return True

    def progress(self, told: ItemProgress) -> None:
        """Note how far a running item is; what is late or not new leaves no trace."""
        item = self.items.get(told.item_id)
        if item is None or item.status is not ItemStatus.RUNNING or item.lease_no != told.lease_no:
            return
        new = told.pages_done, told.pages_total, told.kept_in or item.kept_in
        if new != (item.pages_done, item.pages_total, item.kept_in):
            item.pages_done, item.pages_total, item.kept_in = new
            item.updated_at = self.stamp()
            self.progressed_items[item.item_id] = item

    def result(self, report: Report, *, accepted: bool) -> ReportResult:
        """Return what to answer to a report once all words of the commit were taken."""
        item = self.items.get(report.item_id)
        if item is None:
            return ReportResult(report.item_id, accepted=False, batch_id=None, batch_ended=False)
        ended = self.batches[item.batch_id].status.is_terminal
        return ReportResult(report.item_id, accepted=accepted, batch_id=item.batch_id, batch_ended=ended)

    def give_back(self, item: ItemRow, *, lost: bool) -> None:
        """Take a leased item from its slice, to be leased again.

        `lost` counts a lost lease if work on it had begun; at `MAX_LOST_LEASES` the item fails.
        In a batch whose cancel was asked the item is cancelled instead. One that has a result has it again in both
        cases.
        """
        begun = item.status is ItemStatus.RUNNING
        if lost and begun:
            item.lost_leases += 1
        if self.batches[item.batch_id].cancel_requested_at is not None:
            self._end(item, ItemStatus.CANCELLED)
        elif lost and begun and item.lost_leases >= MAX_LOST_LEASES:
            self._fail(item, lost_too_often(item.lost_leases))
        else:
            self._put(item, ItemStatus.PENDING, held=False)

    def give_back_slices(self, slice_ids: Iterable[str], *, lost: bool) -> set[BatchId]:
        """Do that to all items of these slices; return the batches they belong to."""
        taken = set(slice_ids)
        for item in [item for item in self.items.values() if item.slice_id in taken]:
            self.give_back(item, lost=lost)
        return {self.slices[slice_id].batch_id for slice_id in taken}

    def cancel(self, batch: BatchRow, pending: Iterable[ItemRow]) -> None:
        """Cancel a batch that has not ended; `pending` is all of its pending items."""
        if batch.cancel_requested_at is None:
            batch.cancel_requested_at = self.stamp()
        for item in pending:
            self._end(item, ItemStatus.CANCELLED)
        self._settle(batch)
        self.changed_batches[batch.batch_id] = batch

    def reopen(self, batch: BatchRow, items: Sequence[ItemRow]) -> None:
        """Let items that ended, one at least, run again; the batch has its end before it once more.

        A result stays the item's: see `_end`.
        """
        batch.cancel_requested_at = batch.completed_at = None
        batch.retried_at = self.stamp()
        batch.expires_at = batch.retried_at + timedelta(seconds=batch.retention_seconds)
        for item in items:
            item.lost_leases = 0
            item.finished_lease_no = item.completed_at = None
            item.error_code = item.error_message = item.error_retryable = None
            self._put(item, ItemStatus.PENDING, held=False)

    def cancel_counts(self, batch: BatchRow, held: Mapping[str, int], with_result: int) -> None:
        """Do that where the items themselves are changed elsewhere, all by one statement.

        `held` is how many pending items each slice holds, `with_result` how many have a result from before.
        """
        for slice_id, count in held.items():
            self.shrink(slice_id, by=count)
        batch.succeeded += with_result
        batch.cancelled += batch.pending - with_result
        batch.pending = batch.unleased = 0
        self.cancel(batch, ())

    def _begin(self, item: ItemRow, *, again: bool) -> None:
        if item.status is ItemStatus.RUNNING and not again:
            return
        item.attempts += 1
        if item.pages_total is not None:
            item.pages_done = item.pages_total = None
            self.progressed_items[item.item_id] = item
        if item.started_at is None:
            item.started_at = self.stamp()
        batch = self.batches[item.batch_id]
        if batch.started_at is None:
            batch.started_at = self.stamp()
        item.updated_at = self.stamp()
        self._put(item, ItemStatus.RUNNING, held=True)

    def _finish(self, item: ItemRow, outcome: Outcome) -> None:
        self._begin(item, again=False)
        item.finished_lease_no = item.lease_no
        if outcome.sha256 is not None:
            self.sha256[item.file_id] = outcome.sha256
        if isinstance(outcome, Succeeded):
            self._succeed(item, outcome)
        else:
            self._fail(item, outcome)

    def _succeed(self, item: ItemRow, outcome: Succeeded) -> None:
        if item.result_id is not None:
            return self._mend(item, item.result_id, outcome)
        customer_id = self.batches[item.batch_id].customer_id
        if not self.quotas.bill(item.item_id, customer_id, outcome.page_count):
            return self._fail(item, failure(over_quota()))
        _take(item, outcome)
        self.usage.append(
            UsageRow(
                item_id=item.item_id,
                batch_id=item.batch_id,
                customer_id=customer_id,
                pages=outcome.page_count,
                created_at=self.stamp(),
            )
        )
        self._end(item, ItemStatus.SUCCEEDED)

    def _mend(self, item: ItemRow, former: ResultId, outcome: Succeeded) -> None:
        """Take the result of an item that has one and is billed for it, if fewer of its pages have failed."""
        if outcome.failed_pages < item.failed_pages:
            _take(item, outcome)
            if outcome.result_id != former:
                # Nobody names it any more: it goes with the batch, where its pages lie too.
                item.kept_in = former
                self.progressed_items[item.item_id] = item
        self._end(item, ItemStatus.SUCCEEDED)

    def _fail(self, item: ItemRow, outcome: Failed) -> None:
        if item.result_id is None:
            item.error_code = outcome.code
            item.error_message = outcome.message
            item.error_retryable = outcome.retryable
        self._end(item, ItemStatus.FAILED)

    def _end(self, item: ItemRow, status: ItemStatus) -> None:
        """End an item; one that has a result from before has it again, however its further reading ended."""
        item.completed_at = self.stamp()
        self._put(item, status if item.result_id is None else ItemStatus.SUCCEEDED, held=False)

    # Keeping count

    def _put(self, item: ItemRow, status: ItemStatus, *, held: bool) -> None:
        """Move an item to a status; the one place that keeps the batch's and the slice's counts."""
        batch = self.batches[item.batch_id]
        _count(batch, item, -1)
        if not held and item.slice_id is not None:
            self.shrink(item.slice_id, by=1)
            item.slice_id = None
            self.quotas.drop(item.item_id)
        if item.status is not status:
            item.status = status
            item.updated_at = self.stamp()
        _count(batch, item, 1)
        self.changed_items[item.item_id] = item
        self.changed_batches[batch.batch_id] = batch
        self._settle(batch)

    def _settle(self, batch: BatchRow) -> None:
        if settle(batch, self.stamp):
            self.ended_batches.append(batch.record())

    def shrink(self, slice_id: str, *, by: int) -> None:
        """Say that a slice holds so many items fewer; at none it is closed."""
        slice_row = self.slices[slice_id]
        slice_row.open_items -= by
        self.shrunk_slices.add(slice_id)
        if slice_row.open_items == 0:
            self.closed_slices.add(slice_id)


def _take(item: ItemRow, outcome: Succeeded) -> None:
    item.page_count = outcome.page_count
    item.failed_pages = outcome.failed_pages
    item.reused = outcome.reused
    item.result_id = outcome.result_id
    item.engine = outcome.engine
    item.seconds = outcome.seconds


def _count(batch: BatchRow, item: ItemRow, by: int) -> None:
    setattr(batch, item.status.value, getattr(batch, item.status.value) + by)
    if is_free(item):
        batch.unleased += by
