"""Claims in DuckDB: all that wait for one commit are answered together, in the order they came."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from octavo.batches import ClaimedItem, Slice
from octavo.errors import BatchNotFound, StaleLease
from octavo.identifiers import BatchId, CustomerId, FileId, RunId, WorkerId
from octavo.ledger import refusals, rules
from octavo.ledger.contract import Claim, ClaimRequest
from octavo.ledger.duckdb.batches import item_row
from octavo.ledger.duckdb.runs import load_runs, store_runs
from octavo.ledger.duckdb.transaction import Row, Transaction
from octavo.ledger.duckdb.working_rows import load_batches, store_counts
from octavo.ledger.rows import BatchRow, ItemRow


class _Claims:
    """The rows that all claims of one commit share."""

    def __init__(self, tx: Transaction, requests: Sequence[ClaimRequest]) -> None:
        self._tx = tx
        self._batches = load_batches(tx, (request.batch_id for request in requests))
        self._runs = load_runs(tx, [request.run_id for request in requests])
        owners = sorted({batch.customer_id for batch in self._batches.values()})
        self._caps: dict[CustomerId, int] = dict(tx.rows("caps", customer_ids=list(owners)))
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
            store_counts(self._tx, self._work)

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
