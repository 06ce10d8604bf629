"""Deliveries to webhooks, and every attempt to send one: the ledger is their one outbox."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from octavo.identifiers import CustomerId, DeliveryId, WebhookId
from octavo.webhooks.records import Attempt, AttemptReport, Delivery, DueDelivery


@dataclass(frozen=True, slots=True)
class DeliveryCursor:
    """A place in a webhook's deliveries, newest first, ordered by `(created_at, delivery_id)`."""

    created_at: datetime
    delivery_id: DeliveryId


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """A delivery and the number of the lease under which somebody sends it."""

    delivery_id: DeliveryId
    lease_no: int


class DeliveryLedger(Protocol):
    """Deliveries and attempts.

    The delivery of a batch's end is written by the commit that ends the batch, one for each webhook of its customer
    that is enabled and wants it: no end is without its deliveries, and none has two for one webhook.
    """

    def of_webhook(
        self, customer_id: CustomerId, webhook_id: WebhookId, *, after: DeliveryCursor | None = None, limit: int = 50
    ) -> list[Delivery]:
        """Return a webhook's deliveries, newest first. Raises WebhookNotFound."""
        ...

    def get(self, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        """Return one of the customer's deliveries. Raises DeliveryNotFound."""
        ...

    def attempts(self, delivery_ids: Sequence[DeliveryId]) -> dict[DeliveryId, list[Attempt]]:
        """Return the attempts of these deliveries, the first one first; a delivery without any is left out."""
        ...

    def replay(self, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        """Let a delivery be sent again, now and by the whole schedule. Raises DeliveryNotFound, WebhookDisabled."""
        ...

    def claim(self, *, limit: int, lease_seconds: float) -> list[DueDelivery]:
        """Lease deliveries that are due, the longest due first, few of them of one webhook or customer at once.

        Whatever is not reported on within the lease is due again. One whose batch was deleted is cancelled instead.
        """
        ...

    def report(self, report: AttemptReport, *, retry_seconds: Sequence[float]) -> bool:
        """Keep an attempt, and let the delivery be over or due again; False, and no trace, when it came too late.

        `retry_seconds` is the schedule (see `octavo.webhooks.schedule`). An answer of 410 switches the webhook off.
        A report that was taken before and is said again is taken again and changes nothing.
        """
        ...

    def give_back(self, held: Sequence[HeldDelivery]) -> int:
        """End the leases of a sender that is lost, now; returns how many were still under way.

        A report about one of them that comes late is taken as long as nobody else has claimed it.
        """
        ...

    def next_at(self) -> datetime | None:
        """Return when `claim` next has something to give, now or earlier when it has; None for never."""
        ...

    def watch(self, on_due: Callable[[], None]) -> None:
        """Have `on_due` called after every commit that may have made something due; on a thread of the ledger's.

        It must not block. A later watcher takes the place of the one before.
        """
        ...

    def prune(self, completed_before: datetime) -> int:
        """Remove deliveries that were over before then, with their attempts; returns how many."""
        ...
