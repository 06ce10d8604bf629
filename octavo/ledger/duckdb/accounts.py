"""Accounts in DuckDB: limits, reservations, usage by day, and the audit."""

from collections.abc import Mapping, Sequence
from datetime import date

from octavo.batches import Customer
from octavo.errors import StaleLease
from octavo.identifiers import CallId, CustomerId, ItemId
from octavo.ledger import refusals
from octavo.ledger.accounts import (
    BilledResult,
    DifferenceKind,
    LimitName,
    PageAccount,
    Reservation,
    UsageDay,
    UsageDifference,
    UsageTotals,
)
from octavo.ledger.duckdb.customers import customer
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.transaction import Transaction


def set_limits(tx: Transaction, asked: tuple[CustomerId, Mapping[LimitName, int | None]]) -> Customer:
    """Change the limits that are named. Raises CustomerNotFound."""
    customer_id, limits = asked
    before = customer(tx, customer_id)
    kept: dict[LimitName, int | None] = {
        "submissions_per_minute": before.submissions_per_minute,
        "page_quota": before.page_quota,
        "retention_seconds": before.retention_seconds,
    }
    tx.rows("set_limits", customer_id=customer_id, **(kept | dict(limits)))
    tx.forget_limits()
    return customer(tx, customer_id)


def page_account(view: Snapshot, customer_id: CustomerId) -> PageAccount:
    """Return what a customer may use and has used. Raises CustomerNotFound."""
    found = view.row("page_account", customer_id=customer_id)
    if found is None:
        raise refusals.customer_not_found(customer_id)
    limit, used, reserved = found
    return PageAccount(limit=limit, used=used, reserved=reserved)


def reserve(tx: Transaction, asked: Sequence[Reservation]) -> list[bool | StaleLease]:
    """Set pages aside for all that ask in one commit, one after the other."""
    tx.load_items({one.item_id for one in asked})
    return [_reserve(tx, one) for one in asked]


def _reserve(tx: Transaction, asked: Reservation) -> bool | StaleLease:
    try:
        return tx.work.reserve(asked)
    except StaleLease as refusal:
        return refusal


def bill_call(tx: Transaction, asked: tuple[CustomerId, CallId, int]) -> bool:
    """Bill a sync call; the archive is told of it as of what is left of a batch that is gone."""
    customer_id, call_id, pages = asked
    if not tx.work.quotas.bill(ItemId(call_id), customer_id, pages):
        return False
    tx.rows(
        "add_usage",
        item_id=[call_id],
        batch_id=[call_id],
        customer_id=[customer_id],
        pages=[pages],
        created_at=[tx.now],
    )
    tx.rows("note_deleted_batches", batch_ids=[call_id])
    return True


def usage(view: Snapshot, first: date, last: date, customer_id: CustomerId | None) -> list[UsageDay]:
    """Return what was billed between two days, by day and customer."""
    rows = view.rows("usage_days", first=first.isoformat(), last=last.isoformat(), customer_id=customer_id)
    return [
        UsageDay(customer_id=customer_id, date=day, pages=pages, items=items, batches=batches)
        for customer_id, day, pages, items, batches in rows
    ]


def usage_differences(view: Snapshot) -> list[UsageDifference]:
    """Recount usage against items and batches."""
    return [
        UsageDifference(
            kind=DifferenceKind(kind),
            item_id=item_id,
            batch_id=batch_id,
            customer_id=customer_id,
            billed=billed,
            found=found,
        )
        for kind, item_id, batch_id, customer_id, billed, found in view.rows("usage_differences")
    ]


def usage_totals(view: Snapshot) -> UsageTotals:
    """Return how many items and pages were billed in all."""
    ((items, pages, gone),) = view.rows("usage_totals")
    return UsageTotals(items=items, pages=pages, gone_items=gone)


def billed_results(view: Snapshot, after: ItemId | None, limit: int) -> list[BilledResult]:
    """Return the next billed items whose results are still kept."""
    rows = view.rows("billed_results", after=after or "", limit=limit, now=view.now)
    return [
        BilledResult(item_id=item_id, batch_id=batch_id, customer_id=customer_id, result_id=result_id, pages=pages)
        for item_id, batch_id, customer_id, result_id, pages in rows
    ]
