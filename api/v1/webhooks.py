"""`/v1/webhooks`: addresses that get a message when a batch ends, and what was sent to them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.http.auth import AddressesAllowed, CustomerDep
from api.http.json_bodies import StrictJsonRoute
from api.http.problems import problems
from api.http.use_cases import WebhooksDep
from api.v1.rate_limits import Ping, Replay
from octavo.errors import (
    CustomerDisabled,
    DeliveryNotFound,
    InvalidApiKey,
    InvalidCursor,
    RateLimited,
    TooManyWebhooks,
    UploadsOnly,
    UrlNotAllowed,
    WebhookDisabled,
    WebhookNotFound,
)
from octavo.identifiers import DeliveryId, WebhookId
from octavo.service.webhooks import DeliveryRecord
from octavo.timestamps import to_wire
from octavo.webhooks.records import BATCH_EVENTS, Webhook

router = APIRouter(prefix="/v1/webhooks", tags=["v1", "webhooks"], route_class=StrictJsonRoute)
EventName = Literal["batch.completed", "batch.partially_failed", "batch.failed", "batch.cancelled"]
Events = Annotated[
    list[EventName],
    Field(min_length=1, max_length=len(BATCH_EVENTS), description="Events to send; all four by default."),
]
Url = Annotated[
    str, Field(min_length=1, max_length=2048, description="https, or a private address that the operator has listed.")
]


class CreateWebhookRequest(BaseModel):
    """A webhook to create."""

    url: Url
    events: Events = Field(default_factory=lambda: list(BATCH_EVENTS))  # type: ignore[arg-type]
    enabled: Annotated[bool, Field(strict=True)] = True


class ChangeWebhookRequest(BaseModel):
    """Fields to change; those left out, or null, stay."""

    model_config = ConfigDict(extra="forbid")

    url: Url | None = None
    events: Events | None = None
    enabled: Annotated[bool, Field(strict=True)] | None = None


class WebhookResource(BaseModel):
    """A webhook."""

    object: str = "webhook"
    id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_reason: str | None = Field(None, description="Why the service itself has disabled it.")
    created_at: str
    updated_at: str
    former_secret_until: str | None = Field(
        None, description="Until then messages are also signed with the secret before the rotation."
    )


class WebhookWithSecret(WebhookResource):
    """A webhook and its secret, which is shown only once."""

    secret: str = Field(description="`whsec_` and base64, as in Standard Webhooks.")


class WebhookListResponse(BaseModel):
    """All webhooks of a customer, oldest first."""

    object: str = "list"
    data: list[WebhookResource]


class DeletedWebhook(BaseModel):
    """A deleted webhook."""

    object: str = "webhook"
    id: str
    deleted: bool = True


class AttemptResource(BaseModel):
    """One POST and its outcome."""

    attempt: int
    started_at: str
    seconds: float
    status_code: int | None = Field(None, description="Null if there was no answer.")
    error: str | None = Field(None, description="Why there was no answer.")
    answer: str = Field(description="The beginning of the answer's body.")


class DeliveryResource(BaseModel):
    """One message to one webhook."""

    object: str = "webhook_delivery"
    id: str = Field(description="Also the `webhook-id` header, the same in every attempt.")
    webhook_id: str
    event: str
    batch_id: str | None = None
    status: str = Field(description="`pending`, `delivered`, `failed` or `cancelled`.")
    created_at: str
    completed_at: str | None = None
    next_attempt_at: str | None = None
    attempts: list[AttemptResource]


class DeliveryListResponse(BaseModel):
    """A page of a webhook's deliveries, newest first."""

    object: str = "list"
    data: list[DeliveryResource]
    next_cursor: str | None = None


@router.post(
    "",
    operation_id="create_webhook_v1",
    summary="Create Webhook Endpoint",
    dependencies=[AddressesAllowed],
    responses=problems(InvalidApiKey, CustomerDisabled, UploadsOnly, TooManyWebhooks, UrlNotAllowed),
)
def create_webhook(request: CreateWebhookRequest, customer: CustomerDep, webhooks: WebhooksDep) -> WebhookWithSecret:
    """Register an address to get a message when a batch ends; the answer shows its signing secret, once."""
    made, secret = webhooks.create(customer, request.url, request.events, enabled=request.enabled)
    return WebhookWithSecret(**_fields(made), secret=secret)


@router.get(
    "",
    operation_id="list_webhooks_v1",
    summary="List Webhooks Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled),
)
def list_webhooks(customer: CustomerDep, webhooks: WebhooksDep) -> WebhookListResponse:
    """List webhooks, oldest first."""
    found = webhooks.of_customer(customer)
    return WebhookListResponse(data=[WebhookResource(**_fields(webhook)) for webhook in found])


@router.get(
    "/{webhook_id}",
    operation_id="get_webhook_v1",
    summary="Get Webhook Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, WebhookNotFound),
)
def get_webhook(webhook_id: str, customer: CustomerDep, webhooks: WebhooksDep) -> WebhookResource:
    """Get a webhook; its secret is not shown again."""
    return WebhookResource(**_fields(webhooks.get(customer, WebhookId(webhook_id))))


