"""Webhooks of customers."""

from dataclasses import dataclass
from typing import Protocol

from octavo.identifiers import CustomerId, WebhookId
from octavo.webhooks.records import Delivery, Webhook, WebhookChange


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """A webhook to create."""

    customer_id: CustomerId
    url: str
    events: tuple[str, ...]
    enabled: bool = True
    most: int = 10
    """How many webhooks its customer may have."""


class WebhookLedger(Protocol):
    """The webhooks that customers have set up."""

    def add(self, new: NewWebhook) -> Webhook:
        """Keep a new webhook. Raises CustomerNotFound, TooManyWebhooks."""
        ...

    def of_customer(self, customer_id: CustomerId) -> list[Webhook]:
        """Return a customer's webhooks, oldest first."""
        ...

    def get(self, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        """Return one of the customer's webhooks. Raises WebhookNotFound."""
        ...

    def update(self, customer_id: CustomerId, webhook_id: WebhookId, change: WebhookChange) -> Webhook:
        """Change what is given; switched off, its pending deliveries are cancelled. Raises WebhookNotFound."""
        ...

    def rotate_secret(self, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        """Give a webhook its next secret; the one before signs for 24 hours more. Raises WebhookNotFound."""
        ...

    def delete(self, customer_id: CustomerId, webhook_id: WebhookId) -> None:
        """Remove a webhook with its deliveries and their attempts. Raises WebhookNotFound."""
        ...

    def ping(self, customer_id: CustomerId, webhook_id: WebhookId) -> Delivery:
        """Make a delivery about nothing. Raises WebhookNotFound, WebhookDisabled."""
        ...
