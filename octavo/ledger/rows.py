"""Batches, items and slices as a ledger keeps them: the public record plus what only the ledger knows.

Rows are working copies and mutable; `rules` changes them, the ledgers store them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from octavo.batch_options import BatchOptions, Dialect
from octavo.batches import ApiKey, Batch, BatchStatus, Counts, Item, ItemStatus, NewItem, Source, SourceKind
from octavo.identifiers import BatchId, CustomerId, DeliveryId, FileId, ItemId, ResultId, RunId, WebhookId, WorkerId
from octavo.ledger.changing_row import ChangingRow
from octavo.webhooks.records import Attempt, BatchEnd, Delivery, DeliveryStatus


@dataclass(slots=True, kw_only=True)
class ItemRow(ChangingRow):
    """One item, its lease and who ended it."""

    item_id: ItemId
    batch_id: BatchId
    customer_id: CustomerId
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
    batch_no: int = 0
    """Its batch's number; 0 until it is stored."""
    dialect: Dialect = Dialect.EXTRACT_PAGE
    source_kind: SourceKind = SourceKind.FILE
    source_name: str | None = None
    source_url: str | None = None
    metadata: Mapping[str, object] | None = None

    def input(self) -> NewItem:
        """Return what the item is made of."""
        source = Source(kind=self.source_kind, file_id=self.file_id, name=self.source_name, url=self.source_url)
        return NewItem(source=source, metadata=self.metadata)

    def record(self) -> Item:
        """Return the item as everybody sees it."""
        made = self.input()
        return Item(
            item_id=self.item_id,
            batch_id=self.batch_id,
            customer_id=self.customer_id,
            dialect=self.dialect,
            source=made.source,
            metadata=made.metadata,
            position=self.position,
            status=self.status,
            attempts=self.attempts,
            page_count=self.page_count,
            result_id=self.result_id,
            engine=self.engine,
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


INPUT_FIELDS = {
    "file_id": attrgetter("source.file_id"),
    "source_kind": attrgetter("source.kind"),
    "source_name": attrgetter("source.name"),
    "source_url": attrgetter("source.url"),
    "metadata": attrgetter("metadata"),
}
"""The fields of a row that say what the item is made of, and where a `NewItem` has them."""


@dataclass(slots=True, kw_only=True)
class BatchRow(ChangingRow):
    """One batch; its counts are kept up with every commit, never recounted."""

    batch_id: BatchId
    customer_id: CustomerId
    total_items: int
    engine: str | None
    options: BatchOptions
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
    """When failed items were last made pending again; the archive is told by it."""
    batch_no: int = 0
    """The batch's number, which grows with every batch; 0 until it is stored."""
    dialect: Dialect = Dialect.EXTRACT_PAGE

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
class SliceRow(ChangingRow):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow(ApiKey):
    """A key with the digest of its secret, which is shown to nobody."""

    digest: str

    @classmethod
    def of(cls, key: ApiKey, digest: str) -> "KeyRow":
        """Return the row of a key."""
        return cls(digest=digest, **{name: getattr(key, name) for name in _OF_KEY})

    def record(self) -> ApiKey:
        """Return the key as everybody sees it."""
        return ApiKey(**{name: getattr(self, name) for name in _OF_KEY})


_OF_KEY = [field.name for field in fields(ApiKey)]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRow:
    """What a customer's idempotency key was used for."""

    customer_id: CustomerId
    idempotency_key: str
    body_digest: str
    batch_id: BatchId
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRow:
    """What the archive has to forget: a batch, or a file with the time it would have expired at."""

    deletion_no: int
    batch_id: BatchId | None = None
    file_id: FileId | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A delivery; how its batch ended lies beside its other fields."""

    delivery_id: DeliveryId
    webhook_id: WebhookId
    customer_id: CustomerId
    event: str
    batch_id: BatchId | None
    batch_status: BatchStatus | None
    succeeded: int | None
    failed: int | None
    cancelled: int | None
    batch_completed_at: datetime | None
    batch_expires_at: datetime | None
    created_at: datetime
    status: DeliveryStatus
    attempts: int
    schedule_no: int
    next_attempt_at: datetime | None
    leased_until: datetime | None
    lease_no: int
    completed_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryRow":
        """Return the row of a delivery."""
        values: dict[str, Any] = {name: getattr(delivery, name) for name in _OF_DELIVERY}
        for name, of_end in _OF_END.items():
            values[name] = None if delivery.end is None else getattr(delivery.end, of_end)
        return cls(**values)

    def record(self) -> Delivery:
        """Return the delivery as everybody sees it."""
        end = None
        if self.batch_id is not None:
            end = BatchEnd(**{of_end: getattr(self, name) for name, of_end in _OF_END.items()})
        return Delivery(end=end, **{name: getattr(self, name) for name in _OF_DELIVERY})


_OF_END = {
    "batch_id": "batch_id",
    "batch_status": "status",
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "batch_completed_at": "completed_at",
    "batch_expires_at": "expires_at",
}
_OF_DELIVERY = [field.name for field in fields(Delivery) if field.name != "end"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow(Attempt):
    """An attempt and the delivery that it was made for."""

    delivery_id: DeliveryId

    @classmethod
    def of(cls, delivery_id: DeliveryId, attempt: Attempt) -> "AttemptRow":
        """Return the row of an attempt."""
        return cls(delivery_id=delivery_id, **{name: getattr(attempt, name) for name in _OF_ATTEMPT})

    def record(self) -> Attempt:
        """Return the attempt as everybody sees it."""
        return Attempt(**{name: getattr(self, name) for name in _OF_ATTEMPT})


_OF_ATTEMPT = [field.name for field in fields(Attempt)]
