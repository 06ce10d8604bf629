"""`/v1/batches/{id}/items/{id}/pages/{n}/image`: an image of a page, rendered when first asked for."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.http.auth import CustomerDep
from api.http.dependencies import Service, ServiceDep
from api.http.long_poll import CLIENT_GONE, while_there
from api.http.problems import problems
from api.threads import in_thread
from api.v1.results import link_seconds, seconds_left
from octavo.batches import Batch, FileStatus, Item, ItemStatus
from octavo.client.page_render_protocol import PageRenderTask
from octavo.errors import (
    BatchNotFound,
    CustomerDisabled,
    DrawingTimeout,
    InternalError,
    InvalidApiKey,
    ItemNotFound,
    NoPageImages,
    PageNotDrawn,
    RateLimited,
    ResultExpired,
    ResultNotReady,
    StorageUnavailable,
    UnknownFiles,
)
from octavo.identifiers import BatchId, CustomerId, ItemId, ResultId
from octavo.objects import keys

router = APIRouter(prefix="/v1", tags=["v1", "async-batch"])
WIDTHS = (200, 400, 800, 1200, 1600, 2400)
"""Widths in pixels; only a few, so that storage does not fill with variants."""
LOOK_SECONDS = 10.0


@router.get(
    "/batches/{batch_id}/items/{item_id}/pages/{number}/image",
    operation_id="get_page_image_v1",
    summary="Get Page Image Endpoint",
    response_class=Response,
    status_code=302,
    responses={
        302: {
            "description": "Redirect to a presigned storage GET for the image, a PNG.",
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **problems(
            InvalidApiKey,
            CustomerDisabled,
            BatchNotFound,
            ItemNotFound,
            UnknownFiles,
            ResultNotReady,
            ResultExpired,
            NoPageImages,
            PageNotDrawn,
            RateLimited,
            InternalError,
            StorageUnavailable,
            DrawingTimeout,
        ),
    },
)
async def get_page_image(
    batch_id: str,
    item_id: str,
    number: int,
    customer: CustomerDep,
    service: ServiceDep,
    request: Request,
    width: Annotated[int, Query(ge=100, le=2400)] = 1000,
) -> Response:
    """Get a page of the document as an image, counted from 1, as wide as requested or the next step wider.

    It shows exactly the page of the result (`width` and `height` of its `pages`), turned the same way, so that boxes
    can be laid over it. The widths are 200, 400, 800, 1200, 1600 and 2400 pixels.
    """
    step = next(step for step in WIDTHS if step >= width)
    batch, item = await in_thread(lambda: _item(service, customer.customer_id, batch_id, item_id))
    result_id = _result_id(batch, item)
    key = _key(batch, item, result_id, number, step)
    if not await in_thread(lambda: service.objects.sizes([key], time_limit_seconds=LOOK_SECONDS)):
        page = await in_thread(lambda: _asked(service, batch, item, result_id, key, number, step))
        if await while_there(request, service.page_renders.render(page, item.file_id)) is None:
            return Response(status_code=CLIENT_GONE)
    link = service.objects.presign_get(
        key,
        expires_seconds=link_seconds(seconds_left(batch, item), service.settings.storage.presign_get_seconds),
        content_type="image/png",
    )
    return RedirectResponse(link.url, status_code=302, headers={"Cache-Control": "no-store"})


def _item(service: Service, customer_id: CustomerId, batch_id: str, item_id: str) -> tuple[Batch, Item]:
    batch = service.ledger.batches.get(customer_id, BatchId(batch_id))
    return batch, service.ledger.batches.item(batch.batch_id, ItemId(item_id))


def _result_id(batch: Batch, item: Item) -> ResultId:
    """Return the result of an item that still has one. Raises ResultNotReady, ResultExpired."""
    if item.status is not ItemStatus.SUCCEEDED or item.result_id is None:
        raise ResultNotReady("Only a succeeded item has pages; see its status and error.", status=item.status.value)
    if seconds_left(batch, item) <= 0:
        raise ResultExpired("The retention of the result has ended; it was deleted with its page images.")
    return item.result_id


def _key(batch: Batch, item: Item, result_id: ResultId, number: int, step: int) -> str:
    if not 1 <= number <= (item.page_count or 0):
        raise ItemNotFound(f"The document has no page {number}; its pages are 1 to {item.page_count}.")
    return keys.drawn_page_key(batch.customer_id, result_id, number, step)


def _asked(
    service: Service, batch: Batch, item: Item, result_id: ResultId, key: str, number: int, step: int
) -> PageRenderTask:
    """Return the page as a worker is asked for it. Raises UnknownFiles when its file is gone."""
    file = service.ledger.files.find(batch.customer_id, [item.file_id]).get(item.file_id)
    if file is None or file.status is not FileStatus.READY:
        raise UnknownFiles(
            "The file was deleted or has expired, so no further pages of it can be rendered.", file_ids=[item.file_id]
        )
    return PageRenderTask(
        key=key,
        customer_id=batch.customer_id,
        result_id=result_id,
        page_no=number,
        width=step,
        seconds=service.settings.limits.drawing_seconds,
        object_key=file.object_key,
        size_bytes=file.size_bytes,
        filename=file.filename,
        content_type=file.content_type,
    )
