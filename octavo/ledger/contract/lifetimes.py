"""How long files, results and batches live in a ledger, and how they end.

The ledger says what is old enough and notes what is to be deleted from storage (`PendingDeletion`) in the same
commit; whoever owns the storage deletes it and reports that it is gone. So a crash in between loses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from octavo.identifiers import BatchId, CustomerId, FileId, ResultId


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDeletion:
    """Bytes that are to go from storage: an input by its key, or all of a result by its id."""

    number: int
    customer_id: CustomerId
    object_key: str | None = None
    result_id: ResultId | None = None


class LifetimeLedger(Protocol):
    """Expiry, pending deletions from storage, and orphans."""

    def expire(self, limit: int) -> int:
        """Take the next things that have expired, about `limit` of them; returns how many, 0 when none is due.

        A file is expired at `expires_at` unless an unfinished item names it; a result when the
        retention of its batch has passed since its item was completed, and so are pages that were kept of an item
        that ended without one. Their bytes are then pending deletions.
        """
        ...

    def pending_deletions(self, limit: int, numbers: Sequence[int] | None = None) -> list[PendingDeletion]:
        """Return the first of what is to go from storage, or what of these numbers is."""
        ...

    def note_deleted(self, numbers: Sequence[int]) -> None:
        """Say that these have gone from storage, or are to stay; safe to repeat."""
        ...

    def live_results(self, result_ids: Sequence[ResultId]) -> set[ResultId]:
        """Return those that a succeeded item names whose retention has not passed: their bytes stay."""
        ...

    def result_expires_at(self, customer_id: CustomerId, result_id: ResultId) -> datetime | None:
        """Return until when items of this customer keep a result; None when none of them names it."""
        ...

    def forget_batches(self, expired_before: datetime, limit: int) -> int:
        """Delete the batches that expired before a moment, about `limit` items of them; returns how many batches."""
        ...

    def forget_files(self, expired_before: datetime, limit: int) -> int:
        """Remove files that are expired or deleted, were so before a moment, and that no item names any more."""
        ...

    def kept_files(self, file_ids: Sequence[FileId]) -> dict[FileId, bool]:
        """Return of the files that are known whether their bytes are kept."""
        ...

    def known_batches(self, batch_ids: Sequence[BatchId]) -> set[BatchId]:
        """Return those of the batches that there are."""
        ...
