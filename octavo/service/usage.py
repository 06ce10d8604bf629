"""What customers were billed, by day, and what is left of a quota."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from octavo.errors import InvalidPeriod
from octavo.identifiers import CustomerId
from octavo.ledger.contract import BillingLedger, PageAccount, UsageDay
from octavo.timestamps import now

DAYS = 30
"""How many days a report covers by default, including today."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days from the first to the last, both included, in UTC."""

    first: date
    last: date

    @classmethod
    def between(cls, first: date | None, last: date | None) -> "Period":
        """Return the days that are asked for: up to today unless a last day is given, thirty unless a first one is.

        Raises InvalidPeriod when they end before they begin.
        """
        until = last or now().date()
        since = first or until - timedelta(days=min(DAYS - 1, (until - date.min).days))
        if since > until:
            raise InvalidPeriod(f"The period ends on {until}, before it begins on {since}; swap from and to.")
        return cls(since, until)


@dataclass(frozen=True, slots=True)
class CustomerUsage:
    """What one customer was billed, by day, and its page account."""

    days: Sequence[UsageDay]
    account: PageAccount


@dataclass(frozen=True, slots=True)
class Usage:
    """Reports what was billed."""

    billing: BillingLedger

    def of_customer(self, customer_id: CustomerId, period: Period) -> CustomerUsage:
        """Return a customer's usage of these days. Raises CustomerNotFound."""
        # The account first: it knows whether there is such a customer.
        account = self.billing.page_account(customer_id)
        return CustomerUsage(self.billing.usage(period.first, period.last, customer_id), account)