@router.patch(
    "/{webhook_id}",
    operation_id="update_webhook_v1",
    summary="Update Webhook Endpoint",
    dependencies=[AddressesAllowed],
    responses=problems(InvalidApiKey, CustomerDisabled, UploadsOnly, WebhookNotFound, UrlNotAllowed),
)
def update_webhook(
    webhook_id: str, request: ChangeWebhookRequest, customer: CustomerDep, webhooks: WebhooksDep
) -> WebhookResource:
    """Change a webhook; disabling it cancels what was still to be sent."""
    changed = webhooks.update(customer, WebhookId(webhook_id), request.url, request.events, request.enabled)
    return WebhookResource(**_fields(changed))


@router.delete(
    "/{webhook_id}",
    operation_id="delete_webhook_v1",
    summary="Delete Webhook Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, WebhookNotFound),
)
def delete_webhook(webhook_id: str, customer: CustomerDep, webhooks: WebhooksDep) -> DeletedWebhook:
    """Delete a webhook with the record of everything sent to it."""
    webhooks.delete(customer, WebhookId(webhook_id))
    return DeletedWebhook(id=webhook_id)


@router.post(
    "/{webhook_id}/rotate",
    operation_id="rotate_webhook_v1",
    summary="Rotate Webhook Secret Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, WebhookNotFound),
)
def rotate_webhook(webhook_id: str, customer: CustomerDep, webhooks: WebhooksDep) -> WebhookWithSecret:
    """Give a webhook a new secret; for 24 hours messages are signed with both."""
    rotated, secret = webhooks.rotate_secret(customer, WebhookId(webhook_id))
    return WebhookWithSecret(**_fields(rotated), secret=secret)


@router.post(
    "/{webhook_id}/ping",
    operation_id="ping_webhook_v1",
    summary="Ping Webhook Endpoint",
    dependencies=[Ping],
    responses=problems(InvalidApiKey, CustomerDisabled, RateLimited, WebhookNotFound, WebhookDisabled),
)
def ping_webhook(webhook_id: str, customer: CustomerDep, webhooks: WebhooksDep) -> DeliveryResource:
    """Send a test message, whatever events the webhook subscribes to."""
    return _resource(webhooks.ping(customer, WebhookId(webhook_id)))


@router.get(
    "/{webhook_id}/deliveries",
    operation_id="list_webhook_deliveries_v1",
    summary="List Webhook Deliveries Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, WebhookNotFound, InvalidCursor),
)
def list_deliveries(
    webhook_id: str,
    customer: CustomerDep,
    webhooks: WebhooksDep,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryListResponse:
    """List what was sent to a webhook, newest first, with every attempt."""
    page = webhooks.delivery_page(customer, WebhookId(webhook_id), cursor, limit)
    return DeliveryListResponse(data=[_resource(record) for record in page.deliveries], next_cursor=page.next_cursor)


@router.get(
    "/deliveries/{delivery_id}",
    operation_id="get_webhook_delivery_v1",
    summary="Get Webhook Delivery Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, DeliveryNotFound),
)
def get_delivery(delivery_id: str, customer: CustomerDep, webhooks: WebhooksDep) -> DeliveryResource:
    """Get one delivery with every attempt."""
    return _resource(webhooks.delivery(customer, DeliveryId(delivery_id)))


@router.post(
    "/deliveries/{delivery_id}/replay",
    operation_id="replay_webhook_delivery_v1",
    summary="Replay Webhook Delivery Endpoint",
    dependencies=[Replay],
    responses=problems(InvalidApiKey, CustomerDisabled, RateLimited, DeliveryNotFound, WebhookDisabled),
)
def replay_delivery(delivery_id: str, customer: CustomerDep, webhooks: WebhooksDep) -> DeliveryResource:
    """Send a delivery again, now and then by the whole schedule, under the same `webhook-id`."""
    return _resource(webhooks.replay(customer, DeliveryId(delivery_id)))


def _fields(webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.webhook_id,
        "url": webhook.url,
        "events": list(webhook.events),
        "enabled": webhook.enabled,
        "disabled_reason": webhook.disabled_reason,
        "created_at": to_wire(webhook.created_at),
        "updated_at": to_wire(webhook.updated_at),
        "former_secret_until": _wire(webhook.former_until),
    }


def _resource(record: DeliveryRecord) -> DeliveryResource:
    delivery = record.delivery
    return DeliveryResource(
        id=delivery.delivery_id,
        webhook_id=delivery.webhook_id,
        event=delivery.event,
        batch_id=delivery.end.batch_id if delivery.end else None,
        status=delivery.status.value,
        created_at=to_wire(delivery.created_at),
        completed_at=_wire(delivery.completed_at),
        next_attempt_at=_wire(delivery.next_attempt_at),
        attempts=[
            AttemptResource(
                attempt=attempt.attempt_no,
                started_at=to_wire(attempt.started_at),
                seconds=attempt.seconds,
                status_code=attempt.status_code,
                error=attempt.error,
                answer=attempt.answer,
            )
            for attempt in record.attempts
        ],
    )


def _wire(moment: datetime | None) -> str | None:
    return None if moment is None else to_wire(moment)
