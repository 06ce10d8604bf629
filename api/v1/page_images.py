"""`/v1/batches/{id}/items/{id}/pages/{n}/image`: an image of a page, rendered when first asked for."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.http.auth import CustomerDep
from api.http.long_poll import CLIENT_GONE, while_there
from api.http.problems import problems
from api.http.stored_answer import AskedByPageDep, stored_answer
from api.http.use_cases import PageImagesDep
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
from octavo.identifiers import BatchId, ItemId

router = APIRouter(prefix="/v1", tags=["v1", "async-batch"])


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
    page_images: PageImagesDep,
    request: Request,
    for_page: AskedByPageDep,
    width: Annotated[int, Query(ge=100, le=2400)] = 1000,
) -> Response:
    """Get a page of the document as an image, counted from 1, as wide as requested or the next step wider.

    It shows exactly the page of the result (`width` and `height` of its `pages`), turned the same way, so that boxes
    can be laid over it. The widths are 200, 400, 800, 1200, 1600 and 2400 pixels.
    """
    finding = page_images.find(customer.customer_id, BatchId(batch_id), ItemId(item_id), number, width)
    found = await while_there(request, finding)
    if found is None:
        return Response(status_code=CLIENT_GONE)
    return await stored_answer(page_images.results, found, for_page=for_page)
