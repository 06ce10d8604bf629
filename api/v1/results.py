"""`/v1/batches/{id}/items/{id}/result`: an item's result, and renderings of it for people to read."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.http.auth import CustomerDep
from api.http.problems import problems
from api.http.stored_answer import AskedByPageDep, stored_answer
from api.http.use_cases import ResultsDep
from api.threads import in_thread
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
async def get_result(
    batch_id: str,
    item_id: str,
    customer: CustomerDep,
    results: ResultsDep,
    for_page: AskedByPageDep,
    format: Annotated[Literal["json", "markdown", "html"], Query()] = "json",
) -> Response:
    """Get the result: a redirect to a link that is valid for five minutes, or until the result expires.

    As `markdown` or `html`, or to a page of an allowed origin, the answer is the document itself, without a redirect.
    """
    ready = await in_thread(lambda: results.get(customer.customer_id, BatchId(batch_id), ItemId(item_id)))
    shown = shown_of(ready.batch)
    if format == "json":
        found = await in_thread(lambda: results.stored(ready, shown))
        return await stored_answer(results, found, for_page=for_page)
    return await in_thread(lambda: _readable(results, ready, shown, format))


def shown_of(batch: Batch) -> ExtractPage:
    """Return the JSON that a batch asked for."""
    return rendering_of(batch.options) if batch.dialect is Dialect.EXTRACT_PAGE else ExtractPage()


def _readable(results: Results, ready: ReadyItem, json: ExtractPage, format: str) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    shown: Rendering = Markdown(json.extract_text, json.extract_images)
    if format == "html":
        headers["Content-Security-Policy"] = PAGE_POLICY
        shown = Html(json.extract_text, json.extract_images, title=results.title(ready))
    return Response(results.render(ready, shown), media_type=shown.media_type, headers=headers)
