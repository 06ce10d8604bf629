"""Expiry in DuckDB: what is due is looked for in a read, and taken in slices by short commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId
from octavo.ledger.contract import PendingDeletion
from octavo.ledger.duckdb.batches import delete_batches
from octavo.ledger.duckdb.deletions import note_deletions
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write
from octavo.ledger.duckdb.tables import PENDING_DELETIONS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.values import Row, aware, utc

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
BATCHES_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DueResults:
    """Results whose time is over, and until when all of their batches' have expired once these are noted."""

    until: tuple[tuple[int, datetime], ...]
    """Numbers of batches with that moment."""
    results: tuple[tuple[CustomerId, ResultId], ...]


class DuckdbLifetimes(Facet):
    """A `LifetimeLedger`."""

    def expire(self, limit: int) -> int:
        file_ids = self._due_files(limit)
        if file_ids:
            self._expire_files(file_ids)
        due = self._due_results(limit)
        if due.until:
            self._expire_results(due)
        kept = self._due_kept_pages(limit)
        if kept:
            self._expire_kept_pages(kept)
        return len(file_ids) + len(due.results) + len(kept)

    @read
    def _due_files(self, view: Snapshot, limit: int) -> list[FileId]:
        return [row[0] for row in view.rows("due_files", now=view.now, limit=limit)]

    @write
    def _expire_files(self, tx: Transaction, file_ids: Sequence[FileId]) -> list[int]:
        tx.flush()
        gone = tx.rows("expire_files", file_ids=list(file_ids), now=tx.now)
        return note_deletions(tx, [(row[0], row[1], None) for row in gone])

    @read
    def _due_results(self, view: Snapshot, limit: int) -> DueResults:
        batches = view.rows("batches_with_due_results", now=view.now, limit=BATCHES_LOOKED_AT)
        if not batches:
            return DueResults(until=(), results=())
        until = {row[1]: view.now - timedelta(seconds=row[3]) for row in batches}
        customers = {row[1]: row[2] for row in batches}
        rows, is_all = _due_rows(view, batches, until, limit)
        taken = dict.fromkeys((customers[row[0]], ResultId(row[2])) for row in rows if row[2] is not None)
        reached = {row[0]: utc(row[1]) for row in rows}
        last = max(reached, default=0)
        moved = [
            (number, until[number] if is_all or number != last else reached[number])
            for _, number, _, _, _, has_ended in batches
            # An unfinished batch without anything due is looked at again; what has ended is done.
            if (number in reached or has_ended) and (is_all or number <= last)
        ]
        return DueResults(until=tuple(moved), results=tuple(taken))

    @write
    def _expire_results(self, tx: Transaction, due: DueResults) -> list[int]:
        tx.flush()
        tx.rows(
            "note_expired", batch_nos=[number for number, _ in due.until], until=[moment for _, moment in due.until]
        )
        return note_deletions(tx, [(customer_id, None, result_id) for customer_id, result_id in due.results])

    @read
    def _due_kept_pages(self, view: Snapshot, limit: int) -> list[ItemId]:
        return [row[0] for row in view.rows("due_kept_pages", now=view.now, item_ids=None, limit=limit)]

    @write
    def _expire_kept_pages(self, tx: Transaction, item_ids: Sequence[ItemId]) -> list[int]:
        tx.flush()
        due = tx.rows("due_kept_pages", now=tx.now, item_ids=list(item_ids), limit=len(item_ids))
        tx.rows("forget_kept_pages", item_ids=[row[0] for row in due])
        return note_deletions(tx, [(row[1], None, row[2]) for row in due])

    @read
    def pending_deletions(
        self, view: Snapshot, limit: int, numbers: Sequence[int] | None = None
    ) -> list[PendingDeletion]:
        if numbers is None:
            return view.records(PENDING_DELETIONS, "pending_deletions", limit=limit)
        return view.records(PENDING_DELETIONS, "pending_deletions_by_number", numbers=list(numbers[:limit]))

    def note_deleted(self, numbers: Sequence[int]) -> None:
        if numbers:
            self._note_deleted(numbers)

    @write
    def _note_deleted(self, tx: Transaction, numbers: Sequence[int]) -> None:
        tx.rows("forget_pending_deletions", numbers=list(numbers))

    def live_results(self, result_ids: Sequence[ResultId]) -> set[ResultId]:
        return self._live_results(result_ids) if result_ids else set()

    @read
    def _live_results(self, view: Snapshot, result_ids: Sequence[ResultId]) -> set[ResultId]:
        return {row[0] for row in view.rows("live_results", result_ids=list(result_ids), now=view.now)}

    @read
    def result_expires_at(self, view: Snapshot, customer_id: CustomerId, result_id: ResultId) -> datetime | None:
        ((moment,),) = view.rows("result_expires_at", customer_id=customer_id, result_id=result_id, now=view.now)
        return aware(moment)

    @write
    def forget_batches(self, tx: Transaction, expired_before: datetime, limit: int) -> int:
        tx.flush()
        taken: dict[BatchId, int] = {}
        items = 0
        for batch_id, number, total in tx.rows("old_batches", before=expired_before, limit=limit):
            items += total
            if taken and items > limit:
                break
            taken[batch_id] = number
        if taken:
            delete_batches(tx, taken)
        return len(taken)

    @write
    def forget_files(self, tx: Transaction, expired_before: datetime, limit: int) -> int:
        return len(tx.rows("forget_files", before=expired_before, limit=limit))

    @read
    def kept_files(self, view: Snapshot, file_ids: Sequence[FileId]) -> dict[FileId, bool]:
        rows = view.rows("file_statuses", file_ids=list(file_ids))
        return {row[0]: row[1] in ("pending", "ready") for row in rows}

    @read
    def known_batches(self, view: Snapshot, batch_ids: Sequence[BatchId]) -> set[BatchId]:
        return {row[0] for row in view.rows("known_batches", batch_ids=list(batch_ids))}


def _due_rows(view: Snapshot, batches: Sequence[Row], until: dict[int, datetime], limit: int) -> tuple[list[Row], bool]:
    """Return the due rows, ordered by batch and completion, and whether that is all of them."""
    numbers = sorted(until)
    after = {row[1]: aware(row[4]) or _BEGINNING for row in batches}
    while True:
        rows = view.rows(
            "due_results",
            batch_nos=list(numbers),
            after=[after[number] for number in numbers],
            until=[until[number] for number in numbers],
            first=numbers[0],
            last=numbers[-1],
            limit=limit + 1,
        )
        if len(rows) <= limit:
            return rows, True
        # The last commit may be cut in two: it is left for the next slice.
        whole = [row for row in rows if row[:2] != rows[-1][:2]]
        if whole:
            return whole, False
        limit *= 4
