"""Items taken back from the slices that held them."""

from collections.abc import Sequence

from octavo.identifiers import BatchId, RunId
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.rows import SliceRow


def give_back(tx: Transaction, slices: Sequence[SliceRow], *, lost: bool) -> set[BatchId]:
    """Give back all items of these slices; return the batches they belong to."""
    if not slices:
        return set()
    slice_ids = [row.slice_id for row in slices]
    tx.load_items_of(slice_ids)
    return tx.work.give_back_slices(slice_ids, lost=lost)


def release_run(tx: Transaction, run_id: RunId) -> None:
    """Give back, uncounted, what a run still holds."""
    give_back(tx, [row for row in tx.working.slices(tx).values() if row.run_id == run_id], lost=False)
