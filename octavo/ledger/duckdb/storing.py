"""Items, batches and slices on their way from the rules into DuckDB: storing what changed."""

from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.tables import BATCHES, FILES, ITEMS, RESERVATIONS, SLICES, USAGE
from octavo.ledger.unit_of_work import UnitOfWork


def store_work(view: Snapshot, work: UnitOfWork) -> None:
    """Write what has changed: items, leases, slices, batches, usage, digests."""
    ITEMS.update(view, list(work.changed_items.values()))
    ITEMS.update(view, list(work.progressed_items.values()), "updated_at", "pages_done", "pages_total", "kept_in")
    ITEMS.update(view, list(work.leased_items.values()), "lease_no", "slice_id")
    _store_slices(view, work)
    BATCHES.update(view, list(work.changed_batches.values()))
    USAGE.insert_rows(view, work.usage)
    _store_reservations(view, work)
    if work.sha256:
        FILES.set(view, file_id=list(work.sha256), sha256=list(work.sha256.values()))


def _store_reservations(view: Snapshot, work: UnitOfWork) -> None:
    if work.quotas.dropped:
        view.rows("drop_reservations", item_ids=sorted(work.quotas.dropped))
    RESERVATIONS.insert_rows(
        view,
        list(work.quotas.changed.values()),
        clause="ON CONFLICT (item_id) DO UPDATE SET pages = excluded.pages",
    )


def _store_slices(view: Snapshot, work: UnitOfWork) -> None:
    SLICES.insert_rows(view, [row for row in work.new_slices if row.slice_id not in work.closed_slices])
    if work.closed_slices:
        SLICES.delete(view, slice_id=sorted(work.closed_slices))
    shrunk = sorted(work.shrunk_slices - work.closed_slices)
    SLICES.update(view, [work.slices[slice_id] for slice_id in shrunk], "open_items")
