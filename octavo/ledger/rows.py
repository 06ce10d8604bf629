"""Batches, items and slices as a ledger keeps them: the public record plus what only the ledger knows.

Rows are working copies and mutable; `rules` changes them, the ledgers store them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from octavo.batches import Batch, BatchStatus, Counts, Item, ItemStatus
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId, RunId, WorkerId


@dataclass(slots=True, kw_only=True)
class ItemRow:
    """One item, its lease and who ended it."""

    item_id: ItemId
    batch_id: BatchId
    file_id: FileId
    position: int
    created_at: datetime
    updated_at: datetime
    status: ItemStatus = ItemStatus.PENDING
    attempts: int = 0
    lease_no: int = 0
    """How often the item was leased; the number of the last lease is the fencing token."""
    lost_leases: int = 0
    slice_id: str | None = None
    """The slice that holds it now; None when nobody does."""
    finished_lease_no: int | None = None
    """The lease whose FINISH ended it; None when it has not ended, or ended otherwise."""
    page_count: int | None = None
    result_id: ResultId | None = None
    """Its result; also while it is read again, and then what it has again if nothing better comes of that."""
    error_code: str | None = None
    error_message: str | None = None
    error_retryable: bool | None = None
    engine: str | None = None
    seconds: float | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    pages_done: int | None = None
    pages_total: int | None = None
    kept_in: ResultId | None = None
    """Under which result to be finished pages of it were kept, whatever has become of them."""
    reused: bool = False
    failed_pages: int = 0
    """Pages of its result that could not be read."""

    def record(self) -> Item:
        """Return the item as everybody sees it."""
        return Item(
            item_id=self.item_id,
            batch_id=self.batch_id,
            file_id=self.file_id,
            position=self.position,
            status=self.status,
            attempts=self.attempts,
            page_count=self.page_count,
            result_id=self.result_id,
            error_code=self.error_code,
            error_message=self.error_message,
            error_retryable=self.error_retryable,
            created_at=self.created_at,
            started_at=self.started_at,
            completed_at=self.completed_at,
            updated_at=self.updated_at,
            is_leased=self.slice_id is not None,
            reused=self.reused,
            pages_done=self.pages_done if self.status is ItemStatus.RUNNING else None,
            pages_total=self.pages_total if self.status is ItemStatus.RUNNING else None,
            failed_pages=self.failed_pages,
        )


@dataclass(slots=True, kw_only=True)
class BatchRow:
    """One batch; its counts are kept up with every commit, never recounted."""

    batch_id: BatchId
    customer_id: CustomerId
    total_items: int
    engine: str | None
    options: Mapping[str, object]
    metadata: Mapping[str, object] | None
    priority: int
    retention_seconds: int
    created_at: datetime
    expires_at: datetime
    pending: int
    unleased: int
    """Of the pending items, those that no slice holds."""
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    status: BatchStatus = BatchStatus.PENDING
    cancel_requested_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    retried_at: datetime | None = None
    """When failed items were last made pending again; not read back from a file, for only the archive asks for it."""
    batch_no: int = 0
    """The batch's number in the file; a ledger without a file has no use for it."""

    def counts(self) -> Counts:
        """Return how many items have each status."""
        return Counts(
            pending=self.pending,
            running=self.running,
            succeeded=self.succeeded,
            failed=self.failed,
            cancelled=self.cancelled,
        )

    def record(self) -> Batch:
        """Return the batch as everybody sees it."""
        return Batch(
            batch_id=self.batch_id,
            customer_id=self.customer_id,
            status=self.status,
            counts=self.counts(),
            total_items=self.total_items,
            engine=self.engine,
            options=self.options,
            metadata=self.metadata,
            priority=self.priority,
            retention_seconds=self.retention_seconds,
            cancel_requested_at=self.cancel_requested_at,
            created_at=self.created_at,
            started_at=self.started_at,
            completed_at=self.completed_at,
            expires_at=self.expires_at,
        )


@dataclass(slots=True, kw_only=True)
class SliceRow:
    """One open slice: an occupied place under its customer's cap."""

    slice_id: str
    batch_id: BatchId
    customer_id: CustomerId
    run_id: RunId
    worker_id: WorkerId
    expires_at: datetime
    open_items: int
    """Items it still holds; at none it is closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one succeeded item is billed; written once, never changed."""

    item_id: ItemId
    batch_id: BatchId
    customer_id: CustomerId
    pages: int
    created_at: datetime
