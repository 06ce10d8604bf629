"""The page quota at the door: who has no page left submits nothing."""

from api.http.dependencies import Service
from octavo.batches import Customer
from octavo.errors import QuotaExceeded


def require_pages(service: Service, customer: Customer) -> None:
    """Return when the customer has a page left, or no quota. Raises QuotaExceeded.

    Pages that are set aside for items in work do not count here: they may come back.
    """
    if customer.page_quota is None:
        return
    account = service.ledger.billing.page_account(customer.customer_id)
    if account.remaining == 0:
        raise QuotaExceeded(
            f"All {customer.page_quota} pages of this customer's quota are used; "
            "have it raised by the operator, then submit again.",
            limit=account.limit,
        )
