"""What a ledger does for those who submit and follow a batch: watches, retries, further ways to look at it."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from octavo.batches import Batch, Item, StagedFile
from octavo.identifiers import BatchId, CustomerId, FileId
from octavo.ledger.watching import Unwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Which items of a batch are to run again: those that failed with one of these codes, all that failed if None.

    With `failed_pages` also those that have succeeded without some of their pages.
    """

    customer_id: CustomerId
    batch_id: BatchId
    codes: Collection[str] | None = None
    failed_pages: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What a retry came to."""

    batch: Batch
    items: int
    """How many run again."""
    expired: int
    """How many stay as they are because their file is gone."""
    had_ended: bool
    """Whether the batch was terminal before."""
    since: datetime
    """The moment of the commit: items changed from here on, the reopened ones first of all, come after
    the cursor `(since, "")`."""


class ReadingLedger(Protocol):
    """Part of `Ledger`."""

    def retry_failed(self, asked: Retry) -> Retried:
        """Make failed items, or such with failed pages, pending again, under their ids; a batch that had ended goes on.

        `attempts` and `started_at` of items stay, lost leases are counted anew. `completed_at` of the batch is
        unset, `expires_at` starts anew, a cancel that was asked before it ended is forgotten. Cancelled items
        stay cancelled. An item whose file is expired or deleted stays as it is; without any item that is meant
        nothing changes.

        An item with failed pages keeps its result and its bill while it is read again. It ends as `succeeded`: with
        the new result if that has fewer failed pages, else, whatever came of the reading, with the one it had. One
        whose result has expired is not meant.

        Raises: BatchNotFound; BatchCancelling while a cancelled batch waits for its running items;
        UnknownFiles (`file_ids`) when every item that is meant has lost its file.
        """
        ...

    def watch(self, batch_id: BatchId, tell: Callable[[], None]) -> Unwatch:
        """Have `tell` called, on a thread of the ledger's, after every commit that changes what the batch shows.

        It must not block. What is returned ends the watch, again without harm.
        """
        ...

    def pending_files(self, customer_id: CustomerId, file_ids: Sequence[FileId]) -> list[StagedFile]:
        """Return those of the files that are this customer's and whose bytes nobody has seen yet."""
        ...

    def items_in_order(self, batch_id: BatchId, *, first: int = 0, limit: int = 100) -> list[Item]:
        """Return a batch's items by position, from `first` on. None for an unknown batch."""
        ...
