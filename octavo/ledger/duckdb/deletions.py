"""What is to be deleted elsewhere, noted by the commit that lets go of it: from storage, and from the archive."""

from collections.abc import Iterable, Sequence

from octavo.batches import StagedFile
from octavo.identifiers import BatchId, CustomerId, ResultId
from octavo.ledger.duckdb.tables import DELETIONS, PENDING_DELETIONS
from octavo.ledger.duckdb.transaction import Transaction


def note_deletions(tx: Transaction, found: Iterable[tuple[CustomerId, str | None, ResultId | None]]) -> list[int]:
    """Note inputs by key, or results by id, to be deleted from storage; return the numbers of these deletions."""
    rows = list(found)
    if not rows:
        return []
    numbers = [row[0] for row in tx.rows("next_pending_deletions", count=len(rows))]
    PENDING_DELETIONS.insert(
        tx,
        number=list(numbers),
        customer_id=[row[0] for row in rows],
        object_key=[row[1] for row in rows],
        result_id=[row[2] for row in rows],
    )
    return numbers


def note_deleted_batches(tx: Transaction, batch_ids: Sequence[BatchId]) -> None:
    """Let the archive be told that these batches are gone."""
    numbers = [row[0] for row in tx.rows("next_deletions", count=len(batch_ids))]
    DELETIONS.insert(tx, deletion_no=numbers, batch_id=list(batch_ids))


def note_deleted_file(tx: Transaction, file: StagedFile) -> None:
    """Let the archive be told that a file is gone."""
    ((number,),) = tx.rows("next_deletions", count=1)
    DELETIONS.insert(tx, deletion_no=[number], file_id=file.file_id, expires_at=file.expires_at)
