"""Webhooks of the ledger in memory."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from octavo.batches import Batch, Customer
from octavo.identifiers import BatchId, CustomerId, DeliveryId, WebhookId, new_webhook_id
from octavo.ledger import refusals
from octavo.ledger.rows import BatchRow
from octavo.ledger.webhooks import DeliveryCursor, HeldDelivery, NewWebhook
from octavo.timestamps import Clock
from octavo.webhooks import schedule
from octavo.webhooks.records import (
    GONE,
    PING,
    Attempt,
    AttemptReport,
    Delivery,
    DeliveryStatus,
    DueDelivery,
    Webhook,
    WebhookChange,
)


class MemoryWebhooks:
    """A `WebhookLedger` in memory; customers and batches are the ledger's."""

    _clock: Clock
    _batches: Mapping[BatchId, BatchRow]

    def __init__(self) -> None:
        super().__init__()
        self._webhooks: dict[WebhookId, Webhook] = {}
        self._deliveries: dict[DeliveryId, Delivery] = {}
        self._attempts: dict[DeliveryId, list[Attempt]] = {}
        self._on_delivery: Callable[[], None] = lambda: None

    def _enter(self) -> threading.RLock:
        raise NotImplementedError

    def customer(self, customer_id: CustomerId) -> Customer:
        raise NotImplementedError

    def _tell_of_ends(self, ended: Iterable[Batch]) -> None:
        moment = self._clock()
        made = [
            one for batch in ended for one in schedule.deliveries_of(batch, self.webhooks(batch.customer_id), moment)
        ]
        self._deliveries.update({one.delivery_id: one for one in made})
        if made:
            self._on_delivery()

    def add_webhook(self, new: NewWebhook) -> Webhook:
        with self._enter():
            self.customer(new.customer_id)
            if len(self.webhooks(new.customer_id)) >= new.most:
                raise refusals.too_many_webhooks(new.most)
            moment = self._clock()
            made = Webhook(
                webhook_id=new_webhook_id(),
                customer_id=new.customer_id,
                url=new.url,
                events=new.events,
                enabled=new.enabled,
                created_at=moment,
                updated_at=moment,
            )
            self._webhooks[made.webhook_id] = made
            return made

    def webhooks(self, customer_id: CustomerId) -> list[Webhook]:
        with self._enter():
            held = [one for one in self._webhooks.values() if one.customer_id == customer_id]
            return sorted(held, key=lambda one: (one.created_at, one.webhook_id))

    def webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        with self._enter():
            found = self._webhooks.get(webhook_id)
            if found is None or found.customer_id != customer_id:
                raise refusals.webhook_not_found(webhook_id)
            return found

    def update_webhook(self, customer_id: CustomerId, webhook_id: WebhookId, change: WebhookChange) -> Webhook:
        with self._enter():
            return self._store(schedule.changed(self.webhook(customer_id, webhook_id), change, self._clock()))

    def _store(self, changed: Webhook) -> Webhook:
        self._webhooks[changed.webhook_id] = changed
        if not changed.enabled:
            for one in list(self._deliveries.values()):
                if one.webhook_id == changed.webhook_id and one.status is DeliveryStatus.PENDING:
                    self._keep_delivery(schedule.ended(one, DeliveryStatus.CANCELLED, self._clock()))
        return changed

    def _keep_delivery(self, delivery: Delivery) -> Delivery:
        self._deliveries[delivery.delivery_id] = delivery
        return delivery

    def rotate_webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> Webhook:
        with self._enter():
            return self._store(schedule.rotated(self.webhook(customer_id, webhook_id), self._clock()))

    def delete_webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> None:
        with self._enter():
            del self._webhooks[self.webhook(customer_id, webhook_id).webhook_id]
            for delivery_id in [one.delivery_id for one in self._deliveries.values() if one.webhook_id == webhook_id]:
                del self._deliveries[delivery_id]
                self._attempts.pop(delivery_id, None)

    def ping_webhook(self, customer_id: CustomerId, webhook_id: WebhookId) -> Delivery:
        with self._enter():
            webhook = self._enabled(self.webhook(customer_id, webhook_id))
            made = self._keep_delivery(schedule.new_delivery(webhook, PING, self._clock()))
            self._on_delivery()
            return made

    @staticmethod
    def _enabled(webhook: Webhook) -> Webhook:
        if not webhook.enabled:
            raise refusals.webhook_disabled(webhook.webhook_id)
        return webhook

    def deliveries(
        self, customer_id: CustomerId, webhook_id: WebhookId, *, after: DeliveryCursor | None = None, limit: int = 50
    ) -> list[Delivery]:
        with self._enter():
            self.webhook(customer_id, webhook_id)
            found = [
                one
                for one in self._deliveries.values()
                if one.webhook_id == webhook_id
                and (after is None or (one.created_at, one.delivery_id) < (after.created_at, after.delivery_id))
            ]
            found.sort(key=lambda one: (one.created_at, one.delivery_id), reverse=True)
            return found[:limit]

    def delivery(self, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        with self._enter():
            found = self._deliveries.get(delivery_id)
            if found is None or found.customer_id != customer_id:
                raise refusals.delivery_not_found(delivery_id)
            return found

    def attempts(self, delivery_ids: Sequence[DeliveryId]) -> dict[DeliveryId, list[Attempt]]:
        with self._enter():
            return {one: list(self._attempts[one]) for one in delivery_ids if one in self._attempts}

    def replay_delivery(self, customer_id: CustomerId, delivery_id: DeliveryId) -> Delivery:
        with self._enter():
            found = self.delivery(customer_id, delivery_id)
            self._enabled(self._webhooks[found.webhook_id])
            again = self._keep_delivery(schedule.replayed(found, self._clock()))
            self._on_delivery()
            return again

    # Sending

    def _chosen(self, limit: int) -> list[DeliveryId]:
        moment = self._clock()
        leased = [one for one in self._deliveries.values() if one.leased_until and one.leased_until > moment]
        due = [
            schedule.Candidate(one.delivery_id, one.webhook_id, one.customer_id, one.next_attempt_at)
            for one in self._deliveries.values()
            if one.status is DeliveryStatus.PENDING
            and one.next_attempt_at is not None
            and one.next_attempt_at <= moment
            and (one.leased_until is None or one.leased_until <= moment)
        ]
        return schedule.choose(due, [(one.webhook_id, one.customer_id) for one in leased], limit)

    def claim_deliveries(self, *, limit: int, lease_seconds: float) -> list[DueDelivery]:
        with self._enter():
            until = self._clock() + timedelta(seconds=lease_seconds)
            claimed = [self._taken(self._deliveries[delivery_id], until) for delivery_id in self._chosen(limit)]
            return [one for one in claimed if one is not None]

    def _taken(self, delivery: Delivery, until: datetime) -> DueDelivery | None:
        batch = None
        if delivery.end is not None:
            row = self._batches.get(delivery.end.batch_id)
            if row is None:
                self._keep_delivery(schedule.ended(delivery, DeliveryStatus.CANCELLED, self._clock()))
                return None
            batch = delivery.end.applied_to(row.record())
        delivery = self._keep_delivery(schedule.leased(delivery, until))
        return DueDelivery(delivery=delivery, webhook=self._webhooks[delivery.webhook_id], batch=batch)

    def report_attempt(self, report: AttemptReport, *, retry_seconds: Sequence[float]) -> bool:
        with self._enter():
            delivery = self._deliveries.get(report.delivery_id)
            if delivery is None or delivery.lease_no != report.lease_no:
                return False
            if delivery.leased_until is None:
                return True
            attempt = report.attempt(delivery.attempts + 1)
            self._attempts.setdefault(delivery.delivery_id, []).append(attempt)
            self._keep_delivery(schedule.attempted(delivery, attempt, retry_seconds, self._clock()))
            if attempt.status_code == GONE:
                self._store(schedule.gone(self._webhooks[delivery.webhook_id], self._clock()))
            self._on_delivery()
            return True

    def give_back_deliveries(self, held: Sequence[HeldDelivery]) -> int:
        with self._enter():
            moment = self._clock()
            found = [(self._deliveries.get(one.delivery_id), one.lease_no) for one in held]
            under_way = [
                one
                for one, lease_no in found
                if one is not None and one.lease_no == lease_no and one.leased_until and one.leased_until > moment
            ]
            for one in under_way:
                self._keep_delivery(schedule.given_back(one, moment))
            if under_way:
                self._on_delivery()
            return len(under_way)

    def next_delivery_at(self) -> datetime | None:
        with self._enter():
            moment = self._clock()
            if self._chosen(1):
                return moment
            pending = [one for one in self._deliveries.values() if one.status is DeliveryStatus.PENDING]
            moments = [one.next_attempt_at for one in pending] + [one.leased_until for one in self._deliveries.values()]
            return min((one for one in moments if one is not None and one > moment), default=None)

    def watch_deliveries(self, tell: Callable[[], None]) -> None:
        self._on_delivery = tell

    def prune_deliveries(self, completed_before: datetime) -> int:
        with self._enter():
            old = [
                one.delivery_id
                for one in self._deliveries.values()
                if one.completed_at is not None and one.completed_at < completed_before
            ]
            for delivery_id in old:
                del self._deliveries[delivery_id]
                self._attempts.pop(delivery_id, None)
            return len(old)
