"""Items, batches and slices on their way from the rules into DuckDB: storing what changed."""

from collections.abc import Iterable, Sequence

from octavo.ledger import rules
from octavo.ledger.duckdb.snapshot import Parameter, Snapshot
from octavo.ledger.rows import BatchRow

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
_SLICE_COLUMNS = ["slice_id", "batch_id", "customer_id", "run_id", "worker_id", "expires_at", "open_items"]
USAGE_COLUMNS = ["item_id", "batch_id", "customer_id", "pages", "created_at"]
_PROGRESS_COLUMNS = ["item_id", "updated_at", "pages_done", "pages_total", "kept_in"]
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
    "reused",
    "failed_pages",
]


def columns(rows: Iterable[object], names: Sequence[str]) -> dict[str, Parameter]:
    """Return rows as the columns of a statement that stores them."""
    kept = list(rows)
    return {name: [getattr(row, name) for row in kept] for name in names}


def store_work(view: Snapshot, work: rules.Work) -> None:
    """Write what has changed: items, leases, slices, batches, usage, digests."""
    if work.changed_items:
        view.rows("store_items", **columns(work.changed_items.values(), _ITEM_COLUMNS))
    if work.progressed_items:
        view.rows("store_progress", **columns(work.progressed_items.values(), _PROGRESS_COLUMNS))
    if work.leased_items:
        view.rows("lease_items", **columns(work.leased_items.values(), ["item_id", "lease_no", "slice_id"]))
    _store_slices(view, work)
    _store_batches(view, list(work.changed_batches.values()))
    if work.usage:
        view.rows("add_usage", **columns(work.usage, USAGE_COLUMNS))
    _store_reservations(view, work)
    if work.sha256:
        view.rows("set_sha256", file_ids=list(work.sha256), sha256s=list(work.sha256.values()))


def _store_reservations(view: Snapshot, work: rules.Work) -> None:
    if work.quotas.dropped:
        view.rows("drop_reservations", item_ids=sorted(work.quotas.dropped))
    if work.quotas.changed:
        view.rows("keep_reservations", **columns(work.quotas.changed.values(), ["item_id", "customer_id", "pages"]))


def _store_batches(view: Snapshot, batches: Sequence[BatchRow]) -> None:
    if len(batches) == 1:
        view.rows("store_batch", **{name: getattr(batches[0], name) for name in _BATCH_COLUMNS})
    elif batches:
        view.rows("store_batches", **columns(batches, _BATCH_COLUMNS))


def _store_slices(view: Snapshot, work: rules.Work) -> None:
    new = [row for row in work.new_slices if row.slice_id not in work.closed_slices]
    if new:
        view.rows("add_slices", **columns(new, _SLICE_COLUMNS))
    if work.closed_slices:
        view.rows("close_slices", slice_ids=sorted(work.closed_slices))
    shrunk = sorted(work.shrunk_slices - work.closed_slices)
    if shrunk:
        left: list[int] = [work.slices[slice_id].open_items for slice_id in shrunk]
        view.rows("shrink_slices", slice_ids=shrunk, open_items=left)
