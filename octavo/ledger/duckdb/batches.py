"""Batches and their items in DuckDB: what a customer submits and follows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from octavo.batches import Batch, BatchStatus, Item, NewBatch, NewItem, SourceKind
from octavo.identifiers import BatchId, CustomerId, FileId, ItemId, new_item_id
from octavo.ledger import refusals, rules
from octavo.ledger.contract import BatchCursor, ItemCursor, ItemQuery, Retried, Retry
from octavo.ledger.duckdb.batch_rows import add_batch, find_batch, keep_idempotency_key
from octavo.ledger.duckdb.deletions import note_deleted_batches, note_deletions
from octavo.ledger.duckdb.files import check_files, expired_files
from octavo.ledger.duckdb.listing import list_items
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write
from octavo.ledger.duckdb.tables import IDEMPOTENCY_KEYS, ITEMS, SHOWN_BATCHES, SHOWN_ITEMS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.rows import INPUT_FIELDS, BatchRow
from octavo.ledger.watching import Unwatch

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class DuckdbBatches(Facet):
    """A `BatchLedger`."""

    @read
    def replay(self, view: Snapshot, customer_id: CustomerId, idempotency_key: str, body_digest: str) -> Batch | None:
        return _replay(view, customer_id, idempotency_key, body_digest)

    def create(self, new: NewBatch) -> tuple[Batch, bool]:
        rules.check_batch(new)
        # What takes a while for ten thousand items is done before the writer has to do with it.
        return self._create(new, sorted(new_item_id() for _ in new.items), _inputs(new.items))

    @write
    def _create(
        self, tx: Transaction, new: NewBatch, item_ids: Sequence[ItemId], inputs: dict[str, Any]
    ) -> tuple[Batch, bool]:
        if new.idempotency_key is not None:
            earlier = _replay(tx, new.customer_id, new.idempotency_key, new.body_digest)
            if earlier is not None:
                return earlier, False
        filenames = check_files(tx, new.customer_id, inputs["file_id"])
        batch = rules.new_batch_row(new, tx.stamp())
        add_batch(tx, batch)
        _name_files(inputs, filenames)
        ITEMS.insert(
            tx,
            item_id=list(item_ids),
            position=list(range(len(item_ids))),
            batch_no=batch.batch_no,
            batch_id=new.batch_id,
            customer_id=new.customer_id,
            created_at=batch.created_at,
            updated_at=batch.created_at,
            dialect=batch.dialect,
            **inputs,
        )
        if new.idempotency_key is not None:
            keep_idempotency_key(tx, new.customer_id, new.idempotency_key, new.body_digest, new.batch_id, tx.now)
        return batch.record(), True

    @read
    def get(self, view: Snapshot, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        found = view.record(SHOWN_BATCHES, "shown_batch", batch_id=batch_id)
        if found is None or found.customer_id != customer_id:
            raise refusals.batch_not_found(batch_id)
        return found.record()

    @read
    def of_customer(
        self,
        view: Snapshot,
        customer_id: CustomerId,
        *,
        status: BatchStatus | None = None,
        after: BatchCursor | None = None,
        limit: int = 50,
    ) -> list[Batch]:
        rows = view.records(
            SHOWN_BATCHES,
            "batches_of_customer",
            customer_id=customer_id,
            status=status,
            created_at=None if after is None else after.created_at,
            batch_id=None if after is None else after.batch_id,
            limit=limit,
        )
        return [row.record() for row in rows]

    @read
    def items(
        self, view: Snapshot, batch_id: BatchId, *, after: ItemCursor | None = None, limit: int = 100
    ) -> list[Item]:
        number = view.row("batch_no", batch_id=batch_id)
        if number is None:
            return []
        rows = view.records(
            SHOWN_ITEMS,
            "items_page",
            batch_no=number[0],
            updated_at=_BEGINNING if after is None else after.updated_at,
            item_id="" if after is None else after.item_id,
            limit=limit,
        )
        return [row.record() for row in rows]

    @read
    def items_in_order(self, view: Snapshot, batch_id: BatchId, *, first: int = 0, limit: int = 100) -> list[Item]:
        number = view.row("batch_no", batch_id=batch_id)
        if number is None:
            return []
        rows = view.records(SHOWN_ITEMS, "items_in_order", batch_no=number[0], first=first, limit=limit)
        return [row.record() for row in rows]

    @read
    def item(self, view: Snapshot, batch_id: BatchId, item_id: ItemId) -> Item:
        found = view.record(SHOWN_ITEMS, "item", item_id=item_id)
        if found is None or found.batch_id != batch_id:
            raise refusals.item_not_found(batch_id, item_id)
        return found.record()

    @read
    def item_of_customer(self, view: Snapshot, customer_id: CustomerId, item_id: ItemId) -> Item:
        found = view.record(SHOWN_ITEMS, "item", item_id=item_id)
        if found is None or found.customer_id != customer_id:
            raise refusals.item_not_found_at_all(item_id)
        return found.record()

    @read
    def items_of_customer(self, view: Snapshot, query: ItemQuery) -> list[Item]:
        return list_items(view, query)

    @write
    def cancel(self, tx: Transaction, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        tx.flush()
        batch = _working_batch(tx, customer_id, batch_id)
        if batch.status.is_terminal:
            return batch.record()
        held: dict[str, int] = {}
        if batch.pending > batch.unleased:
            held = dict(tx.rows("pending_by_slice", batch_no=batch.batch_no))
        ((with_result,),) = tx.rows("pending_with_result", batch_no=batch.batch_no)
        if batch.pending:
            tx.rows("cancel_pending", batch_no=batch.batch_no, moment=tx.stamp())
        tx.work.cancel_counts(batch, held, with_result)
        tx.forget_pending(batch_id)
        tx.has_news = True
        tx.touched.add(batch_id)
        return batch.record()

    @write
    def retry_failed(self, tx: Transaction, asked: Retry) -> Retried:
        tx.flush()
        batch = _working_batch(tx, asked.customer_id, asked.batch_id)
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
        return Retried(
            batch=batch.record(),
            items=len(wanted),
            expired=len(failed) - len(wanted),
            had_ended=had_ended,
            since=tx.stamp(),
        )

    @write
    def delete(self, tx: Transaction, customer_id: CustomerId, batch_id: BatchId) -> list[int]:
        tx.flush()
        batch = _working_batch(tx, customer_id, batch_id)
        if not batch.status.is_terminal:
            raise refusals.batch_not_finished(batch_id, batch.status.value)
        return delete_batches(tx, {batch_id: batch.batch_no})

    def watch(self, batch_id: BatchId, tell: Callable[[], None]) -> Unwatch:
        return self._store.writer.watches.add(batch_id, tell)


def _inputs(items: Sequence[NewItem]) -> dict[str, Any]:
    """Return what items are made of, by field."""
    return {name: list(map(get, items)) for name, get in INPUT_FIELDS.items()}


def _name_files(inputs: dict[str, Any], filenames: Mapping[FileId, str | None]) -> None:
    """Give items of files the files' names, where they have no other."""
    names, kinds, file_ids = (inputs[name] for name in ("source_name", "source_kind", "file_id"))
    inputs["source_name"] = [
        filenames.get(file_id) if name is None and kind is SourceKind.FILE else name
        for name, kind, file_id in zip(names, kinds, file_ids, strict=True)
    ]


