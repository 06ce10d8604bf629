"""Bodies of `/v1` webhook events."""

from typing import Any

from pydantic import BaseModel, Field

from api.v1.schemas import BatchResource, batch_fields
from octavo.service.webhook_messages import WebhookDialect
from octavo.timestamps import to_wire
from octavo.webhooks.records import DueDelivery
from octavo.webhooks.standard import StandardSigner


class Pinged(BaseModel):
    """The subject of a ping: the webhook itself."""

    object: str = "webhook"
    id: str


class Event(BaseModel):
    """The body of a POST to a webhook."""

    type: str = Field(description="`batch.completed` and the other ends, or `webhook.ping`.")
    timestamp: str = Field(description="When it happened; the same in every attempt.")
    data: dict[str, Any] = Field(description="The batch as it was when it ended.")


def body(due: DueDelivery) -> bytes:
    """Return the body of a delivery: the same bytes in every attempt."""
    data: BaseModel = Pinged(id=due.webhook.webhook_id)
    if due.batch is not None:
        data = BatchResource(**batch_fields(due.batch))
    event = Event(
        type=due.delivery.event, timestamp=to_wire(due.delivery.created_at), data=data.model_dump(mode="json")
    )
    return event.model_dump_json().encode()


WEBHOOKS = WebhookDialect(StandardSigner(), body)
