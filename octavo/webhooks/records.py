"""Records of webhooks, deliveries and attempts.

A webhook is a customer's address. A delivery is one message to one webhook, sent in attempts until the receiver
accepts it. A customer may have it sent again at any time (a replay).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from octavo.batches import Batch, BatchStatus, Counts
from octavo.identifiers import BatchId, CustomerId, DeliveryId, WebhookId

PING = "webhook.ping"
"""A test message, sent on the customer's request."""
BATCH_EVENTS = ("batch.completed", "batch.partially_failed", "batch.failed", "batch.cancelled")
"""The events a webhook can subscribe to: a batch has ended this way."""
V1 = "v1"
"""The dialect that determines a webhook's bodies and signatures."""
GONE = 410
"""The status with which a receiver declines all further messages."""
ANSWER_CHARACTERS = 1000
"""How many characters of a receiver's answer are kept."""


def event_of(status: BatchStatus) -> str:
    """Return the event for a batch that has ended this way."""
    return f"batch.{status.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A customer's address and its subscribed events."""

    webhook_id: WebhookId
    customer_id: CustomerId
    url: str
    events: tuple[str, ...]
    enabled: bool
    created_at: datetime
    updated_at: datetime
    dialect: str = V1
    disabled_reason: str | None = None
    """Why the service itself has disabled it."""
    secret_no: int = 1
    """Number of the secret that signs; the secret is derived from it and stored nowhere."""
    former_until: datetime | None = None
    """Until then the previous secret signs as well."""


class DeliveryStatus(StrEnum):
    """The status of a delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every scheduled attempt was made, or the receiver is gone."""
    CANCELLED = "cancelled"
    """Its webhook was disabled, or its batch deleted, before the receiver accepted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnd:
    """How a batch ended; it may be reopened and end differently later."""

    batch_id: BatchId
    status: BatchStatus
    succeeded: int
    failed: int
    cancelled: int
    completed_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, batch: Batch) -> "BatchEnd":
        """Return the end of a batch. Raises ValueError for one that has not ended."""
        if batch.completed_at is None:
            raise ValueError(f"{batch.batch_id} has not ended")
        return cls(
            batch_id=batch.batch_id,
            status=batch.status,
            succeeded=batch.counts.succeeded,
            failed=batch.counts.failed,
            cancelled=batch.counts.cancelled,
            completed_at=batch.completed_at,
            expires_at=batch.expires_at,
        )

    def applied_to(self, batch: Batch) -> Batch:
        """Return the batch as it was at this end."""
        return replace(
            batch,
            status=self.status,
            counts=Counts(succeeded=self.succeeded, failed=self.failed, cancelled=self.cancelled),
            completed_at=self.completed_at,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one webhook."""

    delivery_id: DeliveryId
    webhook_id: WebhookId
    customer_id: CustomerId
    event: str
    end: BatchEnd | None
    """None for a ping."""
    created_at: datetime
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    schedule_no: int = 0
    """Attempts since it was created or last replayed."""
    next_attempt_at: datetime | None = None
    leased_until: datetime | None = None
    """Until then a worker is sending it; None if none is."""
    lease_no: int = 0
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST and its outcome."""

    attempt_no: int
    started_at: datetime
    seconds: float
    status_code: int | None
    """None if there was no answer."""
    error: str | None
    """Why there was no answer."""
    answer: str = ""
    """The beginning of the answer's body."""

    @property
    def has_succeeded(self) -> bool:
        """Whether the receiver has accepted the message."""
        return self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """A worker's report about a delivery it holds; valid only under the delivery's current `lease_no`."""

    delivery_id: DeliveryId
    lease_no: int
    started_at: datetime
    seconds: float
    status_code: int | None = None
    error: str | None = None
    answer: str = ""

    def attempt(self, attempt_no: int) -> Attempt:
        """Return it as it is stored."""
        return Attempt(
            attempt_no=attempt_no,
            started_at=self.started_at,
            seconds=self.seconds,
            status_code=self.status_code,
            error=self.error,
            answer=self.answer[:ANSWER_CHARACTERS],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """A delivery to be sent now, with its webhook and batch."""

    delivery: Delivery
    webhook: Webhook
    batch: Batch | None
    """As it was at its end; None for a ping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChange:
    """Fields to change; those that are None stay."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    enabled: bool | None = None
