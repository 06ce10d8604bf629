"""What happens to the items, batches and slices of one commit: the one place with the ledger's transitions.

A `UnitOfWork` is the rows one commit touches. The ledger puts the rows in, says what happened, and stores what the
unit of work reports as changed. No storage, no clock; no method here can fail half-way.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from datetime import timedelta

from octavo.batches import MAX_LOST_LEASES, Batch, ItemStatus
from octavo.identifiers import BatchId, FileId, ItemId, ResultId
from octavo.ledger import refusals, rules
from octavo.ledger.contract import ItemProgress, Report, ReportKind, ReportResult, Reservation
from octavo.ledger.quotas import Quotas
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow, UsageRow
from octavo.outcomes import Failed, Outcome, Succeeded, failure, lost_too_often, over_quota


class UnitOfWork:
    """The rows of one commit and the transitions on them."""

    def __init__(
        self,
        items: MutableMapping[ItemId, ItemRow],
        batches: MutableMapping[BatchId, BatchRow],
        slices: MutableMapping[str, SliceRow],
        stamp: rules.Stamp,
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
        """Start again with what has changed: it is stored."""
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
        """Set pages aside for an item that is in progress, or begins with this. Raises StaleLease."""
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
        if rules.settle(batch, self.stamp):
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
    if rules.is_free(item):
        batch.unleased += by
