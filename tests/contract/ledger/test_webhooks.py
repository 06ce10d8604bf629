"""Webhooks and the outbox: a delivery per end and webhook, in the commit that ends the batch; then it is sent."""

from datetime import timedelta

import pytest

from octavo.batches import Batch, BatchStatus, Customer
from octavo.errors import (
    CustomerNotFound,
    DeliveryNotFound,
    TooManyWebhooks,
    WebhookDisabled,
    WebhookNotFound,
)
from octavo.identifiers import CustomerId, DeliveryId, RunId, WebhookId, WorkerId
from octavo.ledger.contract import DeliveryCursor, HeldDelivery, Ledger, NewWebhook, Retry
from octavo.webhooks.records import (
    BATCH_EVENTS,
    PING,
    AttemptReport,
    Delivery,
    DeliveryStatus,
    DueDelivery,
    Webhook,
    WebhookChange,
)
from octavo.webhooks.schedule import AT_ONCE_PER_CUSTOMER, AT_ONCE_PER_WEBHOOK
from tests.contract.ledger.world import StandingClock, World, begin, failed, finish

SCHEDULE = (0.0, 5.0, 300.0)
URL = "https://receiver.example/hook"


class Outbox:
    """A world with webhooks, and whoever sends what they are told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ledger = world.ledger
        self.told = 0
        self.ledger.deliveries.watch(self._tell)

    def _tell(self) -> None:
        self.told += 1

    def add(
        self,
        *events: str,
        customer: Customer | None = None,
        url: str = URL,
        enabled: bool = True,
        most: int = 10,
    ) -> Webhook:
        of = customer or self.world.customer
        new = NewWebhook(customer_id=of.customer_id, url=url, events=events or BATCH_EVENTS, enabled=enabled, most=most)
        return self.ledger.webhooks.add(new)

    def ended(self, customer: Customer | None = None) -> Batch:
        """A batch of one item that has succeeded."""
        batch = self.world.batch(customer=customer)
        self.world.work_off(batch)
        return self.world.now(batch)

    def of(self, webhook: Webhook) -> list[Delivery]:
        return self.ledger.deliveries.of_webhook(webhook.customer_id, webhook.webhook_id)

    def claim(self, limit: int = 100, lease_seconds: float = 60.0) -> list[DueDelivery]:
        return self.ledger.deliveries.claim(limit=limit, lease_seconds=lease_seconds)

    def answer(self, due: DueDelivery, status_code: int | None = 200, answer: str = "ok") -> bool:
        report = AttemptReport(
            delivery_id=due.delivery.delivery_id,
            lease_no=due.delivery.lease_no,
            started_at=self.world.clock(),
            seconds=0.25,
            status_code=status_code,
            error=None if status_code else "no answer",
            answer=answer,
        )
        return self.ledger.deliveries.report(report, retry_seconds=SCHEDULE)

    def look(self, due: DueDelivery | Delivery) -> Delivery:
        delivery = due.delivery if isinstance(due, DueDelivery) else due
        return self.ledger.deliveries.get(delivery.customer_id, delivery.delivery_id)


@pytest.fixture
def outbox(world: World) -> Outbox:
    return Outbox(world)


# Webhooks ---------------------------------------------------------------------------------


def test_a_webhook_is_kept_as_it_was_given(outbox: Outbox, clock: StandingClock) -> None:
    first = outbox.add("batch.failed")
    clock.go(seconds=1)
    second = outbox.add(enabled=False)
    assert first.events == ("batch.failed",)
    assert (first.url, first.enabled, first.dialect, first.secret_no) == (URL, True, "v1", 1)
    assert outbox.ledger.webhooks.of_customer(outbox.world.customer.customer_id) == [first, second]
    assert outbox.ledger.webhooks.get(first.customer_id, first.webhook_id) == first


def test_a_webhook_of_another_customer_is_not_there(outbox: Outbox) -> None:
    webhook = outbox.add()
    stranger = outbox.ledger.accounts.ensure_customer("stranger").customer_id
    other = WebhookId("webhook_unknown")
    assert outbox.ledger.webhooks.of_customer(stranger) == []
    for customer_id, webhook_id in ((stranger, webhook.webhook_id), (webhook.customer_id, other)):
        with pytest.raises(WebhookNotFound):
            outbox.ledger.webhooks.get(customer_id, webhook_id)
        with pytest.raises(WebhookNotFound):
            outbox.ledger.webhooks.update(customer_id, webhook_id, WebhookChange(enabled=False))
        with pytest.raises(WebhookNotFound):
            outbox.ledger.webhooks.rotate_secret(customer_id, webhook_id)
        with pytest.raises(WebhookNotFound):
            outbox.ledger.webhooks.delete(customer_id, webhook_id)
        with pytest.raises(WebhookNotFound):
            outbox.ledger.webhooks.ping(customer_id, webhook_id)
        with pytest.raises(WebhookNotFound):
            outbox.ledger.deliveries.of_webhook(customer_id, webhook_id)
    assert outbox.ledger.webhooks.get(webhook.customer_id, webhook.webhook_id) == webhook


def test_a_customer_has_only_so_many_webhooks(outbox: Outbox) -> None:
    for _ in range(2):
        outbox.add(most=2)
    with pytest.raises(TooManyWebhooks) as refused:
        outbox.add(most=2)
    assert refused.value.facts == {"limit": 2}
    outbox.add(most=2, customer=outbox.ledger.accounts.ensure_customer("other"))
    with pytest.raises(CustomerNotFound):
        outbox.ledger.webhooks.add(NewWebhook(customer_id=CustomerId("cust_x"), url=URL, events=BATCH_EVENTS))


def test_what_is_not_given_stays_as_it_is(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    clock.go(seconds=1)
    changed = outbox.ledger.webhooks.update(
        webhook.customer_id, webhook.webhook_id, WebhookChange(events=("batch.failed",))
    )
    assert (changed.url, changed.enabled, changed.events) == (URL, True, ("batch.failed",))
    assert changed.updated_at == clock() > changed.created_at
    assert outbox.ledger.webhooks.get(webhook.customer_id, webhook.webhook_id) == changed


def test_a_rotated_secret_is_the_next_one_and_the_former_signs_for_a_day(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    rotated = outbox.ledger.webhooks.rotate_secret(webhook.customer_id, webhook.webhook_id)
    assert rotated.secret_no == webhook.secret_no + 1
    assert rotated.former_until == clock() + timedelta(hours=24)


def test_a_deleted_webhook_takes_its_deliveries_with_it(outbox: Outbox) -> None:
    webhook, other = outbox.add(), outbox.add()
    outbox.ended()
    (due,) = [one for one in outbox.claim() if one.webhook == webhook]
    outbox.ledger.webhooks.delete(webhook.customer_id, webhook.webhook_id)
    assert not outbox.answer(due)
    with pytest.raises(DeliveryNotFound):
        outbox.look(due)
    assert outbox.ledger.deliveries.attempts([due.delivery.delivery_id]) == {}
    assert len(outbox.of(other)) == 1


# One delivery per end ---------------------------------------------------------------------


def test_a_batchs_end_is_told_to_each_webhook_that_wants_it_once(outbox: Outbox) -> None:
    wants, also_wants = outbox.add("batch.completed"), outbox.add()
    other_event, switched_off = outbox.add("batch.failed"), outbox.add(enabled=False)
    stranger = outbox.add(customer=outbox.ledger.accounts.ensure_customer("stranger"))
    batch = outbox.ended()
    for webhook in (wants, also_wants):
        (delivery,) = outbox.of(webhook)
        assert delivery.event == "batch.completed"
        assert delivery.end is not None
        assert delivery.end.batch_id == batch.batch_id
        assert delivery.created_at == batch.completed_at
        assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 0)
    for webhook in (other_event, switched_off, stranger):
        assert outbox.of(webhook) == []
    assert outbox.told == 1


def test_without_webhooks_nothing_is_written_and_nobody_is_told(outbox: Outbox) -> None:
    outbox.ended()
    assert outbox.claim() == []
    assert outbox.ledger.deliveries.next_at() is None
    assert outbox.told == 0


@pytest.mark.parametrize(
    ("outcomes", "event"),
    [("ss", "batch.completed"), ("sf", "batch.partially_failed"), ("ff", "batch.failed")],
)
def test_the_event_says_what_the_batch_came_to(outbox: Outbox, outcomes: str, event: str) -> None:
    webhook = outbox.add()
    batch = outbox.world.batch(2)
    items = outbox.world.take(batch, 2)
    reports = [finish(item, None if how == "s" else failed()) for item, how in zip(items, outcomes, strict=True)]
    outbox.world.say(reports[0])
    assert outbox.of(webhook) == []
    outbox.world.say(reports[1])
    outbox.world.say(*reports)  # the answer was lost: said again
    (delivery,) = outbox.of(webhook)
    assert delivery.event == event


def test_a_batch_cancelled_before_it_began_is_told(outbox: Outbox) -> None:
    webhook = outbox.add()
    batch = outbox.world.batch(3)
    for _ in range(2):
        outbox.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    (delivery,) = outbox.of(webhook)
    assert delivery.event == "batch.cancelled"
    assert delivery.end is not None
    assert delivery.end.cancelled == 3


def test_a_cancelled_batch_is_told_when_its_last_running_item_has_ended(outbox: Outbox) -> None:
    webhook = outbox.add()
    batch = outbox.world.batch(2)
    (item,) = outbox.world.take(batch)
    outbox.world.say(begin(item))
    outbox.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    assert outbox.of(webhook) == []
    outbox.world.say(finish(item))
    (delivery,) = outbox.of(webhook)
    assert delivery.event == "batch.completed"


@pytest.mark.parametrize("by", ["expiry", "revocation of the worker", "end of the run"])
def test_a_batch_that_ends_by_losing_its_worker_is_told(outbox: Outbox, clock: StandingClock, by: str) -> None:
    webhook = outbox.add()
    batch = outbox.world.batch()
    (item,) = outbox.world.take(batch)
    outbox.world.say(begin(item))
    outbox.ledger.batches.cancel(batch.customer_id, batch.batch_id)
    if by == "expiry":
        clock.go(seconds=91)
        outbox.ledger.work.expire_leases()
    elif by == "end of the run":
        outbox.ledger.runs.end(RunId("run-1"))
    else:
        outbox.ledger.work.revoke(worker_id=WorkerId("worker-1/a"))
    assert outbox.world.now(batch).status is BatchStatus.CANCELLED
    (delivery,) = outbox.of(webhook)
    assert delivery.event == "batch.cancelled"
    assert outbox.told == 1


def test_a_webhook_that_is_changed_counts_from_then_on(outbox: Outbox) -> None:
    webhook = outbox.add("batch.failed")
    outbox.ended()
    outbox.ledger.webhooks.update(webhook.customer_id, webhook.webhook_id, WebhookChange(events=("batch.completed",)))
    batch = outbox.ended()
    (delivery,) = outbox.of(webhook)
    assert delivery.end is not None
    assert delivery.end.batch_id == batch.batch_id


def test_the_batch_is_told_as_it_was_at_its_end(outbox: Outbox) -> None:
    outbox.add()
    batch = outbox.ended()
    (due,) = outbox.claim()
    assert due.batch == batch


# Sending ----------------------------------------------------------------------------------


def test_a_delivery_is_given_to_one_sender_at_a_time(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    outbox.ended()
    (due,) = outbox.claim()
    assert due.webhook == webhook
    assert outbox.claim() == []
    clock.go(seconds=61)
    (again,) = outbox.claim()
    assert again.delivery.delivery_id == due.delivery.delivery_id
    assert not outbox.answer(due), "the first sender comes too late"
    assert outbox.answer(again)
    assert outbox.look(again).attempts == 1


def test_what_a_lost_sender_held_is_due_at_once(outbox: Outbox, clock: StandingClock) -> None:
    outbox.add()
    outbox.ended()
    (due,) = outbox.claim()
    told, held = outbox.told, HeldDelivery(due.delivery.delivery_id, due.delivery.lease_no)
    assert outbox.ledger.deliveries.give_back([held, HeldDelivery(DeliveryId("delivery_x"), 1)]) == 1
    assert outbox.told == told + 1
    assert outbox.ledger.deliveries.next_at() == clock()
    (again,) = outbox.claim()
    assert again.delivery.delivery_id == due.delivery.delivery_id
    assert outbox.ledger.deliveries.give_back([held]) == 0, "it is another's by now"
    assert not outbox.answer(due)
    assert outbox.answer(again)
    assert outbox.ledger.deliveries.give_back([HeldDelivery(held.delivery_id, again.delivery.lease_no)]) == 0
    assert outbox.look(again).status is DeliveryStatus.DELIVERED


def test_a_sender_that_was_taken_for_lost_may_still_tell(outbox: Outbox) -> None:
    outbox.add()
    outbox.ended()
    (due,) = outbox.claim()
    outbox.ledger.deliveries.give_back([HeldDelivery(due.delivery.delivery_id, due.delivery.lease_no)])
    assert outbox.answer(due)
    assert outbox.claim() == [], "nothing is sent twice for it"
    assert outbox.look(due).attempts == 1


def test_a_delivery_that_is_taken_is_over(outbox: Outbox, clock: StandingClock) -> None:
    outbox.add()
    outbox.ended()
    (due,) = outbox.claim()
    assert outbox.answer(due, 204, "x" * 5000)
    found = outbox.look(due)
    assert (found.status, found.next_attempt_at, found.completed_at) == (DeliveryStatus.DELIVERED, None, clock())
    (attempt,) = outbox.ledger.deliveries.attempts([found.delivery_id])[found.delivery_id]
    assert (attempt.attempt_no, attempt.status_code, attempt.seconds) == (1, 204, 0.25)
    assert attempt.answer == "x" * 1000
    assert outbox.claim() == []
    assert outbox.ledger.deliveries.next_at() is None


def test_a_report_said_twice_is_taken_once(outbox: Outbox) -> None:
    outbox.add()
    outbox.ended()
    (due,) = outbox.claim()
    assert outbox.answer(due, 500)
    assert outbox.answer(due, 500)
    assert outbox.look(due).attempts == 1


def test_a_delivery_is_sent_again_by_the_schedule_and_then_given_up(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    outbox.ended()
    for number, pause in enumerate(SCHEDULE, start=1):
        assert outbox.ledger.deliveries.next_at() == clock() + timedelta(seconds=pause)
        if pause:
            clock.go(seconds=pause - 1)
            assert outbox.claim() == []
            clock.go(seconds=1)
        (due,) = outbox.claim()
        assert outbox.answer(due, None if number == 2 else 302)
    (found,) = outbox.of(webhook)
    assert (found.status, found.attempts, found.next_attempt_at) == (DeliveryStatus.FAILED, 3, None)
    attempts = outbox.ledger.deliveries.attempts([found.delivery_id])[found.delivery_id]
    assert [(one.attempt_no, one.status_code, one.error) for one in attempts] == [
        (1, 302, None),
        (2, None, "no answer"),
        (3, 302, None),
    ]
    clock.go(days=10)
    assert outbox.claim() == []


def test_a_receiver_that_is_gone_is_told_nothing_more(outbox: Outbox) -> None:
    webhook = outbox.add()
    outbox.ended()
    outbox.ended()
    first, second = outbox.claim()
    assert outbox.answer(first, 410)
    found = outbox.ledger.webhooks.get(webhook.customer_id, webhook.webhook_id)
    assert not found.enabled
    assert found.disabled_reason is not None
    assert "410" in found.disabled_reason
    assert outbox.look(first).status is DeliveryStatus.FAILED
    assert outbox.look(second).status is DeliveryStatus.CANCELLED
    assert outbox.answer(second, 200), "it was on its way already"
    assert outbox.look(second).status is DeliveryStatus.DELIVERED
    outbox.ended()
    assert len(outbox.of(webhook)) == 2
    again = outbox.ledger.webhooks.update(webhook.customer_id, webhook.webhook_id, WebhookChange(enabled=True))
    assert again.disabled_reason is None


def test_what_is_pending_for_a_webhook_that_is_switched_off_is_called_off(outbox: Outbox) -> None:
    webhook = outbox.add()
    outbox.ended()
    outbox.ledger.webhooks.update(webhook.customer_id, webhook.webhook_id, WebhookChange(enabled=False))
    (delivery,) = outbox.of(webhook)
    assert delivery.status is DeliveryStatus.CANCELLED
    assert outbox.claim() == []
    with pytest.raises(WebhookDisabled):
        outbox.ledger.deliveries.replay(webhook.customer_id, delivery.delivery_id)
    with pytest.raises(WebhookDisabled):
        outbox.ledger.webhooks.ping(webhook.customer_id, webhook.webhook_id)


def test_a_slow_webhook_holds_up_only_itself(outbox: Outbox) -> None:
    slow = outbox.add()
    other = outbox.ledger.accounts.ensure_customer("other")
    quick = outbox.add(customer=other)
    for _ in range(5):
        outbox.ended()
    outbox.ended(other)
    webhooks = [one.webhook.webhook_id for one in outbox.claim()]
    assert webhooks.count(slow.webhook_id) == AT_ONCE_PER_WEBHOOK
    assert webhooks.count(quick.webhook_id) == 1
    assert outbox.claim() == []
    assert outbox.ledger.deliveries.next_at() == outbox.world.clock() + timedelta(seconds=60)


def test_a_customer_with_many_webhooks_has_only_so_many_on_their_way(outbox: Outbox) -> None:
    for _ in range(AT_ONCE_PER_CUSTOMER + 2):
        outbox.add()
    outbox.ended()
    first = outbox.claim()
    assert len(first) == AT_ONCE_PER_CUSTOMER
    assert outbox.answer(first[0])
    assert len(outbox.claim()) == 1


def test_the_longest_due_goes_first_and_no_more_than_asked(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    outbox.ended()
    clock.go(seconds=1)
    outbox.ended()
    oldest = outbox.of(webhook)[-1]
    (due,) = outbox.claim(limit=1)
    assert due.delivery.delivery_id == oldest.delivery_id


# What a customer may do -------------------------------------------------------------------


def test_a_replay_sends_the_same_delivery_anew(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    outbox.ended()
    (due,) = outbox.claim()
    assert outbox.answer(due)
    told = outbox.told
    clock.go(days=1)
    again = outbox.ledger.deliveries.replay(webhook.customer_id, due.delivery.delivery_id)
    assert (again.status, again.next_attempt_at) == (DeliveryStatus.PENDING, clock())
    assert outbox.told == told + 1
    (second,) = outbox.claim()
    assert second.delivery.delivery_id == due.delivery.delivery_id
    assert second.batch == due.batch
    assert outbox.answer(second, 500)
    found = outbox.look(second)
    assert (found.attempts, found.schedule_no) == (2, 1)
    assert found.next_attempt_at == clock() + timedelta(seconds=SCHEDULE[1])
    assert len(outbox.of(webhook)) == 1


def test_a_delivery_of_another_customer_is_not_there(outbox: Outbox) -> None:
    webhook = outbox.add()
    outbox.ended()
    (delivery,) = outbox.of(webhook)
    stranger = outbox.ledger.accounts.ensure_customer("stranger").customer_id
    for customer_id, delivery_id in (
        (stranger, delivery.delivery_id),
        (webhook.customer_id, DeliveryId("delivery_x")),
    ):
        with pytest.raises(DeliveryNotFound):
            outbox.ledger.deliveries.get(customer_id, delivery_id)
        with pytest.raises(DeliveryNotFound):
            outbox.ledger.deliveries.replay(customer_id, delivery_id)


def test_a_ping_is_a_delivery_about_nothing(outbox: Outbox) -> None:
    webhook = outbox.add("batch.failed")
    made = outbox.ledger.webhooks.ping(webhook.customer_id, webhook.webhook_id)
    assert outbox.told == 1
    (due,) = outbox.claim()
    assert (due.delivery.delivery_id, due.delivery.event, due.batch) == (made.delivery_id, PING, None)
    assert outbox.answer(due)


def test_deliveries_are_listed_newest_first_page_by_page(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    for _ in range(3):
        clock.go(seconds=1)
        outbox.ended()
    all_of_it = outbox.of(webhook)
    assert [one.created_at for one in all_of_it] == sorted((one.created_at for one in all_of_it), reverse=True)
    first = outbox.ledger.deliveries.of_webhook(webhook.customer_id, webhook.webhook_id, limit=2)
    after = DeliveryCursor(first[-1].created_at, first[-1].delivery_id)
    rest = outbox.ledger.deliveries.of_webhook(webhook.customer_id, webhook.webhook_id, after=after, limit=2)
    assert [*first, *rest] == all_of_it


# What is kept -----------------------------------------------------------------------------


def test_deliveries_that_are_over_are_pruned_with_their_attempts(outbox: Outbox, clock: StandingClock) -> None:
    webhook = outbox.add()
    outbox.ended()
    (due,) = outbox.claim()
    outbox.answer(due)
    clock.go(days=30)
    outbox.ended()
    assert outbox.ledger.deliveries.prune(clock() - timedelta(days=30)) == 0
    clock.go(seconds=1)
    assert outbox.ledger.deliveries.prune(clock() - timedelta(days=30)) == 1
    assert outbox.ledger.deliveries.attempts([due.delivery.delivery_id]) == {}
    (left,) = outbox.of(webhook)
    assert left.status is DeliveryStatus.PENDING


def test_the_archive_is_told_of_webhooks_and_gives_them_back(outbox: Outbox, ledger: Ledger) -> None:
    webhook = outbox.add()
    position = ledger.archive.position()
    change = ledger.archive.changes(position)
    assert change is not None
    assert change.accounts is not None
    assert change.accounts.webhooks == (webhook,)
    rotated = ledger.webhooks.rotate_secret(webhook.customer_id, webhook.webhook_id)
    ledger.archive.note_position(change.position)
    later = ledger.archive.changes(change.position)
    assert later is not None
    assert later.accounts is not None
    assert later.accounts.webhooks == (rotated,)


def test_a_batch_that_was_retried_and_ended_anew_is_told_of_twice(outbox: Outbox) -> None:
    webhook = outbox.add()
    batch = outbox.world.batch()
    (item,) = outbox.world.take(batch)
    outbox.world.say(begin(item), finish(item, failed()))
    outbox.ledger.batches.retry_failed(Retry(customer_id=batch.customer_id, batch_id=batch.batch_id))
    outbox.world.clock.go(seconds=1)
    outbox.world.work_off(batch)
    assert sorted(delivery.event for delivery in outbox.of(webhook)) == ["batch.completed", "batch.failed"]
