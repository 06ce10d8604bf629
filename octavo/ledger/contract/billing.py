"""Pages: set aside, billed, counted, and the audit of the bill.

A page quota is a total: the pages a customer may be billed from its first one on, until the operator gives it
another number. Pages of items in progress are set aside (`reserve`) before they are read, so that items which
run at once never go over it together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Protocol

from octavo.identifiers import BatchId, CallId, CustomerId, ItemId, ResultId


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAccount:
    """The pages of one customer."""

    limit: int | None
    """The quota; None: none."""
    used: int
    """Billed, ever."""
    reserved: int = 0
    """Set aside for items in progress."""

    @property
    def remaining(self) -> int | None:
        """What is left of the quota, not counting what is set aside; None without one."""
        return None if self.limit is None else max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A worker has counted the pages of an item it holds, and asks for them before it reads them."""

    item_id: ItemId
    lease_no: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDay:
    """What one customer was billed on one day (UTC)."""

    customer_id: CustomerId
    date: date
    pages: int
    items: int
    batches: int
    """Batches with an item that was billed on that day."""


class DifferenceKind(StrEnum):
    """How the bill can differ from what was done."""

    NOT_BILLED = "not_billed"
    """An item has succeeded and has no usage row."""
    NO_ITEM = "no_item"
    """A usage row names an item that is not there, though its batch is."""
    NOT_SUCCEEDED = "not_succeeded"
    """An item that has not succeeded was billed."""
    OTHER_BATCH = "other_batch"
    """The usage row names another batch than the item's."""
    OTHER_CUSTOMER = "other_customer"
    """The usage row names another customer than the batch's."""
    OTHER_PAGES = "other_pages"
    """The usage row has another number of pages than the item."""
    OTHER_MOMENT = "other_moment"
    """The usage row has another moment than the item's end."""
    RESULT_MISSING = "result_missing"
    """The result of a billed item is not in storage, though it is still kept."""
    RESULT_UNREADABLE = "result_unreadable"
    """The result in storage is no document."""
    OTHER_RESULT_PAGES = "other_result_pages"
    """The result in storage has another number of pages than was billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDifference:
    """One difference between the bill and what was done; what is not known is None."""

    kind: DifferenceKind
    item_id: ItemId
    batch_id: BatchId | None
    customer_id: CustomerId | None
    billed: str | None
    """What the usage row says."""
    found: str | None
    """What the item, the batch or the result says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledResult:
    """A billed item whose result is still kept."""

    item_id: ItemId
    batch_id: BatchId
    customer_id: CustomerId
    result_id: ResultId
    pages: int
    """As billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageTotals:
    """How much there is to recount."""

    items: int
    """Usage rows, each of one succeeded item."""
    pages: int
    gone_items: int
    """Of these, rows of batches that were deleted or forgotten: the bill stays, nothing is left to compare it with."""


class BillingLedger(Protocol):
    """Pages of customers: set aside, billed, counted."""

    def page_account(self, customer_id: CustomerId) -> PageAccount:
        """Return what a customer may use and has used. Raises CustomerNotFound."""
        ...

    def pages_used(self, customer_id: CustomerId) -> int:
        """Return the sum of pages over the customer's usage rows."""
        ...

    def reserve(self, asked: Reservation) -> bool:
        """Set pages aside for an item; False when that would go over its customer's quota.

        Stands for the `BEGIN` of the item too. Said again, the last number counts. The pages are free again
        as soon as the item leaves its slot; when it succeeds, they are billed by the same commit. A success with
        more pages than were set aside, and more than are left, ends the item with `payment_required`.

        Raises: StaleLease when the lease is no longer the item's, ValueError for negative pages.
        """
        ...

    def bill_call(self, customer_id: CustomerId, call_id: CallId, pages: int) -> bool:
        """Bill the pages of a sync call, which is no item, once; False, and nothing is billed, over the quota.

        Raises ValueError for a call that was billed before.
        """
        ...

    def usage(self, first: date, last: date, customer_id: CustomerId | None = None) -> list[UsageDay]:
        """Return what was billed from one day to another (UTC, both included), by day and customer."""
        ...

    def differences(self) -> list[UsageDifference]:
        """Recount usage against items and batches; return every difference, by item.

        Usage of batches that are gone is not compared; `totals` says how much that is.
        """
        ...

    def totals(self) -> UsageTotals:
        """Return how many items and pages were billed in all."""
        ...

    def billed_results(self, after: ItemId | None, limit: int) -> Sequence[BilledResult]:
        """Return the next billed items, by id, whose results are still kept."""
        ...


def check_reservation(asked: Reservation) -> None:
    """Raise ValueError for negative pages."""
    if asked.pages < 0:
        raise ValueError(f"a document does not have {asked.pages} pages")
