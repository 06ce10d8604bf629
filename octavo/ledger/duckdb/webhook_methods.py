"""The part of `DuckdbLedger` that is about webhooks."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from octavo.identifiers import CustomerId, DeliveryId, WebhookId
from octavo.ledger.duckdb import deliveries, webhooks
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.webhooks import Named
from octavo.ledger.duckdb.writer import Writer, each
from octavo.ledger.webhooks import DeliveryCursor, HeldDelivery, NewWebhook
from octavo.webhooks.records import Attempt, AttemptReport, Delivery, DueDelivery, Webhook, WebhookChange

R = TypeVar("R")

_ADD_WEBHOOK = each(webhooks.add_webhook)
_UPDATE_WEBHOOK = each(webhooks.update_webhook)
_ROTATE_WEBHOOK = each(webhooks.rotate_webhook)
_DELETE_WEBHOOK = each(webhooks.delete_webhook)
_PING_WEBHOOK = each(webhooks.ping_webhook)
_REPLAY_DELIVERY = each(webhooks.replay_delivery)
_CLAIM_DELIVERIES = each(deliveries.claim_deliveries)
_REPORT_ATTEMPT = each(deliveries.report_attempt)
_GIVE_BACK_DELIVERIES = each(deliveries.give_back_deliveries)
_PRUNE_DELIVERIES = each(deliveries.prune_deliveries)


class WebhookMethods:
    """A `WebhookLedger`; the writer and the reads are the ledger's."""

    _writer: Writer

    def _read(self, read: Callable[[Snapshot], R]) -> R:
        raise NotImplementedError

    def add_webhook(self, new: NewWebhook) -> Webhook:
        return self._writer.submit(_ADD_WEBHOOK, new)

    def webhooks(self, customer_id: CustomerId) -> list[Webhook]:
        return self._read(lambda view: webhooks.webhooks(view, customer_id))

    def webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        return self._read(lambda view: webhooks.webhook(view, Named(customer_id, webhook_id)))

    def update_webhook(self, customer_id: CustomerId, webhook_id: WebhookId, change: WebhookChange) -> Webhook:
        return self._writer.submit(_UPDATE_WEBHOOK, (Named(customer_id, webhook_id), change))

    def rotate_webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        return self._writer.submit(_ROTATE_WEBHOOK, Named(customer_id, webhook_id))

    def delete_webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> None:
        self._writer.submit(_DELETE_WEBHOOK, Named(customer_id, webhook_id))

    def ping_webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> Delivery:
        return self._writer.submit(_PING_WEBHOOK, Named(customer_id, webhook_id))

    def deliveries(
        self, customer_id: CustomerId, webhook_id: WebhookId, *, after: DeliveryCursor | None = None, limit: int = 50
    ) -> list[Delivery]:
        return self._read(lambda view: webhooks.deliveries(view, Named(customer_id, webhook_id), after, limit))

    def delivery(self, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        return self._read(lambda view: webhooks.delivery(view, customer_id, delivery_id))

    def attempts(self, delivery_ids: Sequence[DeliveryId]) -> dict[DeliveryId, list[Attempt]]:
        return self._read(lambda view: webhooks.attempts(view, delivery_ids))

    def replay_delivery(self, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        return self._writer.submit(_REPLAY_DELIVERY, (customer_id, delivery_id))

    def claim_deliveries(self, *, limit: int, lease_seconds: float) -> list[DueDelivery]:
        return self._writer.submit(_CLAIM_DELIVERIES, deliveries.DeliveryClaim(limit, lease_seconds))

    def report_attempt(self, report: AttemptReport, *, retry_seconds: Sequence[float]) -> bool:
        return self._writer.submit(_REPORT_ATTEMPT, deliveries.Reported(report, tuple(retry_seconds)))

    def give_back_deliveries(self, held: Sequence[HeldDelivery]) -> int:
        return self._writer.submit(_GIVE_BACK_DELIVERIES, tuple(held))

    def next_delivery_at(self) -> datetime | None:
        return self._read(deliveries.next_delivery_at)

    def watch_deliveries(self, tell: Callable[[], None]) -> None:
        self._writer.on_delivery = tell

    def prune_deliveries(self, completed_before: datetime) -> int:
        return self._writer.submit(_PRUNE_DELIVERIES, completed_before)
