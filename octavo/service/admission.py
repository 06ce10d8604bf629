"""What is checked before work is taken in: the customer has pages left, and its files are in storage."""

from collections.abc import Sequence

from octavo.batches import Customer, StagedFile
from octavo.errors import QuotaExceeded
from octavo.ledger.contract import BillingLedger, FileLedger
from octavo.objects.contract import ObjectStore


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


def mark_uploaded(
    files: FileLedger, objects: ObjectStore, pending: Sequence[StagedFile], time_limit_seconds: float
) -> bool:
    """Look up in storage the files whose upload has not been seen yet; clients need not confirm uploads.

    Returns whether any of them is there. Raises StorageUnavailable.
    """
    by_key = {file.object_key: file for file in pending}
    seen = objects.sizes(list(by_key), time_limit_seconds=time_limit_seconds)
    there = [by_key[key].file_id for key, size in seen.items() if size == by_key[key].size_bytes]
    if there:
        files.mark_ready(there)
    return bool(there)
