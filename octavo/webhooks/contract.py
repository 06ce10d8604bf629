"""What a dialect provides to sign its webhooks: the form of a secret, and a message's headers."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from octavo.identifiers import DeliveryId
from octavo.webhooks.records import Webhook


class Signer(Protocol):
    """Signs the messages of one dialect."""

    def secret(self, key: bytes) -> str:
        """Return a secret in the form given to the receiver, made from 32 bytes."""
        ...

    def headers(
        self, message_id: DeliveryId, moment: datetime, body: bytes, secrets: Sequence[str]
    ) -> Mapping[str, str]:
        """Return a message's headers: its id, its time, and one signature for each valid secret."""
        ...


def secrets_of(webhook: Webhook, master: str, signer: Signer, moment: datetime) -> list[str]:
    """Return the secrets that sign for a webhook now, the newest first.

    They are derived from the installation's key and stored nowhere, neither in the ledger nor in its archive.
    """
    numbers = [webhook.secret_no]
    if webhook.former_until is not None and moment < webhook.former_until:
        numbers.append(webhook.secret_no - 1)
    return [signer.secret(_derived(webhook, master, number)) for number in numbers]


def _derived(webhook: Webhook, master: str, number: int) -> bytes:
    message = f"webhook secret/{webhook.webhook_id}/{number}"
    return hmac.new(master.encode(), message.encode(), hashlib.sha256).digest()
