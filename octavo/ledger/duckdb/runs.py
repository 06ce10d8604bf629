"""Flow runs in DuckDB."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from octavo.batches import Run, RunStatus
from octavo.identifiers import BatchId, RunId, WorkerId
from octavo.ledger import refusals, rules
from octavo.ledger.contract import OpenBatch, Pruned
from octavo.ledger.duckdb.batches import find_batch
from octavo.ledger.duckdb.rows import batch_row, run_record
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


def add_run(tx: Transaction, batch_id: BatchId) -> Run:
    """Keep a new run, numbered one more than the batch's last. Raises BatchNotFound."""
    batch = find_batch(tx, batch_id)
    run = Run(
        batch_id=batch_id,
        customer_id=batch.customer_id,
        run_no=1 + int(tx.rows("last_run_no", batch_id=batch_id)[0][0]),
        run_id=None,
        worker_id=None,
        status=RunStatus.STARTING,
        created_at=tx.now,
        seen_at=tx.now,
    )
    tx.rows(
        "add_run",
        batch_id=run.batch_id,
        run_no=run.run_no,
        customer_id=run.customer_id,
        run_id=run.run_id,
        worker_id=run.worker_id,
        status=run.status,
        created_at=run.created_at,
        seen_at=run.seen_at,
    )
    return run


def _numbered(view: Snapshot, batch_id: BatchId, run_no: int) -> Run | None:
    found = view.row("numbered_run", batch_id=batch_id, run_no=run_no)
    return None if found is None else run_record(found)


def name_run(tx: Transaction, named: tuple[BatchId, int, RunId]) -> None:
    """Say which flow run it became. Raises BatchNotFound."""
    batch_id, run_no, run_id = named
    run = _numbered(tx, batch_id, run_no)
    if run is None:
        raise refusals.batch_not_found(batch_id)
    store_runs(tx, [replace(run, run_id=run_id)])


def open_run(tx: Transaction, begun: tuple[RunId, WorkerId]) -> Run | None:
    """Say that a worker has begun this run."""
    run_id, worker_id = begun
    run = find_run(tx, run_id)
    if run is None:
        return None
    run = rules.opened(run, worker_id, tx.now)
    store_runs(tx, [run])
    return run


def end_run(tx: Transaction, run_id: RunId, status: RunStatus) -> Run | None:
    """Say that a run has ended; its leases are another's business."""
    run = find_run(tx, run_id)
    if run is None:
        return None
    run = rules.ended(run, status)
    store_runs(tx, [run])
    return run


def see_runs(tx: Transaction, run_ids: Sequence[RunId]) -> None:
    """Say that these runs were heard of just now."""
    store_runs(tx, [replace(run, seen_at=tx.now) for run in tx.working.load_runs(tx, run_ids).values()])


def forget_lost_run(tx: Transaction, told: tuple[BatchId, int]) -> None:
    """Make a lost run an ended one."""
    run = _numbered(tx, *told)
    if run is not None and run.status is RunStatus.LOST:
        store_runs(tx, [replace(run, status=RunStatus.ENDED)])


def prune(tx: Transaction, runs_seen_before: datetime) -> Pruned:
    """Remove old runs and idempotency keys."""
    tx.flush()
    gone = tx.rows("prune_runs", seen_before=runs_seen_before, moment=tx.now)
    tx.working.forget_runs(RunId(row[0]) for row in gone if row[0] is not None)
    keys = tx.rows("prune_idempotency_keys", before=tx.now - rules.IDEMPOTENCY_WINDOW)
    return Pruned(runs=len(gone), idempotency_keys=len(keys))


def find_run(view: Snapshot, run_id: RunId) -> Run | None:
    """Return one run."""
    found = view.row("run", run_id=run_id)
    return None if found is None else run_record(found)


def lost_runs(view: Snapshot) -> list[Run]:
    """Return the lost runs, oldest first."""
    return [run_record(row) for row in view.rows("lost_runs")]


def starting_runs(view: Snapshot) -> list[Run]:
    """Return the runs that no worker has begun yet, oldest first."""
    return [run_record(row) for row in view.rows("starting_runs")]


def open_batches(view: Snapshot) -> list[OpenBatch]:
    """Return all batches that are not terminal, oldest first, with their open runs."""
    runs: dict[BatchId, list[Run]] = {}
    for run in [run_record(row) for row in view.rows("open_runs")]:
        runs.setdefault(run.batch_id, []).append(run)
    rows = [batch_row(row) for row in view.rows("open_batches")]
    return [
        OpenBatch(batch=row.record(), unleased=row.unleased, runs=tuple(runs.get(row.batch_id, ()))) for row in rows
    ]
