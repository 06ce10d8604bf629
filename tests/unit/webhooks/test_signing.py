"""Signatures: what an independent reader of Standard Webhooks takes, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Reader
from standardwebhooks import WebhookVerificationError

from octavo.identifiers import CustomerId, DeliveryId, WebhookId
from octavo.timestamps import now
from octavo.webhooks.contract import secrets_of
from octavo.webhooks.records import Webhook
from octavo.webhooks.schedule import rotated
from octavo.webhooks.standard import StandardSigner

SIGNER = StandardSigner()
DELIVERY = DeliveryId("delivery_1")
BODY = '{"name": "Zoë"}'.encode()


def webhook() -> Webhook:
    moment = now()
    return Webhook(
        webhook_id=WebhookId("webhook_1"),
        customer_id=CustomerId("cust_1"),
        url="https://receiver.example/",
        events=("batch.completed",),
        enabled=True,
        created_at=moment,
        updated_at=moment,
    )


def test_the_standards_own_example_has_the_standards_own_signature() -> None:
    headers = SIGNER.headers(
        DeliveryId("msg_p5jXN8AQM9LWM0D4loKWxJek"),
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_message_verifies_with_its_secret_and_with_no_other() -> None:
    secret, other = SIGNER.secret(b"a" * 32), SIGNER.secret(b"b" * 32)
    headers = dict(SIGNER.headers(DELIVERY, now(), BODY, [secret]))
    assert Reader(secret).verify(BODY, headers) == {"name": "Zoë"}
    with pytest.raises(WebhookVerificationError):
        Reader(other).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Reader(secret).verify(BODY, headers | {"webhook-id": "delivery_2"})


def test_an_old_message_is_refused_by_its_timestamp() -> None:
    secret = SIGNER.secret(b"a" * 32)
    headers = dict(SIGNER.headers(DELIVERY, now() - timedelta(minutes=6), BODY, [secret]))
    with pytest.raises(WebhookVerificationError, match="too old"):
        Reader(secret).verify(BODY, headers)


def test_a_secret_is_another_for_each_key_webhook_and_rotation() -> None:
    one, moment = webhook(), now()
    other = replace(one, webhook_id=WebhookId("webhook_2"))
    found = [
        secrets_of(one, "key", SIGNER, moment)[0],
        secrets_of(one, "another key", SIGNER, moment)[0],
        secrets_of(other, "key", SIGNER, moment)[0],
        secrets_of(rotated(one, moment), "key", SIGNER, moment)[0],
    ]
    assert len(set(found)) == 4
    assert secrets_of(one, "key", SIGNER, moment) == found[:1]


def test_the_former_secret_signs_for_a_day_after_a_rotation() -> None:
    one, moment = webhook(), now()
    after = rotated(one, moment)
    (former,) = secrets_of(one, "key", SIGNER, moment)
    assert secrets_of(after, "key", SIGNER, moment + timedelta(hours=23))[1] == former
    assert len(secrets_of(after, "key", SIGNER, moment + timedelta(hours=24))) == 1
