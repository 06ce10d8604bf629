"""What is kept of a ledger outside of it, so that it can be rebuilt: records only.

A ledger tells what is new after a position (`Changes`); whoever archives it writes that down elsewhere
and notes the position. `restoring` makes rows of it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from octavo.batches import ApiKey, Customer, ItemStatus, NewItem, Run, Source, StagedFile
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId
from octavo.ledger.rows import UsageRow
from octavo.webhooks.records import Webhook

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerIdentity:
    """Which ledger this is: a random name, and how often the one before it was rebuilt."""

    ledger_id: str
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePosition:
    """How far a ledger was archived."""

    accounts: str = ""
    """Fingerprint of the customers, keys and webhooks that were archived last."""
    runs: str = ""
    """Fingerprint of the runs that were archived last."""
    file_no: int = 0
    batch_no: int = 0
    updated_at: datetime = BEGINNING
    """The last commit whose outcomes were archived."""
    deletion_no: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A key with the digest of its secret; the secret is nowhere."""

    key: ApiKey
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """All customers, keys and webhooks."""

    customers: tuple[Customer, ...]
    keys: tuple[KeptKey, ...]
    webhooks: tuple[Webhook, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRuns:
    """All runs of all batches that are not terminal."""

    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedFiles:
    """Files in the order they were staged; `file_no` is the last one's number."""

    file_no: int
    files: tuple[StagedFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A batch as it was admitted."""

    batch_id: BatchId
    customer_id: CustomerId
    engine: str | None
    options: Mapping[str, object]
    """As `BatchOptions.to_values` says them; an archive of before has those of `/v1`."""
    metadata: Mapping[str, object] | None
    priority: int
    retention_seconds: int
    created_at: datetime
    idempotency_key: str | None = None
    body_digest: str = ""
    keyed_at: datetime | None = None
    """When the idempotency key was used."""
    items: tuple[tuple[ItemId, FileId], ...] = ()
    """By position, from 0."""
    files: tuple[StagedFile, ...] = ()
    """The files its items name, each once."""
    inputs: tuple[NewItem, ...] = ()
    """What its items are made of, by position; empty where each is of a file, under the file's own name."""

    def of_files(self) -> tuple[NewItem, ...]:
        """Return what its items would be made of if each was of a file, under the file's own name."""
        names = {file.file_id: file.filename for file in self.files}
        return tuple(NewItem(source=Source(file_id=file_id, name=names.get(file_id))) for _, file_id in self.items)

    def all_inputs(self) -> tuple[NewItem, ...]:
        """Return what its items are made of, by position."""
        return self.inputs or self.of_files()


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedItem:
    """A terminal item, or a pending one that has a result: all that its manifest does not say."""

    item_id: ItemId
    status: ItemStatus
    updated_at: datetime
    completed_at: datetime
    attempts: int = 0
    lease_no: int = 0
    lost_leases: int = 0
    finished_lease_no: int | None = None
    page_count: int | None = None
    result_id: ResultId | None = None
    error_code: str | None = None
    error_message: str | None = None
    error_retryable: bool | None = None
    engine: str | None = None
    seconds: float | None = None
    started_at: datetime | None = None
    sha256: str | None = None
    """Of its file."""
    reused: bool = False
    failed_pages: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Items of one batch that have ended, or are read again, and how the batch itself ended."""

    batch_id: BatchId
    until: datetime
    """The last commit that is told of; a position after which more may follow."""
    is_terminal: bool = False
    started_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    items: tuple[EndedItem, ...] = ()
    is_whole: bool = False
    """Whether it is all there is to tell, so that whatever was told before counts no more: failed items run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptUsage:
    """What items of batches that are gone were billed."""

    rows: tuple[UsageRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """What an archive has to forget; `deletion_no` is the last one's number."""

    deletion_no: int
    batch_ids: tuple[BatchId, ...] = ()
    usage: tuple[UsageRow, ...] = ()
    """Of these batches: it stays when they go."""
    files: tuple[tuple[FileId, datetime], ...] = ()
    """With the time they would have expired at."""
    touched: tuple[BatchId, ...] = ()
    """Batches that name these files: their manifests and outcomes are another now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is new in a ledger, up to `position`; never so much that it would not fit in memory.

    Nothing but the position may be new: commits of which an archive tells nothing.
    """

    position: ArchivePosition
    accounts: Accounts | None = None
    runs: OpenRuns | None = None
    files: StagedFiles | None = None
    manifests: tuple[Manifest, ...] = ()
    outcomes: tuple[Outcomes, ...] = ()
    deletions: Deletions | None = None
    """To be done when all the rest is archived."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to archive."""
        return self == Changes(position=self.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedBatch:
    """One batch out of an archive."""

    manifest: Manifest
    outcomes: Outcomes


ArchivedPart = Accounts | KeptUsage | StagedFiles | ArchivedBatch | OpenRuns
"""What a ledger is rebuilt from, in this order: accounts, usage of batches that are gone, files, batches, runs."""


def joined(outcomes: Sequence[Outcomes]) -> Outcomes:
    """Return one out of many of the same batch, in any order; an item that is told of twice counts once.

    What was told before the last that is whole does not count. Raises ValueError without any.
    """
    if not outcomes:
        raise ValueError("outcomes are joined from at least one")
    ordered = sorted(outcomes, key=lambda one: (one.until, one.is_whole))
    last_whole = max((number for number, one in enumerate(ordered) if one.is_whole), default=0)
    ordered = ordered[last_whole:]
    items = {item.item_id: item for one in ordered for item in one.items}
    return replace(
        ordered[-1],
        started_at=min((one.started_at for one in ordered if one.started_at), default=None),
        cancel_requested_at=min((one.cancel_requested_at for one in ordered if one.cancel_requested_at), default=None),
        items=tuple(items.values()),
    )