def _working_batch(tx: Transaction, customer_id: CustomerId, batch_id: BatchId) -> BatchRow:
    """Return one of the customer's batches, to be changed. Raises BatchNotFound."""
    batch = tx.working.load_batches(tx, [batch_id]).get(batch_id)
    if batch is None or batch.customer_id != customer_id:
        raise refusals.batch_not_found(batch_id)
    return batch


def _replay(view: Snapshot, customer_id: CustomerId, idempotency_key: str, body_digest: str) -> Batch | None:
    """Return the batch made with this key in the last 24 hours. Raises IdempotencyKeyReused."""
    found = view.record(IDEMPOTENCY_KEYS, "idempotency_key", customer_id=customer_id, idempotency_key=idempotency_key)
    if found is None or found.created_at <= view.now - rules.IDEMPOTENCY_WINDOW:
        return None
    if found.body_digest != body_digest:
        raise refusals.idempotency_key_reused()
    return find_batch(view, found.batch_id).record()


def _gone(tx: Transaction, asked: Retry, file_ids: list[FileId]) -> set[FileId]:
    """Return those of the files that a batch could not name any more."""
    if not file_ids:
        return set()
    expired = list(expired_files(tx, file_ids))
    refused = tx.rows("refused_files", customer_id=asked.customer_id, file_ids=list(file_ids), expired=expired)
    return {file_id for file_id, _ in refused}


def delete_batches(tx: Transaction, batches: Mapping[BatchId, int]) -> list[int]:
    """Delete batches, given with their numbers, and return the numbers of the deletions from storage."""
    numbers, batch_ids = list(batches.values()), list(batches)
    results = tx.rows("results_of_batches", batch_nos=list(numbers))
    results += tx.rows("kept_pages_of_batches", batch_nos=list(numbers))
    tx.rows("delete_items_of", batch_nos=list(numbers))
    tx.rows("delete_batches", batch_ids=batch_ids)
    tx.rows("delete_ended_runs_of", batch_ids=batch_ids)
    tx.rows("delete_idempotency_keys_of", batch_ids=batch_ids)
    note_deleted_batches(tx, batch_ids)
    tx.working.forget_batches(batch_ids)
    return note_deletions(tx, [(row[0], None, row[1]) for row in results if row[1] is not None])
