"""What every ledger does, in facets: a caller takes the whole ledger, or only the facet it uses.

All methods block and may be called from any thread. A write has been committed when its
method returns; what it wrote is seen by every read that begins afterwards. Every commit
that touches items gives them one `updated_at` later than that of any commit before it, so
that a reader who remembers the last `(updated_at, item_id)` misses nothing. `updated_at`
moves when something changes that the item shows; taking, renewing and giving back a lease does not.

Any method raises LedgerUnavailable once the ledger is closed or its storage fails. An id or a key
digest that is there already is a ValueError: the caller made it, and made it random.
"""

from typing import Protocol

from octavo.ledger.contract.accounts import AccountLedger, LimitName, Principal, check_limits
from octavo.ledger.contract.archive import ArchiveLedger
from octavo.ledger.contract.batches import (
    BatchCursor,
    BatchLedger,
    ItemCursor,
    ItemOrder,
    ItemPlace,
    ItemQuery,
    Retried,
    Retry,
)
from octavo.ledger.contract.billing import (
    BilledResult,
    BillingLedger,
    DifferenceKind,
    PageAccount,
    Reservation,
    UsageDay,
    UsageDifference,
    UsageTotals,
    check_reservation,
)
from octavo.ledger.contract.deliveries import DeliveryCursor, DeliveryLedger, HeldDelivery
from octavo.ledger.contract.files import FileLedger
from octavo.ledger.contract.lifetimes import LifetimeLedger, PendingDeletion
from octavo.ledger.contract.runs import OpenBatch, Pruned, RunLedger
from octavo.ledger.contract.webhooks import NewWebhook, WebhookLedger
from octavo.ledger.contract.work import (
    Claim,
    ClaimRequest,
    HeldSlots,
    ItemProgress,
    OnClaim,
    Report,
    ReportKind,
    ReportResult,
    WorkLedger,
)

__all__ = [
    "AccountLedger",
    "ArchiveLedger",
    "BatchCursor",
    "BatchLedger",
    "BilledResult",
    "BillingLedger",
    "Claim",
    "ClaimRequest",
    "DeliveryCursor",
    "DeliveryLedger",
    "DifferenceKind",
    "FileLedger",
    "HeldDelivery",
    "HeldSlots",
    "ItemCursor",
    "ItemOrder",
    "ItemPlace",
    "ItemProgress",
    "ItemQuery",
    "Ledger",
    "LifetimeLedger",
    "LimitName",
    "NewWebhook",
    "OnClaim",
    "OpenBatch",
    "PageAccount",
    "PendingDeletion",
    "Principal",
    "Pruned",
    "Report",
    "ReportKind",
    "ReportResult",
    "Reservation",
    "Retried",
    "Retry",
    "RunLedger",
    "UsageDay",
    "UsageDifference",
    "UsageTotals",
    "WebhookLedger",
    "WorkLedger",
    "check_limits",
    "check_reservation",
]


class Ledger(Protocol):
    """The one owner of Octavo's state: its facets, and its end."""

    @property
    def accounts(self) -> AccountLedger:
        """AccountLedger."""
        ...

    @property
    def billing(self) -> BillingLedger:
        """BillingLedger."""
        ...

    @property
    def files(self) -> FileLedger:
        """FileLedger."""
        ...

    @property
    def batches(self) -> BatchLedger:
        """BatchLedger."""
        ...

    @property
    def work(self) -> WorkLedger:
        """WorkLedger."""
        ...

    @property
    def runs(self) -> RunLedger:
        """RunLedger."""
        ...

    @property
    def webhooks(self) -> WebhookLedger:
        """WebhookLedger."""
        ...

    @property
    def deliveries(self) -> DeliveryLedger:
        """DeliveryLedger."""
        ...

    @property
    def archive(self) -> ArchiveLedger:
        """ArchiveLedger."""
        ...

    @property
    def lifetimes(self) -> LifetimeLedger:
        """LifetimeLedger."""
        ...

    def close(self) -> None:
        """End the writer and release the file; the ledger cannot be used afterwards."""
        ...
