"""Webhooks, deliveries and attempts, as everybody sees them.

A webhook is an address of a customer's. A delivery is one message to one webhook; it is sent again, in attempts,
until the receiver takes it. A customer may have it sent anew at any time (a replay).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from octavo.batches import Batch, BatchStatus, Counts
from octavo.identifiers import BatchId, CustomerId, DeliveryId, WebhookId

PING = "webhook.ping"
"""A message about nothing, sent when its customer asks for it."""
BATCH_EVENTS = ("batch.completed", "batch.partially_failed", "batch.failed", "batch.cancelled")
"""What a webhook may ask to be told of: a batch has come to this end."""
V1 = "v1"
"""The dialect whose bodies and signatures a webhook gets."""
GONE = 410
"""With this status a receiver says that it wants no more, ever."""
ANSWER_CHARACTERS = 1000
"""How much of a receiver's answer is kept."""


def event_of(status: BatchStatus) -> str:
    """Return the event of a batch that has ended so."""
    return f"batch.{status.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address of a customer's, and what it is told of."""

    webhook_id: WebhookId
    customer_id: CustomerId
    url: str
    events: tuple[str, ...]
    enabled: bool
    created_at: datetime
    updated_at: datetime
    dialect: str = V1
    disabled_reason: str | None = None
    """Why the service itself has switched it off."""
    secret_no: int = 1
    """Which of its secrets signs: the secret itself is made of this and kept nowhere."""
    former_until: datetime | None = None
    """Until then the secret before that one signs as well."""


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Every attempt of the schedule was made, or the receiver is gone."""
    CANCELLED = "cancelled"
    """Its webhook was switched off, or its batch deleted, before the receiver took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnd:
    """What a batch came to when it ended; it may be reopened and end otherwise later."""

    batch_id: BatchId
    status: BatchStatus
    succeeded: int
    failed: int
    cancelled: int
    completed_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, batch: Batch) -> "BatchEnd":
        """Return the end of a batch. Raises ValueError for one that goes on."""
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
    """Attempts since it was made or last replayed."""
    next_attempt_at: datetime | None = None
    leased_until: datetime | None = None
    """Until then somebody is sending it; None when nobody is."""
    lease_no: int = 0
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One POST and what came of it."""

    attempt_no: int
    started_at: datetime
    seconds: float
    status_code: int | None
    """None when there was no answer."""
    error: str | None
    """Why there was none."""
    answer: str = ""
    """The beginning of the answer's body."""

    @property
    def has_succeeded(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.status_code is not None and 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """A worker's word about a delivery it holds; counts only under the delivery's current `lease_no`."""

    delivery_id: DeliveryId
    lease_no: int
    started_at: datetime
    seconds: float
    status_code: int | None = None
    error: str | None = None
    answer: str = ""

    def attempt(self, attempt_no: int) -> Attempt:
        """Return it as it is kept."""
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
    """A delivery that is to be sent now, and what of."""

    delivery: Delivery
    webhook: Webhook
    batch: Batch | None
    """As it was at its end; None for a ping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChange:
    """What is to be another; what is None stays."""

    url: str | None = None
    events: tuple[str, ...] | None = None
    enabled: bool | None = None
