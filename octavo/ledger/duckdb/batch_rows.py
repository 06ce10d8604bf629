"""Batches as rows of DuckDB: found and kept."""

from datetime import datetime

from octavo.identifiers import BatchId, CustomerId
from octavo.ledger import refusals
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.tables import BATCHES, IDEMPOTENCY_KEYS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.rows import BatchRow, IdempotencyRow


def find_batch(view: Snapshot, batch_id: BatchId, customer_id: CustomerId | None = None) -> BatchRow:
    """Return one batch, of this customer if one is given. Raises BatchNotFound."""
    found = view.record(BATCHES, "batch", batch_id=batch_id)
    if found is None or customer_id not in (None, found.customer_id):
        raise refusals.batch_not_found(batch_id)
    return found


def add_batch(tx: Transaction, batch: BatchRow) -> None:
    """Keep a new batch and give it its number."""
    ((batch.batch_no,),) = tx.rows("next_batch_no")
    BATCHES.insert_rows(tx, [batch])


def keep_idempotency_key(
    tx: Transaction, customer_id: CustomerId, key: str, body_digest: str, batch_id: BatchId, used_at: datetime
) -> None:
    """Note what a key was used for, in place of what it was used for more than a day ago."""
    row = IdempotencyRow(
        customer_id=customer_id, idempotency_key=key, body_digest=body_digest, batch_id=batch_id, created_at=used_at
    )
    IDEMPOTENCY_KEYS.insert_rows(
        tx,
        [row],
        clause="""ON CONFLICT (customer_id, idempotency_key) DO UPDATE
        SET body_digest = excluded.body_digest, batch_id = excluded.batch_id, created_at = excluded.created_at""",
    )
