"""A worker's webhook sender: takes what the API has composed, posts it, and reports the outcome."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import create_app
from octavo.client.worker import WorkerClient
from octavo.directory import free_port
from octavo.identifiers import WorkerId
from octavo.ledger.contract import NewWebhook
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.objects.memory import MemoryObjects
from octavo.outbound import Allowed, Outbound
from octavo.webhooks.records import BATCH_EVENTS, Delivery, Webhook
from octavo.worker import WebhookSender
from tests.unit.api.service import WORKER_TOKEN, make_service, settings
from tests.unit.api.serving import served
from tests.webhook_receiver import Receiver, receiving

POST_SECONDS = 1.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


class Post:
    """An API with one customer, and a worker that sends."""

    def __init__(self, ledger: DuckdbLedger, url: str, places: list[str]) -> None:
        self.ledger = ledger
        self.customer_id = ledger.accounts.ensure_customer("acme").customer_id
        self.client = WorkerClient(url, WORKER_TOKEN, WorkerId("worker/one"))
        self.sender = WebhookSender(self.client, Outbound(allowed=Allowed.read(places)))

    def ping(self, url: str) -> Webhook:
        new = NewWebhook(customer_id=self.customer_id, url=url, events=BATCH_EVENTS)
        webhook = self.ledger.webhooks.add(new)
        self.ledger.webhooks.ping(self.customer_id, webhook.webhook_id)
        return webhook

    def send(self, url: str) -> Delivery:
        """Send a ping to this address; returns the delivery after it."""
        webhook = self.ping(url)
        (leased,) = self.sender.take(limit=5, under_way=0, wait_seconds=5)
        self.sender.deliver(leased)
        (delivery,) = self.ledger.deliveries.of_webhook(self.customer_id, webhook.webhook_id)
        return delivery

    def error(self, delivery: Delivery) -> str | None:
        (attempt,) = self.ledger.deliveries.attempts([delivery.delivery_id])[delivery.delivery_id]
        assert attempt.status_code is None
        return attempt.error


@pytest.fixture
def post(receiver: Receiver, tmp_path: Path) -> Iterator[Post]:
    ledger = memory_ledger()
    given = settings(tmp_path, webhooks={"post_seconds": POST_SECONDS})
    with served(create_app(make_service(given, ledger, MemoryObjects()))) as url:
        made = Post(ledger, url, [receiver.place])
        yield made
        made.client.close()


def test_a_message_arrives_as_it_was_composed(post: Post, receiver: Receiver) -> None:
    delivery = post.send(receiver.url())
    (message,) = receiver.messages
    assert delivery.status == "delivered"
    assert message.id == delivery.delivery_id
    assert message.headers["content-type"] == "application/json"
    assert message.headers["user-agent"].startswith("Octavo/")
    assert message.event["type"] == "webhook.ping"


def test_its_name_says_what_is_told_to_whom(post: Post, receiver: Receiver) -> None:
    post.ping(receiver.url())
    (leased,) = post.sender.take(limit=5, under_way=0, wait_seconds=5)
    assert post.sender.label(leased) == "webhook.ping to 127.0.0.1"
    post.sender.deliver(leased)
    assert post.sender.label(leased) == leased[0]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500, 503])
def test_anything_but_success_is_sent_again(post: Post, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    delivery = post.send(receiver.url())
    assert delivery.status == "pending"
    assert delivery.next_attempt_at is not None
    (attempt,) = post.ledger.deliveries.attempts([delivery.delivery_id])[delivery.delivery_id]
    assert (attempt.status_code, attempt.answer, attempt.error) == (status, f"answer {status}", None)
    assert len(receiver.messages) == 1


def test_a_receiver_that_takes_too_long_is_given_up_in_time(post: Post, receiver: Receiver) -> None:
    let_go = threading.Event()
    receiver.hold = lambda _: (let_go.wait(120 * POST_SECONDS), None)[1]
    began = time.monotonic()
    delivery = post.send(receiver.url())
    assert time.monotonic() - began < 60 * POST_SECONDS
    let_go.set()
    assert post.error(delivery) == "The server took too long."


def test_an_address_that_may_not_be_asked_any_more_is_not_asked(post: Post) -> None:
    delivery = post.send("http://127.0.0.1:1/hook")
    assert post.error(delivery) is not None
    assert delivery.status == "pending"


def test_a_receiver_that_is_not_there_is_an_error_in_words(receiver: Receiver, tmp_path: Path) -> None:
    ledger, port = memory_ledger(), free_port()
    with served(create_app(make_service(settings(tmp_path), ledger, MemoryObjects()))) as url:
        post = Post(ledger, url, [f"127.0.0.1:{port}"])
        delivery = post.send(f"http://127.0.0.1:{port}/hook")
        assert post.error(delivery) == f"127.0.0.1 does not answer on port {port}."
        post.client.close()


def test_nothing_due_is_nothing_taken_when_the_time_is_over(post: Post) -> None:
    assert post.sender.take(limit=5, under_way=0, wait_seconds=0.05) == []
