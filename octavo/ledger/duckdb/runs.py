"""Flow runs in DuckDB."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from octavo.batches import Run, RunStatus
from octavo.identifiers import BatchId, RunId, WorkerId
from octavo.ledger import refusals, rules
from octavo.ledger.contract import OpenBatch, Pruned
from octavo.ledger.duckdb.batch_rows import find_batch
from octavo.ledger.duckdb.leases import release_run
from octavo.ledger.duckdb.run_rows import find_run, numbered_run, store_runs
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write
from octavo.ledger.duckdb.tables import BATCHES, RUNS
from octavo.ledger.duckdb.transaction import Transaction


class DuckdbRuns(Facet):
    """A `RunLedger`."""

    @write
    def add(self, tx: Transaction, batch_id: BatchId) -> Run:
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
        RUNS.insert_rows(tx, [run])
        return run

    @write
    def name(self, tx: Transaction, batch_id: BatchId, run_no: int, run_id: RunId) -> None:
        run = numbered_run(tx, batch_id, run_no)
        if run is None:
            raise refusals.batch_not_found(batch_id)
        store_runs(tx, [replace(run, run_id=run_id)])

    @write
    def open(self, tx: Transaction, run_id: RunId, worker_id: WorkerId) -> Run | None:
        run = find_run(tx, run_id)
        if run is None:
            return None
        run = rules.opened(run, worker_id, tx.now)
        store_runs(tx, [run])
        return run

    @write
    def end(self, tx: Transaction, run_id: RunId, status: RunStatus = RunStatus.ENDED) -> Run | None:
        rules.check_end(status)
        release_run(tx, run_id)
        run = find_run(tx, run_id)
        if run is None:
            return None
        run = rules.ended(run, status)
        store_runs(tx, [run])
        return run

    def note_seen(self, run_ids: Sequence[RunId]) -> None:
        if run_ids:
            self._note_seen(run_ids)

    @write
    def _note_seen(self, tx: Transaction, run_ids: Sequence[RunId]) -> None:
        store_runs(tx, [replace(run, seen_at=tx.now) for run in tx.working.load_runs(tx, run_ids).values()])

    @read
    def get(self, view: Snapshot, run_id: RunId) -> Run | None:
        return find_run(view, run_id)

    @read
    def lost(self, view: Snapshot) -> list[Run]:
        return view.records(RUNS, "lost_runs")

    @write
    def forget_lost(self, tx: Transaction, batch_id: BatchId, run_no: int) -> None:
        run = numbered_run(tx, batch_id, run_no)
        if run is not None and run.status is RunStatus.LOST:
            store_runs(tx, [replace(run, status=RunStatus.ENDED)])

    @read
    def starting(self, view: Snapshot) -> list[Run]:
        return view.records(RUNS, "starting_runs")

    @read
    def open_batches(self, view: Snapshot) -> list[OpenBatch]:
        runs: dict[BatchId, list[Run]] = {}
        for run in view.records(RUNS, "open_runs"):
            runs.setdefault(run.batch_id, []).append(run)
        rows = view.records(BATCHES, "open_batches")
        return [
            OpenBatch(batch=row.record(), unleased=row.unleased, runs=tuple(runs.get(row.batch_id, ()))) for row in rows
        ]

    @write
    def prune(self, tx: Transaction, runs_seen_before: datetime) -> Pruned:
        tx.flush()
        gone = tx.rows("prune_runs", seen_before=runs_seen_before, moment=tx.now)
        tx.working.forget_runs(RunId(row[0]) for row in gone if row[0] is not None)
        keys = tx.rows("prune_idempotency_keys", before=tx.now - rules.IDEMPOTENCY_WINDOW)
        return Pruned(runs=len(gone), idempotency_keys=len(keys))
