"""Expiry and deletion in DuckDB: what is due is looked for in a read, and taken in slices by short commits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, ResultId
from octavo.ledger import refusals
from octavo.ledger.duckdb.files import files
from octavo.ledger.duckdb.snapshot import Row, Snapshot, aware, utc
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.lifetimes import Doomed

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
BATCHES_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DueResults:
    """Results whose time is over, and until when all of their batches' have expired once these are doomed."""

    until: tuple[tuple[int, datetime], ...]
    """Numbers of batches with that moment."""
    results: tuple[tuple[CustomerId, ResultId], ...]


# Expiry


def due_files(view: Snapshot, limit: int) -> list[FileId]:
    """Return some of the files whose time is over."""
    return [row[0] for row in view.rows("due_files", now=view.now, limit=limit)]


def expire_files(tx: Transaction, file_ids: Sequence[FileId]) -> list[int]:
    """Make these files expired, those that still are to be, and doom their bytes."""
    tx.flush()
    gone = tx.rows("expire_files", file_ids=list(file_ids), now=tx.now)
    return _doom(tx, [(row[0], row[1], None) for row in gone])


def due_results(view: Snapshot, limit: int) -> DueResults:
    """Return about so many of the results whose time is over; those of one commit stay together."""
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


def doom_results(tx: Transaction, due: DueResults) -> list[int]:
    """Doom these results and note how far their batches have expired."""
    tx.flush()
    tx.rows("note_expired", batch_nos=[number for number, _ in due.until], until=[moment for _, moment in due.until])
    return _doom(tx, [(customer_id, None, result_id) for customer_id, result_id in due.results])


def due_kept_pages(view: Snapshot, limit: int) -> list[ItemId]:
    """Return some of the items without a result whose kept pages have had their time."""
    return [row[0] for row in view.rows("due_kept_pages", now=view.now, item_ids=None, limit=limit)]


def doom_kept_pages(tx: Transaction, item_ids: Sequence[ItemId]) -> list[int]:
    """Doom the pages of these items, unless one is to run again by now."""
    tx.flush()
    due = tx.rows("due_kept_pages", now=tx.now, item_ids=list(item_ids), limit=len(item_ids))
    tx.rows("forget_kept_pages", item_ids=[row[0] for row in due])
    return _doom(tx, [(row[1], None, row[2]) for row in due])


def _doom(tx: Transaction, found: Iterable[tuple[CustomerId, str | None, ResultId | None]]) -> list[int]:
    rows = list(found)
    if not rows:
        return []
    made = tx.rows(
        "doom",
        customer_ids=[row[0] for row in rows],
        object_keys=[row[1] for row in rows],
        result_ids=[row[2] for row in rows],
    )
    return [row[0] for row in made]


def doomed(view: Snapshot, limit: int, numbers: Sequence[int] | None) -> list[Doomed]:
    """Return the first of what is to go from storage, or what of these numbers is."""
    if numbers is None:
        rows = view.rows("doomed", limit=limit)
    else:
        rows = view.rows("doomed_by_number", numbers=list(numbers[:limit]))
    return [Doomed(number=row[0], customer_id=row[1], object_key=row[2], result_id=row[3]) for row in rows]


def forget_doomed(tx: Transaction, numbers: Sequence[int]) -> None:
    """Forget what has gone from storage."""
    tx.rows("forget_doomed", numbers=list(numbers))


def live_results(view: Snapshot, result_ids: Sequence[ResultId]) -> set[ResultId]:
    """Return those that an item names whose time is not over, or that is read again."""
    return {row[0] for row in view.rows("live_results", result_ids=list(result_ids), now=view.now)}


def result_expires_at(view: Snapshot, customer_id: CustomerId, result_id: ResultId) -> datetime | None:
    """Return until when a customer's items keep a result."""
    ((moment,),) = view.rows("result_expires_at", customer_id=customer_id, result_id=result_id, now=view.now)
    return aware(moment)


# Deleting


def delete_file(tx: Transaction, asked: tuple[CustomerId, FileId]) -> list[int]:
    """Delete a file and doom its bytes. Raises UnknownFiles, FileInUse."""
    customer_id, file_id = asked
    tx.flush()
    file = files(tx, customer_id, [file_id]).get(file_id)
    if file is None:
        raise refusals.unknown_files([file_id])
    using = [row[0] for row in tx.rows("unfinished_batches_of_file", file_id=file_id)]
    if using:
        raise refusals.file_in_use(file_id, using)
    tx.rows("delete_file", file_id=file_id)
    tx.rows("note_deleted_file", file_id=file_id, expires_at=file.expires_at)
    return _doom(tx, [(customer_id, file.object_key, None)])


def delete_batch(tx: Transaction, asked: tuple[CustomerId, BatchId]) -> list[int]:
    """Delete a batch that has ended and doom its results. Raises BatchNotFound, BatchNotFinished."""
    customer_id, batch_id = asked
    tx.flush()
    batch = tx.working.load_batches(tx, [batch_id]).get(batch_id)
    if batch is None or batch.customer_id != customer_id:
        raise refusals.batch_not_found(batch_id)
    if not batch.status.is_terminal:
        raise refusals.batch_not_finished(batch_id, batch.status.value)
    return _delete(tx, {batch_id: batch.batch_no})


def forget_batches(tx: Transaction, asked: tuple[datetime, int]) -> int:
    """Delete batches that expired before a moment, one at least and about so many items."""
    before, limit = asked
    tx.flush()
    taken: dict[BatchId, int] = {}
    items = 0
    for batch_id, number, total in tx.rows("old_batches", before=before, limit=limit):
        items += total
        if taken and items > limit:
            break
        taken[batch_id] = number
    if taken:
        _delete(tx, taken)
    return len(taken)


def _delete(tx: Transaction, batches: dict[BatchId, int]) -> list[int]:
    numbers, batch_ids = list(batches.values()), list(batches)
    results = tx.rows("results_of_batches", batch_nos=list(numbers))
    results += tx.rows("kept_pages_of_batches", batch_nos=list(numbers))
    tx.rows("delete_items_of", batch_nos=list(numbers))
    tx.rows("delete_batches", batch_ids=batch_ids)
    tx.rows("delete_ended_runs_of", batch_ids=batch_ids)
    tx.rows("delete_idempotency_keys_of", batch_ids=batch_ids)
    tx.rows("note_deleted_batches", batch_ids=batch_ids)
    tx.working.forget_batches(batch_ids)
    return _doom(tx, [(row[0], None, row[1]) for row in results if row[1] is not None])


def forget_files(tx: Transaction, asked: tuple[datetime, int]) -> int:
    """Remove files that nobody asks for any more."""
    before, limit = asked
    return len(tx.rows("forget_files", before=before, limit=limit))


# Orphans


def kept_files(view: Snapshot, file_ids: Sequence[FileId]) -> dict[FileId, bool]:
    """Return of the files that are known whether their bytes are kept."""
    rows = view.rows("file_statuses", file_ids=list(file_ids))
    return {row[0]: row[1] in ("pending", "ready") for row in rows}


def known_batches(view: Snapshot, batch_ids: Sequence[BatchId]) -> set[BatchId]:
    """Return those of the batches that there are."""
    return {row[0] for row in view.rows("known_batches", batch_ids=list(batch_ids))}
