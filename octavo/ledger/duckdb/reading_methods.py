"""`ReadingLedger` on DuckDB."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from octavo.batches import Item, StagedFile
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId
from octavo.ledger import refusals
from octavo.ledger.duckdb.files import expired_files, file_record
from octavo.ledger.duckdb.rows import item_row
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.writer import Writer, each
from octavo.ledger.reading import Retried, Retry
from octavo.ledger.watching import Unwatch


class ReadingMethods:
    """What `DuckdbLedger` does for those who follow a batch."""

    _writer: Writer
    _read: Callable[[Callable[[Snapshot], Any]], Any]

    def retry_failed(self, asked: Retry) -> Retried:
        return self._writer.submit(_RETRY_FAILED, asked)

    def watch(self, batch_id: BatchId, tell: Callable[[], None]) -> Unwatch:
        return self._writer.watches.add(batch_id, tell)

    def pending_files(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> list[StagedFile]:
        found: list[StagedFile] = self._read(lambda view: _pending_files(view, customer_id, file_ids))
        return found

    def items_in_order(self, batch_id: BatchId, *, first: int = 0, limit: int = 100) -> list[Item]:
        found: list[Item] = self._read(lambda view: _items_in_order(view, batch_id, first, limit))
        return found


def _items_in_order(view: Snapshot, batch_id: BatchId, first: int, limit: int) -> list[Item]:
    number = view.row("batch_no", batch_id=batch_id)
    if number is None:
        return []
    rows = view.rows("items_in_order", batch_no=number[0], first=first, limit=limit)
    return [item_row(row).record() for row in rows]


def _pending_files(view: Snapshot, customer_id: CustomerId, file_ids: Sequence[FileId]) -> list[StagedFile]:
    rows = view.rows("pending_files", customer_id=customer_id, file_ids=list(file_ids), now=view.now)
    return [file_record(row) for row in rows]


def _retry_failed(tx: Transaction, asked: Retry) -> Retried:
    tx.flush()
    batch = tx.working.load_batches(tx, [asked.batch_id]).get(asked.batch_id)
    if batch is None or batch.customer_id != asked.customer_id:
        raise refusals.batch_not_found(asked.batch_id)
    had_ended = batch.status.is_terminal
    if batch.cancel_requested_at is not None and not had_ended:
        raise refusals.batch_cancelling(asked.batch_id)
    codes = None if asked.codes is None else sorted(asked.codes)
    kept_after = tx.now - timedelta(seconds=batch.retention_seconds) if asked.failed_pages else None
    found = tx.rows("failed_items", batch_no=batch.batch_no, codes=codes, kept_after=kept_after)
    failed: dict[ItemId, FileId] = dict(found)
    gone = _gone(tx, asked, list(dict.fromkeys(failed.values())))
    wanted = [item_id for item_id, file_id in failed.items() if file_id not in gone]
    if failed and not wanted:
        raise refusals.unknown_files(sorted(gone))
    if wanted:
        tx.load_items(wanted)
        tx.work.reopen(batch, [tx.work.items[item_id] for item_id in wanted])
        tx.rows("note_retry", batch_id=batch.batch_id, moment=tx.stamp())
    return Retried(
        batch=batch.record(),
        items=len(wanted),
        expired=len(failed) - len(wanted),
        had_ended=had_ended,
        since=tx.stamp(),
    )


def _gone(tx: Transaction, asked: Retry, file_ids: list[FileId]) -> set[FileId]:
    """Return those of the files that a batch could not name any more."""
    if not file_ids:
        return set()
    expired = list(expired_files(tx, file_ids))
    refused = tx.rows("refused_files", customer_id=asked.customer_id, file_ids=list(file_ids), expired=expired)
    return {file_id for file_id, _ in refused}


_RETRY_FAILED = each(_retry_failed)
