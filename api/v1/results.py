"""`/v1/batches/{id}/items/{id}/result`: an item's result, and renderings of it for people to read."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from api.http.auth import CustomerDep
from api.http.problems import problems
from api.http.use_cases import ResultsDep
from octavo.batch_options import Dialect
from octavo.batches import Batch
from octavo.errors import (
    BatchNotFound,
    CustomerDisabled,
    InvalidApiKey,
    ItemNotFound,
    ResultExpired,
    ResultNotReady,
    StorageUnavailable,
)
from octavo.identifiers import BatchId, ItemId
from octavo.render.registry import ExtractPage, Html, Markdown, Rendering, rendering_of
from octavo.service.results import ReadyItem, Results

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
    results: ResultsDep,
    format: Annotated[Literal["json", "markdown", "html"], Query()] = "json",
) -> Response:
    """Get the result: a redirect to a link that is valid for five minutes, or until the result expires.

    As `markdown` or `html` the answer is the document itself, without a redirect.
    """
    ready = results.get(customer.customer_id, BatchId(batch_id), ItemId(item_id))
    shown = shown_of(ready.batch)
    if format == "json":
        return redirect(results.link(ready, shown))
    if format == "markdown":
        return _readable(results, ready, Markdown(shown.extract_text, shown.extract_images))
    page = Html(shown.extract_text, shown.extract_images, title=results.title(ready))
    return _readable(results, ready, page, **{"Content-Security-Policy": PAGE_POLICY})


def redirect(link: str) -> RedirectResponse:
    """Return the way to an object in storage; nobody keeps it, as the link ends."""
    return RedirectResponse(link, status_code=302, headers={"Cache-Control": "no-store"})


def shown_of(batch: Batch) -> ExtractPage:
    """Return the JSON that a batch asked for."""
    return rendering_of(batch.options) if batch.dialect is Dialect.EXTRACT_PAGE else ExtractPage()


def _readable(results: Results, ready: ReadyItem, shown: Rendering, **fields: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **fields}
    return Response(results.render(ready, shown), media_type=shown.media_type, headers=headers)
