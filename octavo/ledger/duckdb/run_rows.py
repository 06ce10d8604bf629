"""Runs as rows of DuckDB: found and written back."""

from collections.abc import Iterable

from octavo.batches import Run
from octavo.identifiers import BatchId, RunId
from octavo.ledger import rules
from octavo.ledger.duckdb.rows import run_record
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.transaction import Transaction


def store_runs(tx: Transaction, runs: Iterable[Run]) -> None:
    """Write back what changes of these runs."""
    kept = list(runs)
    if kept:
        tx.rows(
            "store_runs",
            batch_id=[run.batch_id for run in kept],
            run_no=[run.run_no for run in kept],
            run_id=[run.run_id for run in kept],
            worker_id=[run.worker_id for run in kept],
            status=[run.status for run in kept],
            seen_at=[run.seen_at for run in kept],
        )
        tx.working.keep_runs(kept)
        tx.has_news |= any(rules.is_over(run) for run in kept)


def find_run(view: Snapshot, run_id: RunId) -> Run | None:
    """Return one run."""
    found = view.row("run", run_id=run_id)
    return None if found is None else run_record(found)


def numbered_run(view: Snapshot, batch_id: BatchId, run_no: int) -> Run | None:
    """Return one run of a batch by its number."""
    found = view.row("numbered_run", batch_id=batch_id, run_no=run_no)
    return None if found is None else run_record(found)
