"""Leases in DuckDB: prolonged, taken away, run out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from octavo.batches import RunStatus
from octavo.identifiers import BatchId, RunId, WorkerId
from octavo.ledger import rules
from octavo.ledger.duckdb.rows import run_record
from octavo.ledger.duckdb.runs import store_runs
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.rows import SliceRow


@dataclass(frozen=True, slots=True)
class Renewal:
    """What `renew` is asked."""

    worker_id: WorkerId
    slice_ids: tuple[str, ...]
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Revocation:
    """What `revoke` is asked: a worker or a run."""

    worker_id: WorkerId | None
    run_id: RunId | None


def renew(tx: Transaction, asked: Renewal) -> list[str]:
    """Prolong the leases that are still this worker's; return the other slices."""
    tx.flush()
    slices = tx.working.slices(tx)
    held = [one for one in asked.slice_ids if one in slices and slices[one].worker_id == asked.worker_id]
    if held:
        expires_at = tx.now + timedelta(seconds=asked.lease_seconds)
        tx.rows("renew_slices", slice_ids=list(held), expires_at=expires_at)
        for slice_id in held:
            slices[slice_id].expires_at = expires_at
    return [slice_id for slice_id in asked.slice_ids if slice_id not in set(held)]


def give_back(tx: Transaction, slices: Sequence[SliceRow], *, lost: bool) -> set[BatchId]:
    """Give back all items of these slices; return the batches they belong to."""
    if not slices:
        return set()
    slice_ids = [row.slice_id for row in slices]
    tx.load_items_of(slice_ids)
    return tx.work.give_back_slices(slice_ids, lost=lost)


def revoke(tx: Transaction, asked: Revocation) -> list[BatchId]:
    """Take all leases of a worker or run away; its open runs become lost."""
    open_slices = list(tx.working.slices(tx).values())
    if asked.worker_id is not None:
        slices = [row for row in open_slices if row.worker_id == asked.worker_id]
        runs = [run_record(row) for row in tx.rows("open_runs_of_worker", worker_id=asked.worker_id)]
        tx.end_waits(worker_id=asked.worker_id)
    else:
        slices = [row for row in open_slices if row.run_id == asked.run_id]
        runs = [run_record(row) for row in tx.rows("run", run_id=asked.run_id)]
    lost = [replace(run, status=RunStatus.LOST) for run in runs if not rules.is_over(run)]
    batch_ids = give_back(tx, slices, lost=True)
    store_runs(tx, lost)
    return sorted(batch_ids | {run.batch_id for run in lost})


def expire_leases(tx: Transaction, _: None) -> list[BatchId]:
    """Give back what the leases that have run out held."""
    slices = [row for row in tx.working.slices(tx).values() if row.expires_at <= tx.now]
    return sorted(give_back(tx, slices, lost=True))


def release_run(tx: Transaction, run_id: RunId) -> None:
    """Give back, uncounted, what a run still holds."""
    give_back(tx, [row for row in tx.working.slices(tx).values() if row.run_id == run_id], lost=False)
