"""Claims, reports and leases in DuckDB: load the rows, let the rules change them, store what changed.

All claims, and all reports, that wait for one commit are taken together: their rows are read and
written in one statement of each kind, however many they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from octavo.batches import Batch, ClaimedItem, RunStatus, Slice
from octavo.errors import BatchNotFound, StaleLease
from octavo.identifiers import BatchId, CustomerId, FileId, RunId, WorkerId
from octavo.ledger import refusals, rules
from octavo.ledger.contract import Claim, ClaimRequest, Report, Verdict
from octavo.ledger.duckdb.batches import batch_row, find_batch, item_row
from octavo.ledger.duckdb.runs import load_runs, run_record, store_runs
from octavo.ledger.duckdb.transaction import Parameter, Row, Snapshot, Transaction, utc
from octavo.ledger.rows import BatchRow, ItemRow, SliceRow

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
]


# Loading and storing ----------------------------------------------------------------------


def _slice_row(row: Row) -> SliceRow:
    return SliceRow(
        slice_id=row[0],
        batch_id=row[1],
        customer_id=row[2],
        run_id=row[3],
        worker_id=row[4],
        expires_at=utc(row[5]),
        open_items=row[6],
    )


def load_batches(view: Snapshot, batch_ids: Iterable[BatchId]) -> dict[BatchId, BatchRow]:
    """Return those of these batches that there are."""
    rows = [batch_row(row) for row in view.rows("batches_by_id", batch_ids=sorted(set(batch_ids)))]
    return {row.batch_id: row for row in rows}


def _load_work(tx: Transaction, item_rows: Sequence[Row]) -> rules.Work:
    items = {row[0]: item_row(row) for row in item_rows}
    slice_ids = sorted({item.slice_id for item in items.values() if item.slice_id is not None})
    slices = [_slice_row(row) for row in tx.rows("slices_by_id", slice_ids=slice_ids)] if slice_ids else []
    batches = load_batches(tx, (item.batch_id for item in items.values()))
    return rules.Work(items, batches, {row.slice_id: row for row in slices}, tx.stamp)


def _columns(rows: Iterable[object], names: Sequence[str]) -> dict[str, Parameter]:
    kept = list(rows)
    return {name: [getattr(row, name) for row in kept] for name in names}


def _store_work(tx: Transaction, work: rules.Work) -> None:
    if work.changed_items:
        tx.rows("store_items", **_columns(work.changed_items.values(), _ITEM_COLUMNS))
    _store_counts(tx, work)
    if work.usage:
        tx.rows(
            "add_usage",
            item_ids=[row.item_id for row in work.usage],
            batch_ids=[row.batch_id for row in work.usage],
            customer_ids=[row.customer_id for row in work.usage],
            pages=[row.pages for row in work.usage],
            created_ats=[row.created_at for row in work.usage],
        )
    if work.sha256:
        tx.rows("set_sha256", file_ids=list(work.sha256), sha256s=list(work.sha256.values()))


def _store_counts(tx: Transaction, work: rules.Work) -> None:
    if work.changed_batches:
        tx.rows("store_batches", **_columns(work.changed_batches.values(), _BATCH_COLUMNS))
    if work.closed_slices:
        tx.rows("close_slices", slice_ids=sorted(work.closed_slices))
    shrunk = sorted(work.shrunk_slices - work.closed_slices)
    if shrunk:
        left: list[int] = [work.slices[slice_id].open_items for slice_id in shrunk]
        tx.rows("shrink_slices", slice_ids=shrunk, open_items=left)


# Reports ----------------------------------------------------------------------------------


def take_reports(tx: Transaction, calls: Sequence[Sequence[Report]]) -> list[list[Verdict]]:
    """Take the reports of all calls, in order, in one go."""
    item_ids = sorted({report.item_id for reports in calls for report in reports})
    work = _load_work(tx, tx.rows("items_by_id", item_ids=item_ids))
    accepted = [[work.report(report) for report in reports] for reports in calls]
    _store_work(tx, work)
    return [
        [work.verdict(report, accepted=yes) for report, yes in zip(reports, answers, strict=True)]
        for reports, answers in zip(calls, accepted, strict=True)
    ]


def cancel_batch(tx: Transaction, asked: tuple[CustomerId, BatchId]) -> Batch:
    """Cancel what is pending, in one statement however much that is. Raises BatchNotFound."""
    customer_id, batch_id = asked
    batch = find_batch(tx, batch_id, customer_id)
    if batch.status.is_terminal:
        return batch.record()
    held: dict[str, int] = {}
    if batch.pending > batch.unleased:
        held = dict(tx.rows("pending_by_slice", batch_no=batch.batch_no))
    slices = [_slice_row(row) for row in tx.rows("slices_by_id", slice_ids=sorted(held))] if held else []
    work = rules.Work({}, {batch_id: batch}, {row.slice_id: row for row in slices}, tx.stamp)
    if batch.pending:
        tx.rows("cancel_pending", batch_no=batch.batch_no, moment=tx.stamp())
    work.cancel_counts(batch, held)
    _store_work(tx, work)
    return batch.record()


# Claims -----------------------------------------------------------------------------------


class _Claims:
    """The rows that all claims of one commit share."""

    def __init__(self, tx: Transaction, requests: Sequence[ClaimRequest]) -> None:
        self._tx = tx
        self._batches = load_batches(tx, (request.batch_id for request in requests))
        self._runs = load_runs(tx, [request.run_id for request in requests])
        self._caps = {row[0]: row[3] for row in tx.rows("customers")}
        self._open = tx.rows("open_slice_counts")
        self._free: dict[BatchId, list[ItemRow]] = {}
        self._sources: dict[FileId, Row] = {}
        self._wanted = self._most(requests)
        self._work = rules.Work({}, self._batches, {}, tx.stamp)

    def _most(self, requests: Sequence[ClaimRequest]) -> Mapping[BatchId, int]:
        """Return how many free items the claims on each batch can take at most."""
        most: dict[BatchId, int] = dict.fromkeys(self._batches, 0)
        for request in requests:
            if request.batch_id in most:
                cap = self._caps[self._batches[request.batch_id].customer_id]
                most[request.batch_id] += min(request.lanes, cap) * request.slice_items
        return most

    def take(self, request: ClaimRequest) -> Claim:
        """Answer one claim. Raises BatchNotFound, StaleLease."""
        batch = self._batches.get(request.batch_id)
        if batch is None:
            raise refusals.batch_not_found(request.batch_id)
        run = self._runs.get(request.run_id)
        if run is not None:
            if rules.is_over(run):
                raise refusals.run_is_over(request.run_id)
            self._runs[request.run_id] = rules.opened(run, request.worker_id, self._tx.now)
        room = self._room(request, batch)
        sizes = room.sizes(batch, request.slice_items)
        return Claim(
            slices=tuple(self._lease(request, batch, size) for size in sizes),
            status=batch.status,
            unleased=batch.unleased,
            at_cap=room.at_cap(batch),
            held=self._count(run_id=request.run_id),
        )

    def store(self) -> None:
        """Write what the claims have changed."""
        store_runs(self._tx, self._runs.values())
        new = self._work.new_slices
        if new:
            changed = list(self._work.changed_items.values())
            self._tx.rows(
                "lease_items",
                item_ids=[item.item_id for item in changed],
                slice_ids=[item.slice_id for item in changed],
            )
            self._tx.rows(
                "add_slices",
                slice_ids=[row.slice_id for row in new],
                batch_ids=[row.batch_id for row in new],
                customer_ids=[row.customer_id for row in new],
                run_ids=[row.run_id for row in new],
                worker_ids=[row.worker_id for row in new],
                expires_ats=[row.expires_at for row in new],
                open_items=[row.open_items for row in new],
            )
            _store_counts(self._tx, self._work)

    def _room(self, request: ClaimRequest, batch: BatchRow) -> rules.Room:
        return rules.room(
            request,
            cap=self._caps[batch.customer_id],
            of_customer=self._count(customer_id=batch.customer_id),
            of_worker=self._count(worker_id=request.worker_id),
        )

    def _count(
        self,
        *,
        customer_id: CustomerId | None = None,
        worker_id: WorkerId | None = None,
        run_id: RunId | None = None,
    ) -> int:
        before = sum(
            count
            for customer, worker, run, count in self._open
            if customer_id in (None, customer) and worker_id in (None, worker) and run_id in (None, run)
        )
        return int(before) + sum(
            customer_id in (None, row.customer_id)
            and worker_id in (None, row.worker_id)
            and run_id in (None, row.run_id)
            for row in self._work.new_slices
        )

    def _lease(self, request: ClaimRequest, batch: BatchRow, size: int) -> Slice:
        expires_at = self._tx.now + timedelta(seconds=request.lease_seconds)
        row = rules.new_slice(request, batch, expires_at, size)
        items = self._take_free(batch, size)
        self._work.lease(items, row)
        return Slice(
            slice_id=row.slice_id,
            items=tuple(_claimed(item, self._sources[item.file_id], batch.customer_id) for item in items),
            lease_expires_at=expires_at,
        )

    def _take_free(self, batch: BatchRow, size: int) -> list[ItemRow]:
        if batch.batch_id not in self._free:
            wanted = self._wanted[batch.batch_id]
            rows = self._tx.rows("free_items", batch_no=batch.batch_no, limit=wanted)
            self._free[batch.batch_id] = [item_row(row) for row in rows]
            file_ids = [item.file_id for item in self._free[batch.batch_id]]
            self._sources |= {row[0]: row for row in self._tx.rows("file_sources", file_ids=file_ids)}
        free = self._free[batch.batch_id]
        taken, self._free[batch.batch_id] = free[:size], free[size:]
        return taken


def _claimed(item: ItemRow, source: Row, customer_id: CustomerId) -> ClaimedItem:
    _, object_key, filename, content_type, size_bytes = source
    return ClaimedItem(
        item_id=item.item_id,
        batch_id=item.batch_id,
        customer_id=customer_id,
        file_id=item.file_id,
        position=item.position,
        lease_no=item.lease_no,
        attempts=item.attempts,
        lost_leases=item.lost_leases,
        object_key=object_key,
        filename=filename,
        content_type=content_type,
        size_bytes=size_bytes,
    )


def take_claims(tx: Transaction, requests: Sequence[ClaimRequest]) -> list[Claim | BatchNotFound | StaleLease]:
    """Answer claims in the order they came; a refusal of one does not touch the others."""
    claims = _Claims(tx, requests)
    answers: list[Claim | BatchNotFound | StaleLease] = []
    for request in requests:
        try:
            answers.append(claims.take(request))
        except (BatchNotFound, StaleLease) as refusal:
            answers.append(refusal)
    claims.store()
    return answers


# Leases -----------------------------------------------------------------------------------


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
    rows = [_slice_row(row) for row in tx.rows("slices_by_id", slice_ids=list(asked.slice_ids))]
    held = {row.slice_id for row in rows if row.worker_id == asked.worker_id}
    if held:
        expires_at = tx.now + timedelta(seconds=asked.lease_seconds)
        tx.rows("renew_slices", slice_ids=sorted(held), expires_at=expires_at)
    return [slice_id for slice_id in asked.slice_ids if slice_id not in held]


def give_back(tx: Transaction, slices: Sequence[SliceRow], *, lost: bool) -> set[BatchId]:
    """Give back all items of these slices; return the batches they belong to."""
    if not slices:
        return set()
    slice_ids = [row.slice_id for row in slices]
    work = _load_work(tx, tx.rows("items_of_slices", slice_ids=list(slice_ids)))
    batch_ids = work.give_back_slices(slice_ids, lost=lost)
    _store_work(tx, work)
    return batch_ids


def revoke(tx: Transaction, asked: Revocation) -> list[BatchId]:
    """Take all leases of a worker or run away; its open runs become lost."""
    if asked.worker_id is not None:
        slices = tx.rows("slices_of_worker", worker_id=asked.worker_id)
        runs = [run_record(row) for row in tx.rows("open_runs_of_worker", worker_id=asked.worker_id)]
    else:
        slices = tx.rows("slices_of_run", run_id=asked.run_id)
        runs = [run_record(row) for row in tx.rows("run", run_id=asked.run_id)]
    lost = [replace(run, status=RunStatus.LOST) for run in runs if not rules.is_over(run)]
    batch_ids = give_back(tx, [_slice_row(row) for row in slices], lost=True)
    store_runs(tx, lost)
    return sorted(batch_ids | {run.batch_id for run in lost})


def expire_leases(tx: Transaction, _: None) -> list[BatchId]:
    """Give back what the leases that have run out held."""
    slices = [_slice_row(row) for row in tx.rows("expired_slices", now=tx.now)]
    return sorted(give_back(tx, slices, lost=True))


def release_run(tx: Transaction, run_id: RunId) -> None:
    """Give back, uncounted, what a run still holds."""
    slices = [_slice_row(row) for row in tx.rows("slices_of_run", run_id=run_id)]
    give_back(tx, slices, lost=False)
