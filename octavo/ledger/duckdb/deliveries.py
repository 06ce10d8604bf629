"""Deliveries in DuckDB: leased to whoever sends them, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from octavo.identifiers import DeliveryId
from octavo.ledger.duckdb.rows import batch_row
from octavo.ledger.duckdb.snapshot import Snapshot, aware, utc
from octavo.ledger.duckdb.transaction import Transaction
from octavo.ledger.duckdb.webhook_rows import delivery_record, store_delivery, webhook_record
from octavo.ledger.duckdb.webhooks import find_delivery, store_webhook
from octavo.ledger.webhooks import HeldDelivery
from octavo.webhooks import schedule
from octavo.webhooks.records import (
    GONE,
    AttemptReport,
    Delivery,
    DeliveryStatus,
    DueDelivery,
)


@dataclass(frozen=True, slots=True)
class DeliveryClaim:
    """What `claim_deliveries` is asked."""

    limit: int
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Reported:
    """What `report_attempt` is told."""

    report: AttemptReport
    retry_seconds: tuple[float, ...]


def _chosen(view: Snapshot, limit: int) -> list[DeliveryId]:
    rows = view.rows("due_deliveries", moment=view.now, of_each=schedule.AT_ONCE_PER_WEBHOOK)
    if not rows:
        return []
    due = [schedule.Candidate(row[0], row[1], row[2], utc(row[3])) for row in rows]
    on_their_way = [(row[0], row[1]) for row in view.rows("leased_deliveries", moment=view.now)]
    return schedule.choose(due, on_their_way, limit)


def claim_deliveries(tx: Transaction, asked: DeliveryClaim) -> list[DueDelivery]:
    """Lease deliveries that are due."""
    tx.flush()
    chosen = _chosen(tx, asked.limit)
    if not chosen:
        return []
    found = {row[0]: delivery_record(row) for row in tx.rows("deliveries_by_id", delivery_ids=list(chosen))}
    until = tx.now + timedelta(seconds=asked.lease_seconds)
    claimed = [_taken(tx, found[delivery_id], until) for delivery_id in chosen]
    return [one for one in claimed if one is not None]


def _taken(tx: Transaction, delivery: Delivery, until: datetime) -> DueDelivery | None:
    batch = None
    if delivery.end is not None:
        rows = tx.rows("batches_by_id", batch_ids=[delivery.end.batch_id])
        if not rows:
            store_delivery(tx, schedule.ended(delivery, DeliveryStatus.CANCELLED, tx.now))
            return None
        batch = delivery.end.applied_to(batch_row(rows[0]).record())
    delivery = schedule.leased(delivery, until)
    store_delivery(tx, delivery)
    (webhook,) = tx.rows("webhook", webhook_id=delivery.webhook_id)
    return DueDelivery(delivery=delivery, webhook=webhook_record(webhook), batch=batch)


def report_attempt(tx: Transaction, told: Reported) -> bool:
    """Keep an attempt; False when it came too late."""
    report = told.report
    delivery = find_delivery(tx, report.delivery_id)
    if delivery is None or delivery.lease_no != report.lease_no:
        return False
    if delivery.leased_until is None:
        return True
    attempt = report.attempt(delivery.attempts + 1)
    tx.rows(
        "add_attempt",
        delivery_id=delivery.delivery_id,
        attempt_no=attempt.attempt_no,
        started_at=attempt.started_at,
        seconds=attempt.seconds,
        status_code=attempt.status_code,
        error=attempt.error,
        answer=attempt.answer,
    )
    store_delivery(tx, schedule.attempted(delivery, attempt, told.retry_seconds, tx.now))
    if attempt.status_code == GONE:
        tx.flush()
        (webhook,) = tx.rows("webhook", webhook_id=delivery.webhook_id)
        store_webhook(tx, schedule.gone(webhook_record(webhook), tx.now))
    tx.has_deliveries = True
    return True


def give_back_deliveries(tx: Transaction, held: Sequence[HeldDelivery]) -> int:
    """End the leases of a sender that is lost; returns how many were still under way."""
    tx.flush()
    lease_nos = {one.delivery_id: one.lease_no for one in held}
    found = [delivery_record(row) for row in tx.rows("deliveries_by_id", delivery_ids=list(lease_nos))]
    under_way = [
        one
        for one in found
        if one.lease_no == lease_nos[one.delivery_id] and one.leased_until is not None and one.leased_until > tx.now
    ]
    for one in under_way:
        store_delivery(tx, schedule.given_back(one, tx.now))
    tx.has_deliveries = tx.has_deliveries or bool(under_way)
    return len(under_way)


def next_delivery_at(view: Snapshot) -> datetime | None:
    """Return when a claim next has something to take."""
    if _chosen(view, 1):
        return view.now
    ((later,),) = view.rows("later_deliveries", moment=view.now)
    return aware(later)


def prune_deliveries(tx: Transaction, completed_before: datetime) -> int:
    """Remove deliveries that were over before then, with their attempts."""
    tx.rows("prune_attempts", before=completed_before)
    return len(tx.rows("prune_deliveries", before=completed_before))
