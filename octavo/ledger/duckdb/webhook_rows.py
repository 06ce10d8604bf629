"""Webhooks, deliveries and attempts as rows of DuckDB and back, and the outbox a commit writes into."""

import json
from collections.abc import Mapping, Sequence

from octavo.batches import Batch, BatchStatus
from octavo.identifiers import CustomerId
from octavo.ledger.duckdb.snapshot import Parameter, Row, Snapshot, aware, utc
from octavo.webhooks.records import Attempt, BatchEnd, Delivery, DeliveryStatus, Webhook
from octavo.webhooks.schedule import deliveries_of


def webhook_record(row: Row) -> Webhook:
    """Return a webhook from the columns every webhook statement selects."""
    return Webhook(
        webhook_id=row[0],
        customer_id=row[1],
        dialect=row[2],
        url=row[3],
        events=tuple(json.loads(row[4])),
        enabled=row[5],
        disabled_reason=row[6],
        secret_no=row[7],
        former_until=aware(row[8]),
        created_at=utc(row[9]),
        updated_at=utc(row[10]),
    )


def webhook_changes(webhook: Webhook) -> dict[str, Parameter]:
    """Return what may change of a webhook."""
    return {
        "webhook_id": webhook.webhook_id,
        "url": webhook.url,
        "events": json.dumps(webhook.events),
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "secret_no": webhook.secret_no,
        "former_until": webhook.former_until,
        "updated_at": webhook.updated_at,
    }


def webhook_columns(webhook: Webhook) -> dict[str, Parameter]:
    """Return all of a webhook."""
    return webhook_changes(webhook) | {
        "customer_id": webhook.customer_id,
        "dialect": webhook.dialect,
        "created_at": webhook.created_at,
    }


def delivery_record(row: Row) -> Delivery:
    """Return a delivery from the columns every delivery statement selects."""
    end = None
    if row[4] is not None:
        end = BatchEnd(
            batch_id=row[4],
            status=BatchStatus(row[5]),
            succeeded=row[6],
            failed=row[7],
            cancelled=row[8],
            completed_at=utc(row[9]),
            expires_at=utc(row[10]),
        )
    return Delivery(
        delivery_id=row[0],
        webhook_id=row[1],
        customer_id=row[2],
        event=row[3],
        end=end,
        created_at=utc(row[11]),
        status=DeliveryStatus(row[12]),
        attempts=row[13],
        schedule_no=row[14],
        next_attempt_at=aware(row[15]),
        leased_until=aware(row[16]),
        lease_no=row[17],
        completed_at=aware(row[18]),
    )


def attempt_record(row: Row) -> Attempt:
    """Return an attempt; the delivery it is of comes first in the row."""
    return Attempt(
        attempt_no=row[1],
        started_at=utc(row[2]),
        seconds=row[3],
        status_code=row[4],
        error=row[5],
        answer=row[6],
    )


def store_delivery(view: Snapshot, delivery: Delivery) -> None:
    """Write back what changes of a delivery."""
    view.rows(
        "store_delivery",
        delivery_id=delivery.delivery_id,
        status=delivery.status,
        attempts=delivery.attempts,
        schedule_no=delivery.schedule_no,
        next_attempt_at=delivery.next_attempt_at,
        leased_until=delivery.leased_until,
        lease_no=delivery.lease_no,
        completed_at=delivery.completed_at,
    )


def add_deliveries(view: Snapshot, deliveries: Sequence[Delivery]) -> None:
    """Keep new deliveries."""
    ends = [delivery.end for delivery in deliveries]
    view.rows(
        "add_deliveries",
        delivery_id=[one.delivery_id for one in deliveries],
        webhook_id=[one.webhook_id for one in deliveries],
        customer_id=[one.customer_id for one in deliveries],
        event=[one.event for one in deliveries],
        batch_id=[end and end.batch_id for end in ends],
        batch_status=[end and end.status for end in ends],
        succeeded=[end and end.succeeded for end in ends],
        failed=[end and end.failed for end in ends],
        cancelled=[end and end.cancelled for end in ends],
        batch_completed_at=[end and end.completed_at for end in ends],
        batch_expires_at=[end and end.expires_at for end in ends],
        created_at=[one.created_at for one in deliveries],
        next_attempt_at=[one.next_attempt_at for one in deliveries],
    )


def tell_of_ends(view: Snapshot, ended: Sequence[Batch], webhooks: Mapping[CustomerId, Sequence[Webhook]]) -> bool:
    """Write the deliveries of batches that this commit ends; False when nobody wants any."""
    made = [one for batch in ended for one in deliveries_of(batch, webhooks.get(batch.customer_id, ()), view.now)]
    if made:
        add_deliveries(view, made)
    return bool(made)
