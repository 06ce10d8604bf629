"""The page quota at submission: a customer without pages left cannot submit."""

from api.http.dependencies import Service
from octavo.batches import Customer
from octavo.errors import QuotaExceeded


def require_pages(service: Service, customer: Customer) -> None:
    """Return if the customer has a page left, or no quota. Raises QuotaExceeded.

    Pages reserved for running items do not count here, because they may become free again.
    """
    if customer.page_quota is None:
        return
    account = service.ledger.billing.page_account(customer.customer_id)
    if account.remaining == 0:
        raise QuotaExceeded(
            f"All {customer.page_quota} pages of this customer's quota are used; "
            "ask the operator to raise it, then submit again.",
            limit=account.limit,
        )
