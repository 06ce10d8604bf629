"""Webhooks on a real stack: a batch ends, and its customer's receiver gets the message, whatever dies in between."""

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from octavo.client.customer import CustomerClient
from tests.acceptance.stack import Stack, wait_for
from tests.webhook_receiver import Message, Receiver, receiving

LIMIT = 40.0


@pytest.fixture(scope="module")
def receiver(stack: Stack) -> Iterator[Receiver]:
    with receiving(stack.outside) as made:
        yield made


class Customer:
    """A customer with one webhook."""

    def __init__(self, stack: Stack, receiver: Receiver) -> None:
        self.stack = stack
        self.receiver = receiver
        self.path = f"/{secrets.token_hex(4)}"
        key = stack.new_key(f"customer-{secrets.token_hex(4)}")
        self.http = httpx.Client(base_url=stack.url, headers={"X-API-KEY": key}, trust_env=False, timeout=30)
        self.key = key
        made = self.http.post("/v1/webhooks", json={"url": receiver.url(self.path)})
        assert made.status_code == 200, made.text
        self.webhook: dict[str, Any] = made.json()

    def submit(self, folder: Path, *, items: int = 2) -> str:
        """Submit a batch that takes a moment; returns its id."""
        with CustomerClient(self.stack.url, self.key) as client:
            return self.stack.submit_sleeping(client, folder, items=items, seconds=0.1).batch_id

    def messages(self, count: int = 1) -> list[Message]:
        """The first so many messages, waited for."""
        wait_for(lambda: len(self.receiver.at(self.path)) >= count, limit=LIMIT, what=f"{count} messages")
        return self.receiver.at(self.path)

    def deliveries(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(f"/v1/webhooks/{self.webhook['id']}/deliveries").json()["data"]
        return found

    def wait_until(self, status: str, *, limit: float = LIMIT) -> dict[str, Any]:
        """The one delivery, once it has this status."""

        def look() -> dict[str, Any] | None:
            found = self.deliveries()
            return found[0] if found and found[0]["status"] == status else None

        return wait_for(look, limit=limit, what=f"a delivery that is {status}")


@pytest.fixture
def customer(stack: Stack, receiver: Receiver) -> Iterator[Customer]:
    made = Customer(stack, receiver)
    yield made
    made.http.close()
    receiver.answers.clear()
    receiver.hold = lambda _: None


def test_the_end_of_a_batch_is_told_and_verifies(customer: Customer, tmp_path: Path) -> None:
    batch_id = customer.submit(tmp_path)
    (message,) = customer.messages()
    said = message.verify(customer.webhook["secret"])
    assert said["type"] == "batch.completed"
    assert said["data"]["id"] == batch_id
    assert said["data"]["counts"]["succeeded"] == 2
    found = customer.wait_until("delivered")
    assert found["id"] == message.id
    assert [attempt["status_code"] for attempt in found["attempts"]] == [200]
    assert found["attempts"][0]["answer"] == "answer 200"


def test_a_receiver_in_trouble_is_asked_again_by_the_schedule(customer: Customer, tmp_path: Path) -> None:
    customer.receiver.answers = [500, 302]
    customer.submit(tmp_path)
    first, second, third = customer.messages(3)
    assert first.id == second.id == third.id
    assert first.body == second.body == third.body
    found = customer.wait_until("delivered")
    assert [attempt["status_code"] for attempt in found["attempts"]] == [500, 302, 200]
    assert not customer.receiver.at("/elsewhere"), "a redirect is not followed"
    customer.http.post(f"/v1/webhooks/deliveries/{found['id']}/replay")
    *_, again = customer.messages(4)
    assert again.id == first.id
    again.verify(customer.webhook["secret"])


def test_a_receiver_that_is_gone_is_switched_off(customer: Customer, tmp_path: Path) -> None:
    customer.receiver.answers = [410]
    customer.submit(tmp_path)
    customer.wait_until("failed")
    webhook = customer.http.get(f"/v1/webhooks/{customer.webhook['id']}").json()
    assert webhook["enabled"] is False
    assert "410" in webhook["disabled_reason"]


def test_a_slow_receiver_holds_nobody_else_up(
    customer: Customer, stack: Stack, receiver: Receiver, tmp_path: Path
) -> None:
    let_go = threading.Event()
    receiver.hold = lambda message: (message.path == customer.path and let_go.wait(20), None)[1]
    other = Customer(stack, receiver)
    for _ in range(3):
        customer.http.post(f"/v1/webhooks/{customer.webhook['id']}/ping")
    customer.messages()
    other.http.post(f"/v1/webhooks/{other.webhook['id']}/ping")
    other.wait_until("delivered")
    assert not let_go.is_set()
    let_go.set()
    other.http.close()


def test_a_batch_that_ended_before_the_api_was_killed_is_told_once_it_is_back(
    customer: Customer, stack: Stack, receiver: Receiver, tmp_path: Path
) -> None:
    at_receiver, let_go = threading.Event(), threading.Event()

    def hold(_: Message) -> None:
        at_receiver.set()
        let_go.wait(LIMIT)

    receiver.hold = hold
    customer.submit(tmp_path, items=1)
    assert at_receiver.wait(LIMIT)
    stack.strike("api", signal.SIGKILL)
    receiver.hold = lambda _: None
    let_go.set()
    stack.wait_until_healthy()
    found = customer.wait_until("delivered")
    assert {message.id for message in customer.messages()} == {found["id"]}


def test_a_worker_killed_in_the_middle_of_a_post_sends_it_again_under_the_same_id(
    customer: Customer, stack: Stack, receiver: Receiver
) -> None:
    at_receiver, let_go = threading.Event(), threading.Event()

    def hold(_: Message) -> None:
        at_receiver.set()
        let_go.wait(LIMIT)

    receiver.hold = hold
    customer.http.post(f"/v1/webhooks/{customer.webhook['id']}/ping")
    assert at_receiver.wait(LIMIT)
    os.kill(stack.pid_of("worker"), signal.SIGKILL)
    receiver.hold = lambda _: None
    let_go.set()
    found = customer.wait_until("delivered", limit=30)  # long before the lease of the dead one ends
    assert [message.id for message in customer.messages(2)] == [found["id"]] * 2
    assert len(found["attempts"]) == 1, "of the first nobody could tell"
