"""Batches and their items in DuckDB: what a customer submits and reads."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from octavo.batches import Batch, BatchStatus, Item, NewBatch
from octavo.identifiers import BatchId, CustomerId, ItemId
from octavo.ledger import refusals, rules
from octavo.ledger.contract import BatchCursor, ItemCursor
from octavo.ledger.duckdb.files import check_files
from octavo.ledger.duckdb.rows import batch_row, item_row
from octavo.ledger.duckdb.snapshot import Snapshot, utc
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.rows import BatchRow

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def find_batch(view: Snapshot, batch_id: BatchId, customer_id: CustomerId | None = None) -> BatchRow:
    """Return one batch, of this customer if one is given. Raises BatchNotFound."""
    found = view.row("batch", batch_id=batch_id)
    if found is None or customer_id not in (None, found[1]):
        raise refusals.batch_not_found(batch_id)
    return batch_row(found)


def replay(view: Snapshot, customer_id: CustomerId, idempotency_key: str, body_digest: str) -> Batch | None:
    """Return the batch made with this key in the last 24 hours. Raises IdempotencyKeyReused."""
    found = view.row("idempotent_batch", customer_id=customer_id, idempotency_key=idempotency_key)
    if found is None or utc(found[2]) <= view.now - rules.IDEMPOTENCY_WINDOW:
        return None
    if found[0] != body_digest:
        raise refusals.idempotency_key_reused()
    return find_batch(view, found[1]).record()


def create_batch(tx: Transaction, order: tuple[NewBatch, Sequence[ItemId]]) -> tuple[Batch, bool]:
    """Keep a batch with its items; the item ids come with the order, made outside the writer."""
    new, item_ids = order
    if new.idempotency_key is not None:
        earlier = replay(tx, new.customer_id, new.idempotency_key, new.body_digest)
        if earlier is not None:
            return earlier, False
    check_files(tx, new.customer_id, new.file_ids)
    batch = rules.new_batch_row(new, tx.stamp())
    batch_no = _add_batch(tx, batch)
    tx.rows(
        "add_items",
        item_ids=list(item_ids),
        file_ids=list(new.file_ids),
        batch_no=batch_no,
        batch_id=new.batch_id,
        moment=batch.created_at,
    )
    if new.idempotency_key is not None:
        tx.rows(
            "keep_idempotency_key",
            customer_id=new.customer_id,
            idempotency_key=new.idempotency_key,
            body_digest=new.body_digest,
            batch_id=new.batch_id,
            created_at=tx.now,
        )
    return batch.record(), True


def _add_batch(tx: Transaction, batch: BatchRow) -> int:
    added = tx.rows(
        "add_batch",
        batch_id=batch.batch_id,
        customer_id=batch.customer_id,
        total_items=batch.total_items,
        engine=batch.engine,
        options=json.dumps(dict(batch.options)),
        metadata=None if batch.metadata is None else json.dumps(dict(batch.metadata)),
        priority=batch.priority,
        retention_seconds=batch.retention_seconds,
        created_at=batch.created_at,
        expires_at=batch.expires_at,
    )
    return int(added[0][0])


def batches(
    view: Snapshot, customer_id: CustomerId, status: BatchStatus | None, after: BatchCursor | None, limit: int
) -> list[Batch]:
    """Return a page of a customer's batches, newest first."""
    rows = view.rows(
        "batches_of_customer",
        customer_id=customer_id,
        status=status,
        created_at=None if after is None else after.created_at,
        batch_id=None if after is None else after.batch_id,
        limit=limit,
    )
    return [batch_row(row).record() for row in rows]


def items(view: Snapshot, batch_id: BatchId, after: ItemCursor | None, limit: int) -> list[Item]:
    """Return a page of a batch's items in `(updated_at, item_id)` order."""
    number = view.row("batch_no", batch_id=batch_id)
    if number is None:
        return []
    rows = view.rows(
        "items_page",
        batch_no=number[0],
        updated_at=_BEGINNING if after is None else after.updated_at,
        item_id="" if after is None else after.item_id,
        limit=limit,
    )
    return [item_row(row).record() for row in rows]


def item(view: Snapshot, batch_id: BatchId, item_id: ItemId) -> Item:
    """Return one item. Raises ItemNotFound."""
    found = view.row("items_by_id", item_ids=[item_id])
    if found is None or found[1] != batch_id:
        raise refusals.item_not_found(batch_id, item_id)
    return item_row(found).record()
