"""Rows out of an archive: what a rebuilt ledger puts in its tables. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from octavo.batch_options import BatchOptions, Dialect
from octavo.batches import Customer, FileStatus, ItemStatus, Run, RunStatus, StagedFile
from octavo.ledger.archive import ArchivedBatch, ArchivedPart, EndedItem, Manifest, Outcomes
from octavo.ledger.rows import INPUT_FIELDS, BatchRow, ItemRow, UsageRow
from octavo.ledger.rules import Stamp, settle

LEASES_PER_GENERATION = 1_000_000
"""A rebuilt ledger numbers leases from here on, once more for each rebuild: the old one has given fewer to an item."""
CLOCK_MARGIN = timedelta(minutes=1)
"""How far ahead of an archived moment a ledger may have got before it was lost, where the clock went back."""
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class RestoredBatch:
    """The rows of one batch, ready to be stored."""

    batch: BatchRow
    items: list[ItemRow]
    usage: list[UsageRow] = field(default_factory=list)
    files: list[StagedFile] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """One part on its way back, and what holds for all of them."""

    generation: int
    moment: datetime
    """When the restore began."""
    part: ArchivedPart | None = None

    def rows(self, part: ArchivedBatch) -> RestoredBatch:
        """Return the rows of a batch."""
        return restored(part, generation=self.generation, moment=self.moment)


def check_empty(customers: Sequence[Customer]) -> None:
    """Raise ValueError for a ledger that has customers: nothing is ever mixed."""
    if customers:
        raise ValueError("only an empty ledger can be restored")


def restored(archived: ArchivedBatch, *, generation: int, moment: datetime) -> RestoredBatch:
    """Return the rows of an archived batch.

    An item without an outcome, or one that was read again, is pending, under lease numbers no worker of before can
    hold; in a batch whose cancel was asked it is cancelled, or has its result, as an item is whose worker was lost.
    `moment` is the `updated_at` of such items, or later, so that a reader with a cursor is told of them.
    """
    manifest, outcomes = archived.manifest, archived.outcomes
    known = {item.item_id: item for item in outcomes.items}
    latest = max((item.updated_at for item in outcomes.items), default=manifest.created_at)
    stamp = moment if moment > latest else latest + CLOCK_MARGIN
    options = BatchOptions.of_values(manifest.options)
    items = _admitted_items(manifest, options.dialect, stamp, generation)
    for item in items:
        _end_again(item, known.get(item.item_id), stamp, outcomes.cancel_requested_at)
    batch = _restored_batch(manifest, options, outcomes, items)
    usage = [
        UsageRow(
            item_id=item.item_id,
            batch_id=batch.batch_id,
            customer_id=batch.customer_id,
            pages=item.page_count or 0,
            created_at=item.completed_at or stamp,
        )
        for item in items
        if item.result_id is not None
    ]
    return RestoredBatch(batch=batch, items=items, usage=usage, files=_restored_files(manifest, outcomes.items))


def _admitted_items(manifest: Manifest, dialect: Dialect, stamp: datetime, generation: int) -> list[ItemRow]:
    """Return the items of a batch as they were admitted."""
    return [
        ItemRow(
            item_id=item_id,
            batch_id=manifest.batch_id,
            customer_id=manifest.customer_id,
            **{name: get(made) for name, get in INPUT_FIELDS.items()},
            dialect=dialect,
            position=position,
            created_at=manifest.created_at,
            updated_at=stamp,
            lease_no=generation * LEASES_PER_GENERATION,
        )
        for position, ((item_id, _), made) in enumerate(zip(manifest.items, manifest.all_inputs(), strict=True))
    ]


def _end_again(row: ItemRow, ended: EndedItem | None, stamp: datetime, cancelled_at: datetime | None) -> None:
    """Let an item end as it had ended; without an end it is cancelled if its batch was."""
    if ended is not None:
        for name in _ENDED_FIELDS if ended.status.is_terminal else _RESULT_FIELDS:
            setattr(row, name, getattr(ended, name))
    if cancelled_at is not None and not row.status.is_terminal:
        row.status = ItemStatus.CANCELLED if row.result_id is None else ItemStatus.SUCCEEDED
        row.completed_at = stamp


_ENDED_FIELDS = [name for name in EndedItem.__dataclass_fields__ if name not in ("item_id", "sha256")]
_RESULT_FIELDS = ["attempts", "page_count", "failed_pages", "result_id", "engine", "seconds", "started_at"]
"""What an item keeps of its end while it is read again."""


def _restored_batch(
    manifest: Manifest, options: BatchOptions, outcomes: Outcomes, items: Sequence[ItemRow]
) -> BatchRow:
    counts = dict.fromkeys(ItemStatus, 0)
    for item in items:
        counts[item.status] += 1
    starts = [outcomes.started_at, *(item.started_at for item in items)]
    batch = BatchRow(
        batch_id=manifest.batch_id,
        customer_id=manifest.customer_id,
        total_items=len(items),
        engine=manifest.engine,
        options=options,
        dialect=options.dialect,
        metadata=manifest.metadata,
        priority=manifest.priority,
        retention_seconds=manifest.retention_seconds,
        created_at=manifest.created_at,
        expires_at=manifest.created_at + timedelta(seconds=manifest.retention_seconds),
        pending=counts[ItemStatus.PENDING],
        unleased=counts[ItemStatus.PENDING],
        succeeded=counts[ItemStatus.SUCCEEDED],
        failed=counts[ItemStatus.FAILED],
        cancelled=counts[ItemStatus.CANCELLED],
        started_at=min((start for start in starts if start), default=None),
        cancel_requested_at=outcomes.cancel_requested_at,
    )
    ended_at = max((item.completed_at for item in items if item.completed_at), default=manifest.created_at)
    settle(batch, Stamp(ended_at, _BEFORE_ALL))
    return batch


def _restored_files(manifest: Manifest, ended: Iterable[EndedItem]) -> list[StagedFile]:
    """Return the batch's files as it left them: a file is ready once a batch names it."""
    names = dict(manifest.items)
    found = {names[item.item_id]: item.sha256 for item in ended if item.sha256 and item.item_id in names}
    return [
        replace(
            file,
            status=FileStatus.READY if file.status is FileStatus.PENDING else file.status,
            sha256=found.get(file.file_id, file.sha256),
        )
        for file in manifest.files
    ]


def restored_run(run: Run) -> Run:
    """Return a run as it is once the ledger was rebuilt: whoever worked on it works no more."""
    return run if run.status is RunStatus.ENDED else replace(run, status=RunStatus.LOST)
