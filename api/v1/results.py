"""`/v1/batches/{id}/items/{id}/result`: the way to an item's result."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Response
from fastapi.responses import RedirectResponse

from api.auth import CustomerDep
from api.deps import ServiceDep
from api.problems import problems
from octavo.batches import ItemStatus
from octavo.errors import (
    BatchNotFound,
    CustomerDisabled,
    InvalidApiKey,
    ItemNotFound,
    ResultExpired,
    ResultNotReady,
)
from octavo.identifiers import BatchId, ItemId
from octavo.objects import keys
from octavo.timestamps import now

router = APIRouter(prefix="/v1", tags=["v1", "async-batch"])


@router.get(
    "/batches/{batch_id}/items/{item_id}/result",
    operation_id="get_batch_item_result_v1",
    summary="Get Batch Item Result Endpoint",
    response_class=Response,
    status_code=302,
    responses={
        200: {
            "description": "The result itself, after the redirect.",
            "content": {"application/json": {"schema": {}}},
        },
        302: {
            "description": "Redirect to a presigned storage GET for the result.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **problems(InvalidApiKey, CustomerDisabled, BatchNotFound, ItemNotFound, ResultNotReady, ResultExpired),
    },
)
def get_result(batch_id: str, item_id: str, customer: CustomerDep, service: ServiceDep) -> RedirectResponse:
    """Go to the result: a link that lives five minutes, or as long as the result if that is less."""
    batch = service.ledger.batch(customer.customer_id, BatchId(batch_id))
    item = service.ledger.item(batch.batch_id, ItemId(item_id))
    if item.status is not ItemStatus.SUCCEEDED or item.result_id is None or item.completed_at is None:
        raise ResultNotReady(
            "Only an item that has succeeded has a result; see its status and error.",
            status=item.status.value,
        )
    expires_at = item.completed_at + timedelta(seconds=batch.retention_seconds)
    link = service.objects.presign_get(
        keys.result_key(customer.customer_id, item.result_id, "extract-page.json"),
        expires_seconds=link_seconds(expires_at, service.settings.storage.presign_get_seconds),
        content_type="application/json",
    )
    return RedirectResponse(link.url, status_code=302, headers={"Cache-Control": "no-store"})


def link_seconds(expires_at: datetime, longest: int) -> int:
    """Return how long a link to a result may live: no longer than the result. Raises ResultExpired."""
    left = (expires_at - now()).total_seconds()
    if left <= 0:
        raise ResultExpired("The result was kept until its retention ended and is gone; submit the file again.")
    return max(1, min(longest, int(left)))
