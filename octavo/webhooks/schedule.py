"""When a delivery is sent, and what follows from an attempt. Pure: no storage, no clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from octavo.batches import Batch
from octavo.identifiers import CustomerId, DeliveryId, WebhookId, new_delivery_id
from octavo.webhooks.records import (
    GONE,
    PING,
    Attempt,
    BatchEnd,
    Delivery,
    DeliveryStatus,
    Webhook,
    WebhookChange,
    event_of,
)

AT_ONCE_PER_WEBHOOK = 2
"""Deliveries to one webhook in flight at once: a slow receiver delays only itself."""
AT_ONCE_PER_CUSTOMER = 4
FORMER_SECRET = timedelta(hours=24)
"""How long the previous secret keeps signing after a rotation."""
RECEIVER_GONE = "The receiver answered 410: it wants no more messages."


@dataclass(frozen=True, slots=True)
class Candidate:
    """A due delivery, reduced to what the choice needs."""

    delivery_id: DeliveryId
    webhook_id: WebhookId
    customer_id: CustomerId
    next_attempt_at: datetime


def wants(webhook: Webhook, event: str) -> bool:
    """Whether a webhook gets a message about an event."""
    return webhook.enabled and (event in webhook.events or event == PING)


def deliveries_of(batch: Batch, webhooks: Iterable[Webhook], due_at: datetime) -> list[Delivery]:
    """Return one delivery about a batch's end for each webhook that subscribes to it.

    `due_at` is the current time; the batch's own time may be ahead of it.
    """
    event, end = event_of(batch.status), BatchEnd.of(batch)
    made = [new_delivery(webhook, event, due_at) for webhook in webhooks if wants(webhook, event)]
    return [replace(one, end=end, created_at=end.completed_at) for one in made]


def new_delivery(webhook: Webhook, event: str, moment: datetime) -> Delivery:
    """Return a test delivery that is due at once."""
    return Delivery(
        delivery_id=new_delivery_id(),
        webhook_id=webhook.webhook_id,
        customer_id=webhook.customer_id,
        event=event,
        end=None,
        created_at=moment,
        next_attempt_at=moment,
    )


def choose(
    due: Iterable[Candidate], on_their_way: Iterable[tuple[WebhookId, CustomerId]], limit: int
) -> list[DeliveryId]:
    """Return which due deliveries are sent next: the longest overdue first, few per webhook and customer."""
    webhooks, customers = Counter[WebhookId](), Counter[CustomerId]()
    for webhook_id, customer_id in on_their_way:
        webhooks[webhook_id] += 1
        customers[customer_id] += 1
    chosen: list[DeliveryId] = []
    for one in sorted(due, key=lambda one: (one.next_attempt_at, one.delivery_id)):
        has_room = webhooks[one.webhook_id] < AT_ONCE_PER_WEBHOOK and customers[one.customer_id] < AT_ONCE_PER_CUSTOMER
        if has_room and len(chosen) < limit:
            chosen.append(one.delivery_id)
            webhooks[one.webhook_id] += 1
            customers[one.customer_id] += 1
    return chosen


def leased(delivery: Delivery, until: datetime) -> Delivery:
    """Return a delivery as leased to a sender."""
    return replace(delivery, leased_until=until, lease_no=delivery.lease_no + 1)


def given_back(delivery: Delivery, moment: datetime) -> Delivery:
    """Return a delivery whose sender is lost; a late report still counts until another sender holds it."""
    return replace(delivery, leased_until=moment)


def attempted(delivery: Delivery, attempt: Attempt, retry_seconds: Sequence[float], moment: datetime) -> Delivery:
    """Return a delivery after an attempt: accepted, to be sent again, or given up.

    `retry_seconds` is the schedule: how long after the previous one each attempt is made, from the first.
    """
    schedule_no = delivery.schedule_no + 1
    after = replace(delivery, attempts=attempt.attempt_no, schedule_no=schedule_no, leased_until=None)
    if attempt.has_succeeded:
        return ended(after, DeliveryStatus.DELIVERED, moment)
    if delivery.status is not DeliveryStatus.PENDING:
        return after  # it was cancelled meanwhile
    if attempt.status_code == GONE or schedule_no >= len(retry_seconds):
        return ended(after, DeliveryStatus.FAILED, moment)
    return replace(after, next_attempt_at=moment + timedelta(seconds=retry_seconds[schedule_no]))


def ended(delivery: Delivery, status: DeliveryStatus, moment: datetime) -> Delivery:
    """Return a delivery as cancelled: it is not sent again unless it is replayed."""
    return replace(delivery, status=status, next_attempt_at=None, completed_at=moment)


def replayed(delivery: Delivery, moment: datetime) -> Delivery:
    """Return a delivery to be sent again, from the beginning of the schedule."""
    return replace(delivery, status=DeliveryStatus.PENDING, schedule_no=0, next_attempt_at=moment, completed_at=None)


def changed(webhook: Webhook, change: WebhookChange, moment: datetime) -> Webhook:
    """Return a webhook with the given changes; enabling it again clears the reason why it was disabled."""
    enabled = webhook.enabled if change.enabled is None else change.enabled
    return replace(
        webhook,
        url=webhook.url if change.url is None else change.url,
        events=webhook.events if change.events is None else change.events,
        enabled=enabled,
        disabled_reason=None if enabled else webhook.disabled_reason,
        updated_at=moment,
    )


def rotated(webhook: Webhook, moment: datetime) -> Webhook:
    """Return a webhook with its next secret; the previous one also signs for a while."""
    return replace(webhook, secret_no=webhook.secret_no + 1, former_until=moment + FORMER_SECRET, updated_at=moment)


def gone(webhook: Webhook, moment: datetime) -> Webhook:
    """Return a webhook as disabled, because its receiver wants no more messages."""
    return replace(webhook, enabled=False, disabled_reason=RECEIVER_GONE, updated_at=moment)
