"""What a webhook is told, composed and signed in the dialect it was made in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from api.v1 import events
from octavo.client.delivery_protocol import Outgoing
from octavo.webhooks.contract import Signer, secrets_of
from octavo.webhooks.records import V1, DueDelivery, Webhook
from octavo.webhooks.standard import StandardSigner


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one dialect of the API speaks to webhooks."""

    signer: Signer
    body: Callable[[DueDelivery], bytes]


DIALECTS: Mapping[str, Dialect] = {V1: Dialect(StandardSigner(), events.body)}


def outgoing(due: DueDelivery, *, key: str, moment: datetime, seconds: float) -> Outgoing:
    """Return the POST of a delivery, signed as of now; `key` is what all secrets are made of."""
    dialect, delivery = DIALECTS[due.webhook.dialect], due.delivery
    body = dialect.body(due)
    secrets = secrets_of(due.webhook, key, dialect.signer, moment)
    headers = dialect.signer.headers(delivery.delivery_id, moment, body, secrets)
    return Outgoing(
        delivery_id=delivery.delivery_id,
        lease_no=delivery.lease_no,
        event=delivery.event,
        url=due.webhook.url,
        headers={"Content-Type": "application/json", **headers},
        body=body.decode(),
        seconds=seconds,
    )


def secret(webhook: Webhook, *, key: str, moment: datetime) -> str:
    """Return the secret of a webhook, as its receiver needs it."""
    return secrets_of(webhook, key, DIALECTS[webhook.dialect].signer, moment)[0]
