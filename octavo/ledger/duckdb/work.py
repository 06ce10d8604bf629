"""Work in DuckDB: claims, reports, leases.

All reports that wait for one commit are taken together: their rows are read and written in one
statement of each kind, however many they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from octavo.batches import RunStatus
from octavo.errors import OctavoError
from octavo.identifiers import BatchId, RunId, WorkerId
from octavo.ledger import rules
from octavo.ledger.contract import Claim, ClaimRequest, HeldSlots, ItemProgress, OnClaim, Report, ReportResult
from octavo.ledger.duckdb.leases import give_back
from octavo.ledger.duckdb.run_rows import store_runs
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write, write_together
from octavo.ledger.duckdb.tables import RUNS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.scheduling import Answer, WaitingClaim


class DuckdbWork(Facet):
    """A `WorkLedger`."""

    def claim(self, request: ClaimRequest) -> Claim:
        rules.check_claim(request)
        answers: list[Answer] = []
        self._claim(WaitingClaim(request, answers.append, stays=False))
        (answer,) = answers
        if isinstance(answer, OctavoError):
            raise answer
        return answer

    def wait_for_claim(self, request: ClaimRequest, on_claim: OnClaim) -> None:
        rules.check_claim(request)
        self._claim(WaitingClaim(request, on_claim, stays=True))

    @write_together
    def _claim(self, tx: Transaction, asked: Sequence[WaitingClaim]) -> list[None]:
        return self._store.writer.claims.take(tx, asked)

    @write
    def cancel_wait(self, tx: Transaction, *, run_id: RunId | None = None, worker_id: WorkerId | None = None) -> None:
        tx.end_waits(run_id=run_id, worker_id=worker_id)

    def report(self, reports: Sequence[Report]) -> list[ReportResult]:
        rules.check_reports(reports)
        return self._report(reports) if reports else []

    @write_together
    def _report(self, tx: Transaction, calls: Sequence[Sequence[Report]]) -> list[list[ReportResult]]:
        tx.load_items({report.item_id for reports in calls for report in reports})
        accepted = [[tx.work.report(report) for report in reports] for reports in calls]
        return [
            [tx.work.result(report, accepted=yes) for report, yes in zip(reports, answers, strict=True)]
            for reports, answers in zip(calls, accepted, strict=True)
        ]

    @write
    def renew(self, tx: Transaction, worker_id: WorkerId, slice_ids: Sequence[str], lease_seconds: float) -> list[str]:
        tx.flush()
        slices = tx.working.slices(tx)
        held = [one for one in slice_ids if one in slices and slices[one].worker_id == worker_id]
        if held:
            expires_at = tx.now + timedelta(seconds=lease_seconds)
            tx.rows("renew_slices", slice_ids=list(held), expires_at=expires_at)
            for slice_id in held:
                slices[slice_id].expires_at = expires_at
        return [slice_id for slice_id in slice_ids if slice_id not in set(held)]

    @write
    def revoke(
        self, tx: Transaction, *, worker_id: WorkerId | None = None, run_id: RunId | None = None
    ) -> list[BatchId]:
        rules.check_revoke(worker_id, run_id)
        open_slices = list(tx.working.slices(tx).values())
        if worker_id is not None:
            slices = [row for row in open_slices if row.worker_id == worker_id]
            runs = tx.records(RUNS, "open_runs_of_worker", worker_id=worker_id)
            tx.end_waits(worker_id=worker_id)
        else:
            slices = [row for row in open_slices if row.run_id == run_id]
            runs = tx.records(RUNS, "run", run_id=run_id)
        lost = [replace(run, status=RunStatus.LOST) for run in runs if not rules.is_over(run)]
        batch_ids = give_back(tx, slices, lost=True)
        store_runs(tx, lost)
        return sorted(batch_ids | {run.batch_id for run in lost})

    @write
    def expire_leases(self, tx: Transaction) -> list[BatchId]:
        slices = [row for row in tx.working.slices(tx).values() if row.expires_at <= tx.now]
        return sorted(give_back(tx, slices, lost=True))

    @read
    def workers(self, view: Snapshot) -> list[WorkerId]:
        return [WorkerId(row[0]) for row in view.rows("workers")]

    @read
    def held_slots(self, view: Snapshot) -> list[HeldSlots]:
        return [HeldSlots(*row) for row in view.rows("held_slots")]

    def note_progress(self, told: Sequence[ItemProgress]) -> None:
        if told:
            self._note_progress(told)

    @write_together
    def _note_progress(self, tx: Transaction, calls: Sequence[Sequence[ItemProgress]]) -> list[None]:
        tx.load_items({one.item_id for told in calls for one in told})
        for told in calls:
            for one in told:
                tx.work.progress(one)
        return [None] * len(calls)
