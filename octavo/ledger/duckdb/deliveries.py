"""Deliveries in DuckDB: leased to whoever sends them, and their outcome."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from octavo.identifiers import CustomerId, DeliveryId, WebhookId
from octavo.ledger import refusals
from octavo.ledger.contract import DeliveryCursor, HeldDelivery
from octavo.ledger.duckdb.outbox import store_delivery
from octavo.ledger.duckdb.snapshot import Snapshot
from octavo.ledger.duckdb.store import Facet, read, write
from octavo.ledger.duckdb.tables import ATTEMPTS, BATCHES, DELIVERIES, WEBHOOKS
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.values import aware, utc
from octavo.ledger.duckdb.webhooks import check_enabled, find_webhook, store_webhook
from octavo.ledger.rows import AttemptRow
from octavo.webhooks import schedule
from octavo.webhooks.records import GONE, Attempt, AttemptReport, Delivery, DeliveryStatus, DueDelivery


class DuckdbDeliveries(Facet):
    """A `DeliveryLedger`."""

    @read
    def of_webhook(
        self,
        view: Snapshot,
        customer_id: CustomerId,
        webhook_id: WebhookId,
        *,
        after: DeliveryCursor | None = None,
        limit: int = 50,
    ) -> list[Delivery]:
        find_webhook(view, customer_id, webhook_id)
        rows = view.records(
            DELIVERIES,
            "deliveries_of_webhook",
            webhook_id=webhook_id,
            created_at=None if after is None else after.created_at,
            delivery_id=None if after is None else after.delivery_id,
            limit=limit,
        )
        return [row.record() for row in rows]

    @read
    def get(self, view: Snapshot, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        return _delivery(view, customer_id, delivery_id)

    @read
    def attempts(self, view: Snapshot, delivery_ids: Sequence[DeliveryId]) -> dict[DeliveryId, list[Attempt]]:
        found: dict[DeliveryId, list[Attempt]] = {}
        for row in view.records(ATTEMPTS, "attempts_of", delivery_ids=list(delivery_ids)):
            found.setdefault(row.delivery_id, []).append(row.record())
        return found

    @write
    def replay(self, tx: Transaction, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        found = _delivery(tx, customer_id, delivery_id)
        check_enabled(find_webhook(tx, customer_id, found.webhook_id))
        again = schedule.replayed(found, tx.now)
        store_delivery(tx, again)
        tx.has_deliveries = True
        return again

    @write
    def claim(self, tx: Transaction, *, limit: int, lease_seconds: float) -> list[DueDelivery]:
        tx.flush()
        chosen = _chosen(tx, limit)
        if not chosen:
            return []
        found = {one.delivery_id: one for one in _by_id(tx, chosen)}
        until = tx.now + timedelta(seconds=lease_seconds)
        claimed = [_taken(tx, found[delivery_id], until) for delivery_id in chosen]
        return [one for one in claimed if one is not None]

    @write
    def report(self, tx: Transaction, report: AttemptReport, *, retry_seconds: Sequence[float]) -> bool:
        delivery = _find_delivery(tx, report.delivery_id)
        if delivery is None or delivery.lease_no != report.lease_no:
            return False
        if delivery.leased_until is None:
            return True
        attempt = report.attempt(delivery.attempts + 1)
        ATTEMPTS.insert_rows(tx, [AttemptRow.of(delivery.delivery_id, attempt)])
        store_delivery(tx, schedule.attempted(delivery, attempt, tuple(retry_seconds), tx.now))
        if attempt.status_code == GONE:
            tx.flush()
            (webhook,) = tx.records(WEBHOOKS, "webhook", webhook_id=delivery.webhook_id)
            store_webhook(tx, schedule.gone(webhook, tx.now))
        tx.has_deliveries = True
        return True

    @write
    def give_back(self, tx: Transaction, held: Sequence[HeldDelivery]) -> int:
        tx.flush()
        lease_nos = {one.delivery_id: one.lease_no for one in held}
        found = _by_id(tx, list(lease_nos))
        under_way = [
            one
            for one in found
            if one.lease_no == lease_nos[one.delivery_id] and one.leased_until is not None and one.leased_until > tx.now
        ]
        for one in under_way:
            store_delivery(tx, schedule.given_back(one, tx.now))
        tx.has_deliveries = tx.has_deliveries or bool(under_way)
        return len(under_way)

    @read
    def next_at(self, view: Snapshot) -> datetime | None:
        if _chosen(view, 1):
            return view.now
        ((later,),) = view.rows("later_deliveries", moment=view.now)
        return aware(later)

    def watch(self, on_due: Callable[[], None]) -> None:
        self._store.writer.on_delivery = on_due

    @write
    def prune(self, tx: Transaction, completed_before: datetime) -> int:
        tx.rows("prune_attempts", before=completed_before)
        return len(tx.rows("prune_deliveries", before=completed_before))


def _chosen(view: Snapshot, limit: int) -> list[DeliveryId]:
    rows = view.rows("due_deliveries", moment=view.now, of_each=schedule.AT_ONCE_PER_WEBHOOK)
    if not rows:
        return []
    due = [schedule.Candidate(row[0], row[1], row[2], utc(row[3])) for row in rows]
    on_their_way = [(row[0], row[1]) for row in view.rows("leased_deliveries", moment=view.now)]
    return schedule.choose(due, on_their_way, limit)


def _taken(tx: Transaction, delivery: Delivery, until: datetime) -> DueDelivery | None:
    batch = None
    if delivery.end is not None:
        rows = tx.records(BATCHES, "batches_by_id", batch_ids=[delivery.end.batch_id])
        if not rows:
            store_delivery(tx, schedule.ended(delivery, DeliveryStatus.CANCELLED, tx.now))
            return None
        batch = delivery.end.applied_to(rows[0].record())
    delivery = schedule.leased(delivery, until)
    store_delivery(tx, delivery)
    (webhook,) = tx.records(WEBHOOKS, "webhook", webhook_id=delivery.webhook_id)
    return DueDelivery(delivery=delivery, webhook=webhook, batch=batch)


def _find_delivery(view: Snapshot, delivery_id: DeliveryId) -> Delivery | None:
    """Return one delivery, whosever it is."""
    found = _by_id(view, [delivery_id])
    return found[0] if found else None


def _by_id(view: Snapshot, delivery_ids: Sequence[DeliveryId]) -> list[Delivery]:
    rows = view.records(DELIVERIES, "deliveries_by_id", delivery_ids=list(delivery_ids))
    return [row.record() for row in rows]


def _delivery(view: Snapshot, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
    """Return one of the customer's deliveries. Raises DeliveryNotFound."""
    found = _find_delivery(view, delivery_id)
    if found is None or found.customer_id != customer_id:
        raise refusals.delivery_not_found(delivery_id)
    return found
