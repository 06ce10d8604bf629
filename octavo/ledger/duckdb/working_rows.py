"""Items, batches and slices between DuckDB and the rules: loading them, and storing what changed."""

from collections.abc import Iterable, Sequence

from octavo.identifiers import BatchId
from octavo.ledger import rules
from octavo.ledger.duckdb.batches import batch_row, item_row
from octavo.ledger.duckdb.transaction import Parameter, Row, Snapshot, Transaction, utc
from octavo.ledger.rows import BatchRow, SliceRow

_BATCH_COLUMNS = [
    "batch_id",
    "pending",
    "unleased",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "status",
    "cancel_requested_at",
    "started_at",
    "completed_at",
    "expires_at",
]
_ITEM_COLUMNS = [
    "item_id",
    "updated_at",
    "status",
    "attempts",
    "lost_leases",
    "slice_id",
    "finished_lease_no",
    "page_count",
    "result_id",
    "error_code",
    "error_message",
    "error_retryable",
    "engine",
    "seconds",
    "started_at",
    "completed_at",
]


def slice_row(row: Row) -> SliceRow:
    """Return a slice from the columns every slice statement selects."""
    return SliceRow(
        slice_id=row[0],
        batch_id=row[1],
        customer_id=row[2],
        run_id=row[3],
        worker_id=row[4],
        expires_at=utc(row[5]),
        open_items=row[6],
    )


def load_batches(view: Snapshot, batch_ids: Iterable[BatchId]) -> dict[BatchId, BatchRow]:
    """Return those of these batches that there are."""
    rows = [batch_row(row) for row in view.rows("batches_by_id", batch_ids=sorted(set(batch_ids)))]
    return {row.batch_id: row for row in rows}


def load_slices(view: Snapshot, slice_ids: Sequence[str]) -> dict[str, SliceRow]:
    """Return those of these slices that are open."""
    rows = [slice_row(row) for row in view.rows("slices_by_id", slice_ids=list(slice_ids))] if slice_ids else []
    return {row.slice_id: row for row in rows}


def load_work(tx: Transaction, item_rows: Sequence[Row], *, with_slices: bool = True) -> rules.Work:
    """Return these items with their batches and, unless no item can leave its slice, their slices."""
    items = {row[0]: item_row(row) for row in item_rows}
    slice_ids = sorted({item.slice_id for item in items.values() if item.slice_id is not None})
    slices = load_slices(tx, slice_ids) if with_slices else {}
    batches = load_batches(tx, (item.batch_id for item in items.values()))
    return rules.Work(items, batches, slices, tx.stamp)


def _columns(rows: Iterable[object], names: Sequence[str]) -> dict[str, Parameter]:
    kept = list(rows)
    return {name: [getattr(row, name) for row in kept] for name in names}


def store_work(tx: Transaction, work: rules.Work) -> None:
    """Write what has changed: items, counts, usage, digests."""
    if work.changed_items:
        tx.rows("store_items", **_columns(work.changed_items.values(), _ITEM_COLUMNS))
    store_counts(tx, work)
    if work.usage:
        tx.rows(
            "add_usage",
            item_ids=[row.item_id for row in work.usage],
            batch_ids=[row.batch_id for row in work.usage],
            customer_ids=[row.customer_id for row in work.usage],
            pages=[row.pages for row in work.usage],
            created_ats=[row.created_at for row in work.usage],
        )
    if work.sha256:
        tx.rows("set_sha256", file_ids=list(work.sha256), sha256s=list(work.sha256.values()))


def store_counts(tx: Transaction, work: rules.Work) -> None:
    """Write the batches and what became of the slices."""
    if work.changed_batches:
        tx.rows("store_batches", **_columns(work.changed_batches.values(), _BATCH_COLUMNS))
    if work.closed_slices:
        tx.rows("close_slices", slice_ids=sorted(work.closed_slices))
    shrunk = sorted(work.shrunk_slices - work.closed_slices)
    if shrunk:
        left: list[int] = [work.slices[slice_id].open_items for slice_id in shrunk]
        tx.rows("shrink_slices", slice_ids=shrunk, open_items=left)
