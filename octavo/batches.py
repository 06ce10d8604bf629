"""Batches, items, files, customers: their fields, statuses and the rules between them. Pure.

The life of an item (one letter per transition):

    pending --b--> running --s--> succeeded
       |  ^           |  `---f--> failed
       |  `----l------'
       `--c--> cancelled

    b begin: a worker starts work under a lease     s succeed     f fail
    l lost: lease expired, worker dead or draining   c cancel: only what is pending
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from octavo.batch_options import BatchOptions, Dialect
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, KeyId, ResultId, RunId, WorkerId

MAX_ITEMS_PER_BATCH = 10_000
DEFAULT_ITEM_CAP = 8
"""Items of one customer in progress at once, over all batches and workers (the contract's figure)."""
BATCH_PRIORITY = 60
"""`/v1` batches; lower goes first (sync calls are 40)."""
MAX_LOST_LEASES = 5
"""Leases an item may lose before it fails with `internal_error`."""


class FileStatus(StrEnum):
    """Where a staged file stands."""

    PENDING = "pending"
    READY = "ready"
    EXPIRED = "expired"
    DELETED = "deleted"
    """Kept only as long as items name it; nobody is shown one."""


class ItemStatus(StrEnum):
    """Where an item stands; the contract's words."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the item can change no more."""
        return self not in (ItemStatus.PENDING, ItemStatus.RUNNING)


class BatchStatus(StrEnum):
    """Where a batch stands; derived from its items by `batch_status`."""

    PENDING = "pending"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    PARTIALLY_FAILED = "partially_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the batch has ended."""
        return self not in (BatchStatus.PENDING, BatchStatus.RUNNING, BatchStatus.CANCELLING)


class RunStatus(StrEnum):
    """Where one flow run of a batch stands, as the ledger knows it."""

    STARTING = "starting"
    ACTIVE = "active"
    ENDED = "ended"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items of a batch have each status."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All items."""
        return self.pending + self.running + self.succeeded + self.failed + self.cancelled

    @property
    def unfinished(self) -> int:
        """Items that are not terminal."""
        return self.pending + self.running


def batch_status(counts: Counts, *, started: bool, cancel_requested: bool) -> BatchStatus:
    """Return the status that follows from a batch's items.

    `started` is whether any item was ever begun. At the end only the items decide: any
    succeeded makes it completed or partially_failed, and a cancel shows only where none did.
    """
    if counts.unfinished:
        if cancel_requested:
            return BatchStatus.CANCELLING
        return BatchStatus.RUNNING if started else BatchStatus.PENDING
    if counts.succeeded:
        return BatchStatus.PARTIALLY_FAILED if counts.failed else BatchStatus.COMPLETED
    return BatchStatus.CANCELLED if cancel_requested else BatchStatus.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who submits and is billed."""

    customer_id: CustomerId
    name: str
    enabled: bool
    item_cap: int
    created_at: datetime
    submissions_per_minute: int | None = None
    """None: as many as the settings say."""
    page_quota: int | None = None
    """Pages it may be billed in all, from its first one on; None: no limit."""
    retention_seconds: int | None = None
    """How long its inputs and results are kept; None: as long as the settings say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as it is kept: its digest is in the ledger, its secret nowhere."""

    key_id: KeyId
    customer_id: CustomerId
    prefix: str
    label: str
    created_at: datetime
    revoked_at: datetime | None
    uploads_only: bool = False
    """Whether documents must be uploaded with it: it may not have the service fetch an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFile:
    """One file a customer has staged; its bytes lie under `object_key`."""

    file_id: FileId
    customer_id: CustomerId
    status: FileStatus
    filename: str | None
    content_type: str | None
    size_bytes: int
    sha256: str | None
    object_key: str
    created_at: datetime
    expires_at: datetime


class SourceKind(StrEnum):
    """Where the bytes of an item come from."""

    FILE = "file"
    """A file that was uploaded before."""
    URL = "url"
    """An address that the service fetches."""
    TEXT = "text"
    """Text that came with the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an item is made of. Every kind has a file: an address's is fetched into it, a text is written into it."""

    kind: SourceKind = SourceKind.FILE
    file_id: FileId
    name: str | None = None
    """What its customer calls it. Of a new item of a file, None stands for the file's own name."""
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item as it is asked for."""

    source: Source
    metadata: Mapping[str, object] | None = None

    @classmethod
    def of_files(cls, file_ids: Iterable[FileId]) -> tuple["NewItem", ...]:
        """Return one item for each of these files."""
        return tuple(cls(source=Source(file_id=file_id)) for file_id in file_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """A batch as it is asked for; `options` are the effective ones."""

    batch_id: BatchId
    customer_id: CustomerId
    items: tuple[NewItem, ...]
    engine: str | None
    """The engine that was asked for; None for the default."""
    options: BatchOptions
    metadata: Mapping[str, object] | None
    priority: int = BATCH_PRIORITY
    retention_seconds: int = 72 * 3600
    idempotency_key: str | None = None
    body_digest: str = ""

    @property
    def file_ids(self) -> tuple[FileId, ...]:
        """The files of its items, in their order."""
        return tuple(item.source.file_id for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as it is now."""

    batch_id: BatchId
    customer_id: CustomerId
    status: BatchStatus
    counts: Counts
    total_items: int
    engine: str | None
    options: BatchOptions
    metadata: Mapping[str, object] | None
    priority: int
    retention_seconds: int
    cancel_requested_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime

    @property
    def dialect(self) -> Dialect:
        """The API in which it was submitted."""
        return self.options.dialect


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One position of a batch as it is now."""

    item_id: ItemId
    batch_id: BatchId
    customer_id: CustomerId
    dialect: Dialect
    source: Source
    metadata: Mapping[str, object] | None
    position: int
    status: ItemStatus
    attempts: int
    page_count: int | None
    result_id: ResultId | None
    error_code: str | None
    error_message: str | None
    error_retryable: bool | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime
    is_leased: bool = False
    """Whether a worker holds it; a lease changes nothing else, not even `updated_at`."""
    pages_done: int | None = None
    """Pages finished of a running item; None until its worker has told, which it does of long ones only."""
    pages_total: int | None = None
    reused: bool = False
    """Whether its result was there already, of the same bytes, engine version and options."""
    failed_pages: int = 0
    """Pages of its result that could not be read."""
    engine: str | None = None
    """The engine that read its document, with its version; None until it has succeeded."""

    @property
    def file_id(self) -> FileId:
        """The file that its bytes are in."""
        return self.source.file_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedItem:
    """One item a worker may work on while its lease lasts; `lease_no` is the fencing token."""

    item_id: ItemId
    batch_id: BatchId
    customer_id: CustomerId
    file_id: FileId
    position: int
    lease_no: int
    attempts: int
    lost_leases: int
    object_key: str
    filename: str | None
    content_type: str | None
    size_bytes: int
    reserves_pages: bool = False
    """Whether its pages must be reserved before they are read: its customer has a page quota, and it is not billed."""
    result_id: ResultId | None = None
    """The result it has already, of which some pages are to be read again."""
    failed_pages: int = 0
    """How many that are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Items that are processed one after the other under one lease."""

    slice_id: str
    items: tuple[ClaimedItem, ...]
    lease_expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One flow run that works, or worked, on a batch; `run_no` counts from 1."""

    batch_id: BatchId
    customer_id: CustomerId
    run_no: int
    run_id: RunId | None
    worker_id: WorkerId | None
    status: RunStatus
    created_at: datetime
    seen_at: datetime
