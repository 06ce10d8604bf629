"""What a webhook is sent: composed and signed in the dialect it was made in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from octavo.client.delivery_protocol import Outgoing
from octavo.webhooks.contract import Signer, secrets_of
from octavo.webhooks.records import DueDelivery, Webhook


@dataclass(frozen=True, slots=True)
class WebhookDialect:
    """How one dialect of the API speaks to webhooks."""

    signer: Signer
    body: Callable[[DueDelivery], bytes]


@dataclass(frozen=True, slots=True)
class WebhookMessages:
    """Composes messages and secrets for the webhooks of every dialect."""

    dialects: Mapping[str, WebhookDialect]
    key: str
    """What all signing secrets are derived from."""

    def outgoing(self, due: DueDelivery, *, moment: datetime, seconds: float) -> Outgoing:
        """Return the POST of a delivery, signed as of now; `seconds` is how long it may take."""
        dialect, delivery = self.dialects[due.webhook.dialect], due.delivery
        body = dialect.body(due)
        secrets = secrets_of(due.webhook, self.key, dialect.signer, moment)
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

    def secret(self, webhook: Webhook, moment: datetime) -> str:
        """Return the secret of a webhook, as its receiver needs it."""
        return secrets_of(webhook, self.key, self.dialects[webhook.dialect].signer, moment)[0]
