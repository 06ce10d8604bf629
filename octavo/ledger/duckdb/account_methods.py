"""The account part of the DuckDB ledger's methods."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import TypeVar

from octavo.batches import Customer
from octavo.identifiers import CallId, CustomerId, ItemId
from octavo.ledger.accounts import (
    BilledResult,
    LimitName,
    PageAccount,
    Reservation,
    UsageDay,
    UsageDifference,
    UsageTotals,
    check_limits,
    check_reservation,
)
from octavo.ledger.duckdb import accounts
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.writer import Writer, each
from octavo.ledger.principals import Principals

R = TypeVar("R")
_SET_LIMITS = each(accounts.set_limits)
_BILL_CALL = each(accounts.bill_call)


class AccountMethods:
    """What `DuckdbLedger` does for accounts; file and writer are the ledger's."""

    _writer: Writer
    _principals: Principals

    def _read(self, read: Callable[[Snapshot], R]) -> R:
        raise NotImplementedError

    def set_limits(self, customer_id: CustomerId, limits: Mapping[LimitName, int | None]) -> Customer:
        check_limits(limits)
        changed = self._writer.submit(_SET_LIMITS, (customer_id, limits))
        self._principals.forget()
        return changed

    def page_account(self, customer_id: CustomerId) -> PageAccount:
        return self._read(lambda view: accounts.page_account(view, customer_id))

    def reserve(self, asked: Reservation) -> bool:
        check_reservation(asked)
        return self._writer.submit(accounts.reserve, asked)

    def bill_call(self, customer_id: CustomerId, call_id: CallId, pages: int) -> bool:
        return self._writer.submit(_BILL_CALL, (customer_id, call_id, pages))

    def usage(self, first: date, last: date, customer_id: CustomerId | None = None) -> list[UsageDay]:
        return self._read(lambda view: accounts.usage(view, first, last, customer_id))

    def usage_differences(self) -> list[UsageDifference]:
        return self._read(accounts.usage_differences)

    def usage_totals(self) -> UsageTotals:
        return self._read(accounts.usage_totals)

    def billed_results(self, after: ItemId | None, limit: int) -> Sequence[BilledResult]:
        return self._read(lambda view: accounts.billed_results(view, after, limit))
