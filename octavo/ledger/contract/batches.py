"""Batches and their items: what a customer submits and follows."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from octavo.batch_options import Dialect
from octavo.batches import Batch, BatchStatus, Item, ItemStatus, NewBatch
from octavo.identifiers import BatchId, CustomerId, ItemId
from octavo.ledger.watching import Unwatch


@dataclass(frozen=True, slots=True)
class ItemCursor:
    """A place in a batch's items, ordered by `(updated_at, item_id)`."""

    updated_at: datetime
    item_id: ItemId


@dataclass(frozen=True, slots=True)
class BatchCursor:
    """A place in a customer's batches, newest first, ordered by `(created_at, batch_id)`."""

    created_at: datetime
    batch_id: BatchId


class ItemOrder(StrEnum):
    """What a customer's items can be sorted by."""

    CREATED = "created_at"
    UPDATED = "updated_at"


@dataclass(frozen=True, slots=True)
class ItemPlace:
    """A place in a customer's items, ordered by a moment of theirs and `item_id`."""

    moment: datetime
    item_id: ItemId


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemQuery:
    """Which of a customer's items to list, over all of its batches, and in which order. All filters must hold."""

    customer_id: CustomerId
    dialect: Dialect | None = None
    batch_id: BatchId | None = None
    statuses: Collection[ItemStatus] = ()
    """Empty: any."""
    source_name: str | None = None
    """The whole name."""
    source_name_contains: str | None = None
    """A part of the name, in any case."""
    created_from: datetime | None = None
    created_before: datetime | None = None
    order: ItemOrder = ItemOrder.CREATED
    is_ascending: bool = False
    after: ItemPlace | None = None
    """Where the page before has ended, in the same order."""
    limit: int = 100


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
    """The result of a retry."""

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


class BatchLedger(Protocol):
    """Batches and items, as those who submit and follow them see them."""

    def replay(self, customer_id: CustomerId, idempotency_key: str, body_digest: str) -> Batch | None:
        """Return the batch made with this key in the last 24 hours. Raises IdempotencyKeyReused."""
        ...

    def create(self, new: NewBatch) -> tuple[Batch, bool]:
        """Keep a batch with its items in one transaction; False when its idempotency key had one.

        The same key and body at the same moment from many threads give one batch. A file may
        stand in `file_ids` more than once: one item per position, from 0.

        Raises: IdempotencyKeyReused, UnknownFiles (`file_ids`: all that are not this customer's or
        expired, in the order given, each once), FilesNotUploaded (likewise, those still pending; only
        when none is unknown), ValueError without any file.
        """
        ...

    def get(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        """Return one of the customer's batches. Raises BatchNotFound."""
        ...

    def of_customer(
        self,
        customer_id: CustomerId,
        *,
        status: BatchStatus | None = None,
        after: BatchCursor | None = None,
        limit: int = 50,
    ) -> list[Batch]:
        """Return a customer's batches, newest first."""
        ...

    def items(self, batch_id: BatchId, *, after: ItemCursor | None = None, limit: int = 100) -> list[Item]:
        """Return a batch's items in `(updated_at, item_id)` order, those after the cursor.

        Item ids ascend with the position, so untouched items come in its order. None for an unknown batch.
        """
        ...

    def items_in_order(self, batch_id: BatchId, *, first: int = 0, limit: int = 100) -> list[Item]:
        """Return a batch's items by position, from `first` on. None for an unknown batch."""
        ...

    def item(self, batch_id: BatchId, item_id: ItemId) -> Item:
        """Return one item. Raises ItemNotFound."""
        ...

    def item_of_customer(self, customer_id: CustomerId, item_id: ItemId) -> Item:
        """Return one of the customer's items, of whatever batch. Raises ItemNotFound."""
        ...

    def items_of_customer(self, query: ItemQuery) -> list[Item]:
        """Return a page of the customer's items. None for an unknown customer."""
        ...

    def cancel(self, customer_id: CustomerId, batch_id: BatchId) -> Batch:
        """Cancel what is pending, leased or not; running items continue. A finished batch stays as it is.

        Raises: BatchNotFound.
        """
        ...

    def retry_failed(self, asked: Retry) -> Retried:
        """Make failed items, or those with failed pages, pending again under their ids; an ended batch continues.

        `attempts` and `started_at` of items stay, lost leases are counted from 0. `completed_at` of the batch is
        unset, `expires_at` starts again, a cancel that was asked before it ended is forgotten. Cancelled items
        stay cancelled. An item whose file is expired or deleted stays as it is; without any item that is meant
        nothing changes.

        An item with failed pages keeps its result and its bill while it is read again. It ends as `succeeded`: with
        the new result if that has fewer failed pages, else, whatever came of the reading, with the one it had. One
        whose result has expired is not meant.

        Raises: BatchNotFound; BatchCancelling while a cancelled batch waits for its running items;
        UnknownFiles (`file_ids`) when every item that is meant has lost its file.
        """
        ...

    def delete(self, customer_id: CustomerId, batch_id: BatchId) -> list[int]:
        """Delete a batch that has ended, with items, results and idempotency key.

        Returns the numbers of its pending deletions. Its files and its usage stay.

        Raises: BatchNotFound, BatchNotFinished (`status`).
        """
        ...

    def watch(self, batch_id: BatchId, tell: Callable[[], None]) -> Unwatch:
        """Have `tell` called, on a thread of the ledger's, after every commit that changes what the batch shows.

        It must not block. What is returned ends the watch; safe to repeat.
        """
        ...
