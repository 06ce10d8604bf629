"""Webhooks in DuckDB: what customers do with theirs."""

from octavo.identifiers import CustomerId, WebhookId, new_webhook_id
from octavo.ledger import refusals
from octavo.ledger.contract import NewWebhook
from octavo.ledger.duckdb.accounts import find_customer
from octavo.ledger.duckdb.outbox import add_deliveries
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write
from octavo.ledger.duckdb.tables import WEBHOOKS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.webhooks import schedule
from octavo.webhooks.records import PING, Delivery, Webhook, WebhookChange


class DuckdbWebhooks(Facet):
    """A `WebhookLedger`."""

    @write
    def add(self, tx: Transaction, new: NewWebhook) -> Webhook:
        find_customer(tx, new.customer_id)
        if len(tx.rows("webhooks_of_customer", customer_id=new.customer_id)) >= new.most:
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
        WEBHOOKS.insert_rows(tx, [made])
        tx.working.forget_webhooks()
        return made

    @read
    def of_customer(self, view: Snapshot, customer_id: CustomerId) -> list[Webhook]:
        return view.records(WEBHOOKS, "webhooks_of_customer", customer_id=customer_id)

    @read
    def get(self, view: Snapshot, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        return find_webhook(view, customer_id, webhook_id)

    @write
    def update(self, tx: Transaction, customer_id: CustomerId, webhook_id: WebhookId, change: WebhookChange) -> Webhook:
        tx.flush()
        return store_webhook(tx, schedule.changed(find_webhook(tx, customer_id, webhook_id), change, tx.now))

    @write
    def rotate_secret(self, tx: Transaction, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        return store_webhook(tx, schedule.rotated(find_webhook(tx, customer_id, webhook_id), tx.now))

    @write
    def delete(self, tx: Transaction, customer_id: CustomerId, webhook_id: WebhookId) -> None:
        find_webhook(tx, customer_id, webhook_id)
        tx.flush()
        tx.rows("delete_attempts_of", webhook_id=webhook_id)
        tx.rows("delete_deliveries_of", webhook_id=webhook_id)
        tx.rows("delete_webhook", webhook_id=webhook_id)
        tx.working.forget_webhooks()

    @write
    def ping(self, tx: Transaction, customer_id: CustomerId, webhook_id: WebhookId) -> Delivery:
        of = check_enabled(find_webhook(tx, customer_id, webhook_id))
        made = schedule.new_delivery(of, PING, tx.now)
        add_deliveries(tx, [made])
        tx.has_deliveries = True
        return made


def find_webhook(view: Snapshot, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
    """Return one of the customer's webhooks. Raises WebhookNotFound."""
    found = view.record(WEBHOOKS, "webhook", webhook_id=webhook_id)
    if found is None or found.customer_id != customer_id:
        raise refusals.webhook_not_found(webhook_id)
    return found


def store_webhook(tx: Transaction, changed: Webhook) -> Webhook:
    """Write a webhook back; what is pending for one that is off is called off."""
    WEBHOOKS.update(tx, [changed])
    tx.working.forget_webhooks()
    if not changed.enabled:
        tx.rows("cancel_deliveries", webhook_id=changed.webhook_id, moment=tx.now)
    return changed


def check_enabled(found: Webhook) -> Webhook:
    """Return the webhook. Raises WebhookDisabled."""
    if not found.enabled:
        raise refusals.webhook_disabled(found.webhook_id)
    return found
