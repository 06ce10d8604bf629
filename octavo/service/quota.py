"""The page quota at submission: a customer without pages left cannot submit."""

from octavo.batches import Customer
from octavo.errors import QuotaExceeded
from octavo.ledger.contract import BillingLedger


def require_pages(billing: BillingLedger, customer: Customer) -> None:
    """Return when the customer has a page left, or no quota. Raises QuotaExceeded.

    Pages that are reserved for items in progress do not count here: they may be given back.
    """
    if customer.page_quota is None:
        return
    account = billing.page_account(customer.customer_id)
    if account.remaining == 0:
        raise QuotaExceeded(
            f"All {customer.page_quota} pages of this customer's quota are used; "
            "ask the operator to raise it, then submit again.",
            limit=account.limit,
        )
