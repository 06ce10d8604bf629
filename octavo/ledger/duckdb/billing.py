"""Pages in DuckDB: set aside, billed, counted, and the audit of the bill."""

from collections.abc import Sequence
from datetime import date

from octavo.errors import StaleLease
from octavo.identifiers import BatchId, CallId, CustomerId, ItemId
from octavo.ledger import refusals
from octavo.ledger.contract import (
    BilledResult,
    DifferenceKind,
    PageAccount,
    Reservation,
    UsageDay,
    UsageDifference,
    UsageTotals,
    check_reservation,
)
from octavo.ledger.duckdb.deletions import note_deleted_batches
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write, write_together
from octavo.ledger.duckdb.tables import USAGE
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.rows import UsageRow


class DuckdbBilling(Facet):
    """A `BillingLedger`."""

    @read
    def page_account(self, view: Snapshot, customer_id: CustomerId) -> PageAccount:
        found = view.row("page_account", customer_id=customer_id)
        if found is None:
            raise refusals.customer_not_found(customer_id)
        limit, used, reserved = found
        return PageAccount(limit=limit, used=used, reserved=reserved)

    @read
    def pages_used(self, view: Snapshot, customer_id: CustomerId) -> int:
        return int(view.rows("pages_used", customer_id=customer_id)[0][0])

    def reserve(self, asked: Reservation) -> bool:
        check_reservation(asked)
        return self._reserve(asked)

    @write_together
    def _reserve(self, tx: Transaction, asked: Sequence[Reservation]) -> list[bool | StaleLease]:
        tx.load_items({one.item_id for one in asked})
        return [_reserve(tx, one) for one in asked]

    @write
    def bill_call(self, tx: Transaction, customer_id: CustomerId, call_id: CallId, pages: int) -> bool:
        if not tx.work.quotas.bill(ItemId(call_id), customer_id, pages):
            return False
        billed = UsageRow(
            item_id=ItemId(call_id),
            batch_id=BatchId(call_id),
            customer_id=customer_id,
            pages=pages,
            created_at=tx.now,
        )
        USAGE.insert_rows(tx, [billed])
        # The archive is told of it as of what is left of a batch that is gone.
        note_deleted_batches(tx, [billed.batch_id])
        return True

    @read
    def usage(self, view: Snapshot, first: date, last: date, customer_id: CustomerId | None = None) -> list[UsageDay]:
        rows = view.rows("usage_days", first=first.isoformat(), last=last.isoformat(), customer_id=customer_id)
        return [
            UsageDay(customer_id=customer_id, date=day, pages=pages, items=items, batches=batches)
            for customer_id, day, pages, items, batches in rows
        ]

    @read
    def differences(self, view: Snapshot) -> list[UsageDifference]:
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

    @read
    def totals(self, view: Snapshot) -> UsageTotals:
        ((items, pages, gone),) = view.rows("usage_totals")
        return UsageTotals(items=items, pages=pages, gone_items=gone)

    @read
    def billed_results(self, view: Snapshot, after: ItemId | None, limit: int) -> list[BilledResult]:
        rows = view.rows("billed_results", after=after or "", limit=limit, now=view.now)
        return [
            BilledResult(item_id=item_id, batch_id=batch_id, customer_id=customer_id, result_id=result_id, pages=pages)
            for item_id, batch_id, customer_id, result_id, pages in rows
        ]


def _reserve(tx: Transaction, asked: Reservation) -> bool | StaleLease:
    try:
        return tx.work.reserve(asked)
    except StaleLease as refusal:
        return refusal
