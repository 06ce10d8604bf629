"""The real ledger: one DuckDB file, one writer thread, a cursor for each read."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import duckdb

from octavo.batches import (
    ApiKey,
    Batch,
    BatchStatus,
    Customer,
    Item,
    NewBatch,
    Run,
    RunStatus,
    StagedFile,
)
from octavo.errors import LedgerUnavailable, OctavoError
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, KeyId, RunId, WorkerId, new_item_id
from octavo.ledger import refusals, rules
from octavo.ledger.allotment import Answer, Waiting
from octavo.ledger.archive import ArchivedPart, ArchivePosition, Changes, LedgerIdentity, Manifest, Outcomes
from octavo.ledger.contract import (
    BatchCursor,
    Claim,
    ClaimRequest,
    HeldLanes,
    ItemCursor,
    OpenBatch,
    Principal,
    Pruned,
    Report,
    Tell,
    Verdict,
)
from octavo.ledger.duckdb import archive, batches, customers, files, leases, reports, restoring, runs
from octavo.ledger.duckdb.account_methods import AccountMethods
from octavo.ledger.duckdb.database import Database
from octavo.ledger.duckdb.files import add_files
from octavo.ledger.duckdb.lifetime_methods import LifetimeMethods
from octavo.ledger.duckdb.progress_methods import ProgressMethods
from octavo.ledger.duckdb.reading_methods import ReadingMethods
from octavo.ledger.duckdb.reports import take_reports
from octavo.ledger.duckdb.snapshot import Snapshot, Statements
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.webhook_methods import WebhookMethods
from octavo.ledger.duckdb.writer import Writer, each
from octavo.ledger.principals import Principals
from octavo.ledger.restoring import Restoring, check_empty
from octavo.timestamps import Clock, now

R = TypeVar("R")


def _end_run(tx: Transaction, ended: tuple[RunId, RunStatus]) -> Run | None:
    run_id, status = ended
    leases.release_run(tx, run_id)
    return runs.end_run(tx, run_id, status)


def _step_back(tx: Transaction, ended: tuple[RunId | None, WorkerId | None]) -> None:
    run_id, worker_id = ended
    tx.end_waits(run_id=run_id, worker_id=worker_id)


_STEP_BACK = each(_step_back)
_ENSURE_CUSTOMER = each(customers.ensure_customer)
_UPDATE_CUSTOMER = each(customers.update_customer)
_ADD_KEY = each(customers.add_key)
_REVOKE_KEY = each(customers.revoke_key)
_MARK_READY = each(files.mark_ready)
_CREATE_BATCH = each(batches.create_batch)
_CANCEL_BATCH = each(reports.cancel_batch)
_RENEW = each(leases.renew)
_REVOKE = each(leases.revoke)
_EXPIRE_LEASES = each(leases.expire_leases)
_ADD_RUN = each(runs.add_run)
_NAME_RUN = each(runs.name_run)
_OPEN_RUN = each(runs.open_run)
_END_RUN = each(_end_run)
_SEE_RUNS = each(runs.see_runs)
_FORGET_LOST_RUN = each(runs.forget_lost_run)
_NOTE_ARCHIVED = each(archive.note_position)
_RESTORE_PART = each(restoring.restore_part)
_END_RESTORE = each(restoring.end_restore)
_PRUNE = each(runs.prune)


class DuckdbLedger(LifetimeMethods, WebhookMethods, AccountMethods, ReadingMethods, ProgressMethods):
    """A `Ledger` in the DuckDB file at `path`, made if it is new, readable by its owner alone.

    Raises: DataDirectoryInUse when the file is open elsewhere, LedgerTooNew when a newer version
    has written it, LedgerUnavailable when it cannot be opened.
    """

    def __init__(self, path: Path, *, clock: Clock = now) -> None:
        self._clock = clock
        self._database = Database(path)
        self._statements = Statements()
        self._writer = Writer(self._database, self._statements, clock)
        self._closed = False
        self._principals = Principals()

    def close(self) -> None:
        """Commit what waits, end the writer and release the file; again without harm."""
        self._closed = True
        self._principals.forget()
        self._writer.close()
        self._database.close()

    def _read(self, read: Callable[[Snapshot], R]) -> R:
        if self._closed:
            raise refusals.closed()
        try:
            with self._database.cursor() as cursor:
                cursor.begin()
                return read(Snapshot(cursor, self._statements, self._clock()))
        except duckdb.Error as error:
            raise LedgerUnavailable(f"The ledger could not be read: {error}") from error

    # Customers and keys

    def ensure_customer(self, name: str) -> Customer:
        return self._writer.submit(_ENSURE_CUSTOMER, name)

    def customer(self, customer_id: CustomerId) -> Customer:
        return self._read(lambda view: customers.customer(view, customer_id))

    def customers(self) -> list[Customer]:
        return self._read(customers.customers)

    def update_customer(
        self, customer_id: CustomerId, *, enabled: bool | None = None, item_cap: int | None = None
    ) -> Customer:
        change = customers.CustomerChange(customer_id, enabled, item_cap)
        changed = self._writer.submit(_UPDATE_CUSTOMER, change)
        self._principals.forget()
        return changed

    def add_key(
        self, customer_id: CustomerId, *, prefix: str, digest: str, label: str = "", uploads_only: bool = False
    ) -> ApiKey:
        return self._writer.submit(_ADD_KEY, customers.NewKey(customer_id, prefix, digest, label, uploads_only))

    def keys(self, customer_id: CustomerId) -> list[ApiKey]:
        return self._read(lambda view: customers.keys(view, customer_id))

    def revoke_key(self, key_id: str) -> ApiKey | None:
        revoked = self._writer.submit(_REVOKE_KEY, KeyId(key_id))
        self._principals.forget()
        return revoked

    def principal(self, digest: str) -> Principal | None:
        return self._principals.find(digest, lambda: self._read(lambda view: customers.principal(view, digest)))

    # Files

    def add_files(self, files: Sequence[StagedFile]) -> None:
        if files:
            self._writer.submit(add_files, files)

    def files(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> dict[FileId, StagedFile]:
        return self._read(lambda view: files.files(view, customer_id, file_ids))

    def mark_ready(self, file_ids: Sequence[FileId]) -> None:
        if file_ids:
            self._writer.submit(_MARK_READY, file_ids)

    # Batches

    def replay(self, customer_id: CustomerId, idempotency_key: str, body_digest: str) -> Batch | None:
        return self._read(lambda view: batches.replay(view, customer_id, idempotency_key, body_digest))

    def create_batch(self, new: NewBatch) -> tuple[Batch, bool]:
        rules.check_batch(new)
        item_ids = sorted(new_item_id() for _ in new.file_ids)
        return self._writer.submit(_CREATE_BATCH, (new, item_ids))

    def batch(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        return self._read(lambda view: batches.find_batch(view, batch_id, customer_id).record())

    def batches(
        self,
        customer_id: CustomerId,
        *,
        status: BatchStatus | None = None,
        after: BatchCursor | None = None,
        limit: int = 50,
    ) -> list[Batch]:
        return self._read(lambda view: batches.batches(view, customer_id, status, after, limit))

    def items(self, batch_id: BatchId, *, after: ItemCursor | None = None, limit: int = 100) -> list[Item]:
        return self._read(lambda view: batches.items(view, batch_id, after, limit))

    def item(self, batch_id: BatchId, item_id: ItemId) -> Item:
        return self._read(lambda view: batches.item(view, batch_id, item_id))

    def cancel_batch(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        return self._writer.submit(_CANCEL_BATCH, (customer_id, batch_id))

    # Work

    def claim(self, request: ClaimRequest) -> Claim:
        rules.check_claim(request)
        told: list[Answer] = []
        self._writer.submit(self._writer.claims.take, Waiting(request, told.append, stays=False))
        (answer,) = told
        if isinstance(answer, OctavoError):
            raise answer
        return answer

    def stand(self, request: ClaimRequest, tell: Tell) -> None:
        rules.check_claim(request)
        self._writer.submit(self._writer.claims.take, Waiting(request, tell, stays=True))

    def step_back(self, *, run_id: RunId | None = None, worker_id: WorkerId | None = None) -> None:
        self._writer.submit(_STEP_BACK, (run_id, worker_id))

    def report(self, reports: Sequence[Report]) -> list[Verdict]:
        rules.check_reports(reports)
        return self._writer.submit(take_reports, reports) if reports else []

    def renew(self, worker_id: WorkerId, slice_ids: Sequence[str], lease_seconds: float) -> list[str]:
        return self._writer.submit(_RENEW, leases.Renewal(worker_id, tuple(slice_ids), lease_seconds))

    def revoke(self, *, worker_id: WorkerId | None = None, run_id: RunId | None = None) -> list[BatchId]:
        rules.check_revoke(worker_id, run_id)
        return self._writer.submit(_REVOKE, leases.Revocation(worker_id, run_id))

    def expire_leases(self) -> list[BatchId]:
        return self._writer.submit(_EXPIRE_LEASES, None)

    def workers(self) -> list[WorkerId]:
        return self._read(lambda view: [WorkerId(row[0]) for row in view.rows("workers")])

    def held_lanes(self) -> list[HeldLanes]:
        return self._read(lambda view: [HeldLanes(*row) for row in view.rows("held_lanes")])

    # Runs

    def add_run(self, batch_id: BatchId) -> Run:
        return self._writer.submit(_ADD_RUN, batch_id)

    def name_run(self, batch_id: BatchId, run_no: int, run_id: RunId) -> None:
        self._writer.submit(_NAME_RUN, (batch_id, run_no, run_id))

    def open_run(self, run_id: RunId, worker_id: WorkerId) -> Run | None:
        return self._writer.submit(_OPEN_RUN, (run_id, worker_id))

    def end_run(self, run_id: RunId, status: RunStatus = RunStatus.ENDED) -> Run | None:
        rules.check_end(status)
        return self._writer.submit(_END_RUN, (run_id, status))

    def see_runs(self, run_ids: Sequence[RunId]) -> None:
        if run_ids:
            self._writer.submit(_SEE_RUNS, run_ids)

    def run(self, run_id: RunId) -> Run | None:
        return self._read(lambda view: runs.find_run(view, run_id))

    def lost_runs(self) -> list[Run]:
        return self._read(runs.lost_runs)

    def forget_lost_run(self, batch_id: BatchId, run_no: int) -> None:
        self._writer.submit(_FORGET_LOST_RUN, (batch_id, run_no))

    def starting_runs(self) -> list[Run]:
        return self._read(runs.starting_runs)

    def open_batches(self) -> list[OpenBatch]:
        return self._read(runs.open_batches)

    # Pruning

    def prune(self, runs_seen_before: datetime) -> Pruned:
        return self._writer.submit(_PRUNE, runs_seen_before)

    # Usage

    def pages_used(self, customer_id: CustomerId) -> int:
        return self._read(lambda view: customers.pages_used(view, customer_id))

    # The archive

    def identity(self) -> LedgerIdentity:
        return self._read(archive.identity)

    def archived(self) -> ArchivePosition:
        return self._read(archive.position)

    def changes(self, after: ArchivePosition) -> Changes | None:
        return self._read(lambda view: archive.changes(view, after))

    def outcomes(self, batch_id: BatchId) -> Outcomes:
        return self._read(lambda view: archive.outcomes_of_batch(view, batch_id))

    def manifest(self, batch_id: BatchId) -> Manifest:
        return self._read(lambda view: archive.manifest(view, batch_id))

    def note_archived(self, position: ArchivePosition) -> None:
        self._writer.submit(_NOTE_ARCHIVED, position)

    def restore(self, parts: Iterable[ArchivedPart], *, generation: int) -> None:
        check_empty(self.customers())
        given = Restoring(generation=generation, moment=self._clock())
        for part in parts:
            self._writer.submit(_RESTORE_PART, replace(given, part=part))
        self._writer.submit(_END_RESTORE, given)
        self._writer.go_on_from(self._database.last_commit())
