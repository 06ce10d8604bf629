"""Expires what is due and carries out the ledger's pending deletions in storage. Blocks."""

from collections.abc import Sequence

from octavo.expiry.deletion_guard import DeletionGuard
from octavo.identifiers import CustomerId, ResultId
from octavo.ledger.contract import Ledger, PendingDeletion
from octavo.objects import keys
from octavo.objects.contract import ObjectStore

SLICE = 1000
"""As many as one commit of the ledger, or one request to storage, handles."""


class Expiry:
    """Expiry of files and results in one ledger and its storage. Thread-safe."""

    def __init__(self, ledger: Ledger, objects: ObjectStore) -> None:
        self._ledger = ledger
        self._objects = objects
        self.deletion_guard = DeletionGuard(objects)

    def look(self) -> int:
        """Expire what is due and carry out pending deletions; return how many inputs and results were deleted.

        Raises StorageUnavailable and LedgerUnavailable, after which the next call continues.
        """
        taken = 0
        while True:
            due = self._ledger.lifetimes.expire(SLICE)
            pending = self._ledger.lifetimes.pending_deletions(SLICE)
            if not due and not pending:
                return taken
            self._take_away(pending)
            taken += len(pending)

    def finish(self, numbers: Sequence[int]) -> None:
        """Carry out the pending deletions with these numbers before all others. Raises as `look` does."""
        for start in range(0, len(numbers), SLICE):
            self._take_away(self._ledger.lifetimes.pending_deletions(SLICE, numbers[start : start + SLICE]))

    def _take_away(self, pending: Sequence[PendingDeletion]) -> None:
        self._objects.delete([one.object_key for one in pending if one.object_key is not None])
        self.take_results({one.result_id: one.customer_id for one in pending if one.result_id is not None})
        self._ledger.lifetimes.note_deleted([one.number for one in pending])

    def take_results(self, results: dict[ResultId, CustomerId]) -> int:
        """Delete those of these results that no item refers to any more; return how many objects they had."""
        if not results:
            return 0
        with self.deletion_guard.deleting(list(results)):
            live = self._ledger.lifetimes.live_results(list(results))
            prefixes = {
                result_id: keys.result_prefix(customer_id, result_id)
                for result_id, customer_id in results.items()
                if result_id not in live
            }
            gone = self._objects.delete_below(list(prefixes.values()))
            self.deletion_guard.note_deleted(
                {
                    result_id: (prefix, keys.count_result_parts(gone[prefix]))
                    for result_id, prefix in prefixes.items()
                    if prefix in gone
                }
            )
        return sum(map(len, gone.values()))
