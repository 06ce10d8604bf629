"""Expires what is due and takes from storage what the ledger has marked for deletion. Blocks."""

from collections.abc import Sequence

from octavo.expiry.deletion_guard import DeletionGuard
from octavo.identifiers import CustomerId, ResultId
from octavo.ledger.contract import Ledger, PendingDeletion
from octavo.objects import keys
from octavo.objects.contract import ObjectStore

SLICE = 1000
"""As much as one commit of the ledger, or one request to storage, takes."""


class Expiry:
    """The end of files and results in one ledger and its storage. Thread-safe."""

    def __init__(self, ledger: Ledger, objects: ObjectStore) -> None:
        self._ledger = ledger
        self._objects = objects
        self.guard = DeletionGuard(objects)

    def look(self) -> int:
        """Expire all that is due and delete all that is marked; returns how many inputs and results that was.

        Raises StorageUnavailable and LedgerUnavailable, after which the next look goes on.
        """
        taken = 0
        while True:
            due = self._ledger.lifetimes.expire(SLICE)
            pending = self._ledger.lifetimes.pending_deletions(SLICE)
            if not due and not pending:
                return taken
            self._delete(pending)
            taken += len(pending)

    def finish(self, numbers: Sequence[int]) -> None:
        """Take away what was marked under these numbers, before all the rest. Raises as `look` does."""
        for start in range(0, len(numbers), SLICE):
            self._delete(self._ledger.lifetimes.pending_deletions(SLICE, numbers[start : start + SLICE]))

    def _delete(self, pending: Sequence[PendingDeletion]) -> None:
        self._objects.delete([one.object_key for one in pending if one.object_key is not None])
        self.delete_results({one.result_id: one.customer_id for one in pending if one.result_id is not None})
        self._ledger.lifetimes.note_deleted([one.number for one in pending])

    def delete_results(self, results: dict[ResultId, CustomerId]) -> int:
        """Delete those of these results that no item names any more; returns how many objects they had."""
        if not results:
            return 0
        with self.guard.deleting(list(results)):
            live = self._ledger.lifetimes.live_results(list(results))
            prefixes = {
                result_id: keys.result_prefix(customer_id, result_id)
                for result_id, customer_id in results.items()
                if result_id not in live
            }
            gone = self._objects.delete_below(list(prefixes.values()))
            self.guard.note_deleted(
                {
                    result_id: (prefix, keys.count_result_parts(gone[prefix]))
                    for result_id, prefix in prefixes.items()
                    if prefix in gone
                }
            )
        return sum(map(len, gone.values()))
