"""What is to be deleted from storage, noted by the commit that lets go of it."""

from collections.abc import Iterable

from octavo.identifiers import CustomerId, ResultId
from octavo.ledger.duckdb.transaction import Transaction


def note_deletions(tx: Transaction, found: Iterable[tuple[CustomerId, str | None, ResultId | None]]) -> list[int]:
    """Note inputs by key, or results by id, to be deleted from storage; return the numbers of these deletions."""
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
