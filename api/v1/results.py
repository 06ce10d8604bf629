"""`/v1/batches/{id}/items/{id}/result`: an item's result, and renderings of it for people to read."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from api.http.auth import CustomerDep
from api.http.dependencies import Service, ServiceDep
from api.http.problems import problems
from octavo.batch_options import ExtractPageOptions
from octavo.batches import Batch, Item, ItemStatus
from octavo.errors import (
    BatchNotFound,
    CustomerDisabled,
    InvalidApiKey,
    ItemNotFound,
    ResultExpired,
    ResultNotReady,
    StorageUnavailable,
)
from octavo.identifiers import BatchId, ItemId, ResultId
from octavo.objects.contract import ObjectMissing
from octavo.render.registry import ExtractPage, Html, Markdown, Rendering
from octavo.results.renderings import StoredRenderings
from octavo.timestamps import now

router = APIRouter(prefix="/v1", tags=["v1", "async-batch"])
PAGE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""What a browser lets the page do: it shows strangers' text, from the address of the service."""


@router.get(
    "/batches/{batch_id}/items/{item_id}/result",
    operation_id="get_batch_item_result_v1",
    summary="Get Batch Item Result Endpoint",
    response_class=Response,
    status_code=302,
    responses={
        200: {
            "description": "The result itself, after the redirect or in the requested format.",
            "content": {
                "application/json": {"schema": {}},
                "text/markdown": {"schema": {"type": "string"}},
                "text/html": {"schema": {"type": "string"}},
            },
        },
        302: {
            "description": "Redirect to a presigned storage GET for the result.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **problems(
            InvalidApiKey,
            CustomerDisabled,
            BatchNotFound,
            ItemNotFound,
            ResultNotReady,
            ResultExpired,
            StorageUnavailable,
        ),
    },
)
def get_result(
    batch_id: str,
    item_id: str,
    customer: CustomerDep,
    service: ServiceDep,
    format: Annotated[Literal["json", "markdown", "html"], Query()] = "json",
) -> Response:
    """Get the result: a redirect to a link that is valid for five minutes, or until the result expires.

    As `markdown` or `html` the answer is the document itself, without a redirect.
    """
    batch = service.ledger.batches.get(customer.customer_id, BatchId(batch_id))
    item = service.ledger.batches.item(batch.batch_id, ItemId(item_id))
    if item.status is not ItemStatus.SUCCEEDED or item.result_id is None:
        raise ResultNotReady(
            "Only a succeeded item has a result; see its status and error.",
            status=item.status.value,
        )
    left = seconds_left(batch, item)
    if left <= 0:
        raise _expired()
    if format != "json":
        return _readable(service, batch, item, item.result_id, format)
    link = service.objects.presign_get(
        result_key(service, batch, item.result_id),
        expires_seconds=link_seconds(left, service.settings.storage.presign_get_seconds),
        content_type="application/json",
    )
    return RedirectResponse(link.url, status_code=302, headers={"Cache-Control": "no-store"})


def link_seconds(left: float, longest: int) -> int:
    """Return how long a link to a result may live that is kept for `left` seconds. Raises ResultExpired."""
    if left <= 0:
        raise _expired()
    return max(1, min(longest, int(left)))


def seconds_left(batch: Batch, item: Item) -> float:
    """Return how long the result of an item is still kept; nothing is left of one that has not ended."""
    if item.completed_at is None:
        return 0.0
    return (item.completed_at + timedelta(seconds=batch.retention_seconds) - now()).total_seconds()


def _expired() -> ResultExpired:
    return ResultExpired("The retention of the result has ended and it was deleted; submit the file again.")


def result_key(service: Service, batch: Batch, result_id: ResultId) -> str:
    """Return the key of the JSON that a batch asked for. Raises ResultExpired, StorageUnavailable."""
    renderings, shown = StoredRenderings(service.objects), _shown(batch)
    if shown == ExtractPage():
        # Written with every result since the first version, and never taken away before it.
        return renderings.key(batch.customer_id, result_id, shown)
    try:
        return renderings.provide(batch.customer_id, result_id, shown, engine=_engine(batch))
    except ObjectMissing:
        raise _expired() from None


def _shown(batch: Batch) -> ExtractPage:
    shown = batch.options.shown
    if not isinstance(shown, ExtractPageOptions):
        return ExtractPage()
    return ExtractPage(extract_text=shown.extract_text, extract_images=shown.extract_images)


def _engine(batch: Batch) -> str:
    return f"{batch.options.parse.engine} {batch.options.parse.engine_version}"


def _readable(
    service: Service, batch: Batch, item: Item, result_id: ResultId, kind: Literal["markdown", "html"]
) -> Response:
    asked = _shown(batch)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    shown: Rendering = Markdown(asked.extract_text, asked.extract_images)
    if kind == "html":
        file = service.ledger.files.find(batch.customer_id, [item.file_id]).get(item.file_id)
        shown = Html(asked.extract_text, asked.extract_images, title=(file.filename if file else None) or item.item_id)
        headers["Content-Security-Policy"] = PAGE_POLICY
    try:
        page = StoredRenderings(service.objects).make(batch.customer_id, result_id, shown, engine=_engine(batch))
    except ObjectMissing:
        raise _expired() from None
    return Response(page, media_type=shown.media_type, headers=headers)
