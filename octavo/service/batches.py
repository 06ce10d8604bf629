"""Batches as their customer follows them: get, list, cancel, let failed items run again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from octavo import cursors
from octavo.batches import Batch, BatchStatus, Customer, Item
from octavo.identifiers import BatchId, CustomerId, ItemId
from octavo.ledger.contract import BatchCursor, ItemCursor, Ledger, Retried, Retry
from octavo.ledger.watching import Unwatch
from octavo.service.admission import require_pages
from octavo.service.submission import RunStarter


@dataclass(frozen=True, slots=True)
class BatchPage:
    """Some of a customer's batches, newest first."""

    batches: Sequence[Batch]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class BatchState:
    """A batch and those of its items that changed after a cursor, oldest change first."""

    batch: Batch
    items: Sequence[Item]
    next_cursor: str | None
    """Where to continue; None when nothing more can come."""

    @property
    def is_news(self) -> bool:
        """Whether there is anything here that ends a wait: a changed item, or the batch's end."""
        return bool(self.items) or self.batch.status.is_terminal


@dataclass(frozen=True, slots=True)
class RetriedBatch:
    """A batch whose failed items run again, and where to continue reading its items."""

    retried: Retried
    next_cursor: str | None
    """None when the batch has ended and nothing runs again."""


@dataclass(frozen=True, slots=True)
class Batches:
    """Shows batches to their customer and changes them at its wish."""

    ledger: Ledger
    runs: RunStarter

    def page(self, customer: Customer, status: BatchStatus | None, cursor: str | None, limit: int) -> BatchPage:
        """Return up to `limit` batches after the cursor; an empty one is the beginning. Raises InvalidCursor."""
        scope = f"batches:{customer.customer_id}"
        after = None
        if cursor:
            created_at, batch_id = cursors.decode(scope, cursor)
            after = BatchCursor(created_at, BatchId(batch_id))
        found = self.ledger.batches.of_customer(customer.customer_id, status=status, after=after, limit=limit + 1)
        page = found[:limit]
        more = cursors.encode(scope, page[-1].created_at, page[-1].batch_id) if len(found) > limit else None
        return BatchPage(page, more)

    def state(self, customer_id: CustomerId, batch_id: BatchId, cursor: str | None, limit: int) -> BatchState:
        """Return a batch and up to `limit` items after the cursor. Raises BatchNotFound, InvalidCursor."""
        after = _place(batch_id, cursor)
        batch = self.ledger.batches.get(customer_id, batch_id)
        found = self.ledger.batches.items(batch_id, after=after, limit=limit + 1)
        page = found[:limit]
        next_cursor = cursor or None
        if page:
            next_cursor = cursors.encode(batch_id, page[-1].updated_at, page[-1].item_id)
        if len(found) <= limit and batch.status.is_terminal:
            next_cursor = None
        return BatchState(batch, page, next_cursor)

    def watch(self, batch_id: BatchId, tell: Callable[[], None]) -> Unwatch:
        """Have `tell` called, from any thread, whenever it is worth another look at a batch's state."""
        return self.ledger.batches.watch(batch_id, tell)

    def cancel(self, customer: Customer, batch_id: BatchId) -> Batch:
        """Cancel what is pending. Raises BatchNotFound."""
        return self.ledger.batches.cancel(customer.customer_id, batch_id)

    def retry_failed(self, customer: Customer, asked: Retry) -> RetriedBatch:
        """Have failed items run again. Raises QuotaExceeded, BatchNotFound, BatchCancelling, UnknownFiles.

        Pages that are read again cost nothing; so only items that failed need a page of the quota.
        """
        if asked.codes is None or asked.codes:
            require_pages(self.ledger.billing, customer)
        found = self.ledger.batches.retry_failed(asked)
        if found.items and found.had_ended:
            self.runs.start(found.batch.batch_id)
        is_over = found.batch.status.is_terminal
        return RetriedBatch(found, None if is_over else cursors.encode(asked.batch_id, found.since, ""))


def _place(batch_id: BatchId, cursor: str | None) -> ItemCursor | None:
    if not cursor:
        return None
    updated_at, item_id = cursors.decode(batch_id, cursor)
    return ItemCursor(updated_at, ItemId(item_id))
