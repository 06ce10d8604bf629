"""`ProgressLedger` on DuckDB."""

from collections.abc import Sequence

from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.writer import Writer
from octavo.ledger.progress import ItemProgress


class ProgressMethods:
    """What `DuckdbLedger` does with how far work has come."""

    _writer: Writer

    def note_progress(self, told: Sequence[ItemProgress]) -> None:
        if told:
            self._writer.submit(_note_progress, told)


def _note_progress(tx: Transaction, calls: Sequence[Sequence[ItemProgress]]) -> list[None]:
    """Take what all workers that wait for this commit tell."""
    tx.load_items({one.item_id for told in calls for one in told})
    for told in calls:
        for one in told:
            tx.work.progress(one)
    return [None] * len(calls)
