"""Webhooks in DuckDB: what customers do with theirs."""

from collections.abc import Sequence
from dataclasses import dataclass

from octavo.identifiers import CustomerId, DeliveryId, WebhookId, new_webhook_id
from octavo.ledger import refusals
from octavo.ledger.duckdb.customers import customer
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.webhook_rows import (
    add_deliveries,
    attempt_record,
    delivery_record,
    store_delivery,
    webhook_changes,
    webhook_columns,
    webhook_record,
)
from octavo.ledger.webhooks import DeliveryCursor, NewWebhook
from octavo.webhooks import schedule
from octavo.webhooks.records import PING, Attempt, Delivery, Webhook, WebhookChange


@dataclass(frozen=True, slots=True)
class Named:
    """A webhook of a customer's."""

    customer_id: CustomerId
    webhook_id: WebhookId


def webhooks(view: Snapshot, customer_id: CustomerId) -> list[Webhook]:
    """Return a customer's webhooks, oldest first."""
    return [webhook_record(row) for row in view.rows("webhooks_of_customer", customer_id=customer_id)]


def webhook(view: Snapshot, named: Named) -> Webhook:
    """Return one of the customer's webhooks. Raises WebhookNotFound."""
    found = view.row("webhook", webhook_id=named.webhook_id)
    if found is None or found[1] != named.customer_id:
        raise refusals.webhook_not_found(named.webhook_id)
    return webhook_record(found)


def add_webhook(tx: Transaction, new: NewWebhook) -> Webhook:
    """Keep a new webhook. Raises CustomerNotFound, TooManyWebhooks."""
    customer(tx, new.customer_id)
    if len(webhooks(tx, new.customer_id)) >= new.most:
        raise refusals.too_many_webhooks(new.most)
    made = Webhook(
        webhook_id=new_webhook_id(),
        customer_id=new.customer_id,
        url=new.url,
        events=new.events,
        enabled=new.enabled,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.rows("add_webhook", **webhook_columns(made))
    tx.working.forget_webhooks()
    return made


def store_webhook(tx: Transaction, changed: Webhook) -> Webhook:
    """Write a webhook back; what is pending for one that is off is called off."""
    tx.rows("store_webhook", **webhook_changes(changed))
    tx.working.forget_webhooks()
    if not changed.enabled:
        tx.rows("cancel_deliveries", webhook_id=changed.webhook_id, moment=tx.now)
    return changed


def update_webhook(tx: Transaction, asked: tuple[Named, WebhookChange]) -> Webhook:
    """Change what is given. Raises WebhookNotFound."""
    named, change = asked
    tx.flush()
    return store_webhook(tx, schedule.changed(webhook(tx, named), change, tx.now))


def rotate_webhook(tx: Transaction, named: Named) -> Webhook:
    """Give a webhook its next secret. Raises WebhookNotFound."""
    return store_webhook(tx, schedule.rotated(webhook(tx, named), tx.now))


def delete_webhook(tx: Transaction, named: Named) -> None:
    """Remove a webhook with all that hangs on it. Raises WebhookNotFound."""
    webhook(tx, named)
    tx.flush()
    tx.rows("delete_attempts_of", webhook_id=named.webhook_id)
    tx.rows("delete_deliveries_of", webhook_id=named.webhook_id)
    tx.rows("delete_webhook", webhook_id=named.webhook_id)
    tx.working.forget_webhooks()


def ping_webhook(tx: Transaction, named: Named) -> Delivery:
    """Make a delivery about nothing. Raises WebhookNotFound, WebhookDisabled."""
    of = _enabled(webhook(tx, named))
    made = schedule.new_delivery(of, PING, tx.now)
    add_deliveries(tx, [made])
    tx.has_deliveries = True
    return made


def _enabled(found: Webhook) -> Webhook:
    if not found.enabled:
        raise refusals.webhook_disabled(found.webhook_id)
    return found


def deliveries(view: Snapshot, named: Named, after: DeliveryCursor | None, limit: int) -> list[Delivery]:
    """Return a page of a webhook's deliveries, newest first. Raises WebhookNotFound."""
    webhook(view, named)
    rows = view.rows(
        "deliveries_of_webhook",
        webhook_id=named.webhook_id,
        created_at=None if after is None else after.created_at,
        delivery_id=None if after is None else after.delivery_id,
        limit=limit,
    )
    return [delivery_record(row) for row in rows]


def find_delivery(view: Snapshot, delivery_id: DeliveryId) -> Delivery | None:
    """Return one delivery, whosever it is."""
    found = view.row("deliveries_by_id", delivery_ids=[delivery_id])
    return None if found is None else delivery_record(found)


def delivery(view: Snapshot, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
    """Return one of the customer's deliveries. Raises DeliveryNotFound."""
    found = find_delivery(view, delivery_id)
    if found is None or found.customer_id != customer_id:
        raise refusals.delivery_not_found(delivery_id)
    return found


def attempts(view: Snapshot, delivery_ids: Sequence[DeliveryId]) -> dict[DeliveryId, list[Attempt]]:
    """Return the attempts of these deliveries, the first one first."""
    found: dict[DeliveryId, list[Attempt]] = {}
    for row in view.rows("attempts_of", delivery_ids=list(delivery_ids)):
        found.setdefault(row[0], []).append(attempt_record(row))
    return found


def replay_delivery(tx: Transaction, asked: tuple[CustomerId, DeliveryId]) -> Delivery:
    """Let a delivery be sent anew. Raises DeliveryNotFound, WebhookDisabled."""
    customer_id, delivery_id = asked
    found = delivery(tx, customer_id, delivery_id)
    _enabled(webhook(tx, Named(customer_id, found.webhook_id)))
    again = schedule.replayed(found, tx.now)
    store_delivery(tx, again)
    tx.has_deliveries = True
    return again
