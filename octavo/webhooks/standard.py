"""Signatures by Standard Webhooks 1.0: HMAC-SHA256 over `id.timestamp.body`, prefixed with `v1`."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

from octavo.identifiers import DeliveryId

SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins


class StandardSigner:
    """The `Signer` of `/v1`."""

    def secret(self, key: bytes) -> str:
        return SECRET_PREFIX + base64.b64encode(key).decode()

    def headers(
        self, message_id: DeliveryId, moment: datetime, body: bytes, secrets: Sequence[str]
    ) -> Mapping[str, str]:
        timestamp = str(int(moment.timestamp()))
        signed = f"{message_id}.{timestamp}.".encode() + body
        return {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
        }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
