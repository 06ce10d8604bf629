"""Runs as rows of DuckDB: found and written back."""

from collections.abc import Iterable

from octavo.batches import Run
from octavo.identifiers import BatchId, RunId
from octavo.ledger import rules
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.tables import RUNS
from octavo.ledger.duckdb.transaction import Transaction


def store_runs(tx: Transaction, runs: Iterable[Run]) -> None:
    """Write back what changes of these runs."""
    kept = list(runs)
    if kept:
        RUNS.update(tx, kept)
        tx.working.keep_runs(kept)
        tx.has_news |= any(rules.is_over(run) for run in kept)


def find_run(view: Snapshot, run_id: RunId) -> Run | None:
    """Return one run."""
    return view.record(RUNS, "run", run_id=run_id)


def numbered_run(view: Snapshot, batch_id: BatchId, run_no: int) -> Run | None:
    """Return one run of a batch by its number."""
    return view.record(RUNS, "numbered_run", batch_id=batch_id, run_no=run_no)
