"""Webhooks and their deliveries as their customer keeps them."""

from collections.abc import Sequence
from dataclasses import dataclass

from octavo import cursors
from octavo.batches import Customer
from octavo.identifiers import DeliveryId, WebhookId
from octavo.ledger.contract import DeliveryCursor, DeliveryLedger, NewWebhook, WebhookLedger
from octavo.outbound import Allowed, check_url
from octavo.service.webhook_messages import WebhookMessages
from octavo.timestamps import now
from octavo.webhooks.records import Attempt, Delivery, Webhook, WebhookChange


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery and every attempt at it, oldest first."""

    delivery: Delivery
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Some of a webhook's deliveries, newest first."""

    deliveries: Sequence[DeliveryRecord]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Keeps the webhooks of customers."""

    webhooks: WebhookLedger
    deliveries: DeliveryLedger
    messages: WebhookMessages
    allowed: Sequence[str]
    """Addresses (`host:port`) that may be told although they are private."""
    limit_per_customer: int

    def create(self, customer: Customer, url: str, events: Sequence[str], *, enabled: bool) -> tuple[Webhook, str]:
        """Return a new webhook and its secret. Raises UrlNotAllowed, TooManyWebhooks."""
        self._check(url)
        made = self.webhooks.add(
            NewWebhook(
                customer_id=customer.customer_id,
                url=url,
                events=tuple(dict.fromkeys(events)),
                enabled=enabled,
                most=self.limit_per_customer,
            )
        )
        return made, self.messages.secret(made, now())

    def of_customer(self, customer: Customer) -> Sequence[Webhook]:
        """Return a customer's webhooks, oldest first."""
        return self.webhooks.of_customer(customer.customer_id)

    def get(self, customer: Customer, webhook_id: WebhookId) -> Webhook:
        """Return one webhook. Raises WebhookNotFound."""
        return self.webhooks.get(customer.customer_id, webhook_id)

    def delete(self, customer: Customer, webhook_id: WebhookId) -> None:
        """Remove a webhook with the record of its deliveries. Raises WebhookNotFound."""
        self.webhooks.delete(customer.customer_id, webhook_id)

    def update(
        self,
        customer: Customer,
        webhook_id: WebhookId,
        url: str | None,
        events: Sequence[str] | None,
        enabled: bool | None,
    ) -> Webhook:
        """Change what is given and keep the rest. Raises UrlNotAllowed, WebhookNotFound."""
        if url is not None:
            self._check(url)
        change = WebhookChange(
            url=url, events=None if events is None else tuple(dict.fromkeys(events)), enabled=enabled
        )
        return self.webhooks.update(customer.customer_id, webhook_id, change)

    def rotate_secret(self, customer: Customer, webhook_id: WebhookId) -> tuple[Webhook, str]:
        """Give a webhook a new secret and return both. Raises WebhookNotFound."""
        rotated = self.webhooks.rotate_secret(customer.customer_id, webhook_id)
        return rotated, self.messages.secret(rotated, now())

    def ping(self, customer: Customer, webhook_id: WebhookId) -> DeliveryRecord:
        """Send a webhook a message about nothing. Raises WebhookNotFound, WebhookDisabled."""
        return DeliveryRecord(self.webhooks.ping(customer.customer_id, webhook_id), ())

    def delivery_page(self, customer: Customer, webhook_id: WebhookId, cursor: str | None, limit: int) -> DeliveryPage:
        """Return up to `limit` deliveries after the cursor. Raises WebhookNotFound, InvalidCursor."""
        scope, after = f"deliveries:{webhook_id}", None
        if cursor:
            created_at, delivery_id = cursors.decode(scope, cursor)
            after = DeliveryCursor(created_at, DeliveryId(delivery_id))
        found = self.deliveries.of_webhook(customer.customer_id, webhook_id, after=after, limit=limit + 1)
        page = found[:limit]
        more = cursors.encode(scope, page[-1].created_at, page[-1].delivery_id) if len(found) > limit else None
        attempts = self.deliveries.attempts([delivery.delivery_id for delivery in page])
        records = [DeliveryRecord(delivery, attempts.get(delivery.delivery_id, ())) for delivery in page]
        return DeliveryPage(records, more)

    def delivery(self, customer: Customer, delivery_id: DeliveryId) -> DeliveryRecord:
        """Return one delivery. Raises DeliveryNotFound."""
        return self._with_attempts(self.deliveries.get(customer.customer_id, delivery_id))

    def replay(self, customer: Customer, delivery_id: DeliveryId) -> DeliveryRecord:
        """Send a delivery once more, by the whole schedule. Raises DeliveryNotFound, WebhookDisabled."""
        return self._with_attempts(self.deliveries.replay(customer.customer_id, delivery_id))

    def _with_attempts(self, delivery: Delivery) -> DeliveryRecord:
        attempts = self.deliveries.attempts([delivery.delivery_id])
        return DeliveryRecord(delivery, attempts.get(delivery.delivery_id, ()))

    def _check(self, url: str) -> None:
        check_url(url, Allowed.read(self.allowed), https_only=True)
