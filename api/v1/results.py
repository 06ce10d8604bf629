"""`/v1/batches/{id}/items/{id}/result`: the way to an item's result, and the same to read for people."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from api.http.auth import CustomerDep
from api.http.dependencies import Service, ServiceDep
from api.http.problems import problems
from octavo.batches import Batch, Item, ItemStatus
from octavo.documents import Document
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
from octavo.objects import keys
from octavo.objects.contract import ObjectMissing, ObjectTooLarge
from octavo.render.html import render_html
from octavo.render.markdown import render_markdown
from octavo.timestamps import now

router = APIRouter(prefix="/v1", tags=["v1", "async-batch"])
MAX_DOCUMENT_BYTES = 256 * 1024**2
MOST_FIGURES = 200
"""Figures that a page for people shows; the others are named."""
MOST_FIGURE_BYTES = 32 * 1024**2
"""Of all of them together."""
PAGE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""What a browser lets the page do: it shows text of strangers, from the address of the service."""


@router.get(
    "/batches/{batch_id}/items/{item_id}/result",
    operation_id="get_batch_item_result_v1",
    summary="Get Batch Item Result Endpoint",
    response_class=Response,
    status_code=302,
    responses={
        200: {
            "description": "The result itself: after the redirect, or as the format asked for.",
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
    """Go to the result: a link that lives five minutes, or as long as the result if that is less.

    As `markdown` or `html` the answer is the document itself, without a redirect.
    """
    batch = service.ledger.batches.get(customer.customer_id, BatchId(batch_id))
    item = service.ledger.batches.item(batch.batch_id, ItemId(item_id))
    if item.status is not ItemStatus.SUCCEEDED or item.result_id is None:
        raise ResultNotReady(
            "Only an item that has succeeded has a result; see its status and error.",
            status=item.status.value,
        )
    left = seconds_left(batch, item)
    if left <= 0:
        raise _expired()
    if format != "json":
        return _readable(service, batch, item, item.result_id, format)
    link = service.objects.presign_get(
        keys.result_key(customer.customer_id, item.result_id, "extract-page.json"),
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
    return ResultExpired("The result was kept until its retention ended and is gone; submit the file again.")


def _readable(
    service: Service, batch: Batch, item: Item, result_id: ResultId, kind: Literal["markdown", "html"]
) -> Response:
    document = _document(service, batch, result_id)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if kind == "markdown":
        return Response(render_markdown(document), media_type="text/markdown", headers=headers)
    file = service.ledger.files.find(batch.customer_id, [item.file_id]).get(item.file_id)
    title = (file.filename if file else None) or item.item_id
    page = render_html(document, _figures(service, batch, result_id, document), title=title)
    return Response(page, media_type="text/html", headers=headers | {"Content-Security-Policy": PAGE_POLICY})


def _document(service: Service, batch: Batch, result_id: ResultId) -> Document:
    """Return the document a result was made of, as much of it as the batch asked for. Raises ResultExpired."""
    key = keys.result_key(batch.customer_id, result_id, "document.json")
    try:
        document = Document.from_json(service.objects.read(key, max_bytes=MAX_DOCUMENT_BYTES))
    except ObjectMissing:
        raise _expired() from None
    if not batch.options.get("extract_text", True):
        document = replace(document, blocks=(), tables=())
    if not batch.options.get("extract_images", True):
        document = replace(document, figures=())
    return document


def _figures(service: Service, batch: Batch, result_id: ResultId, document: Document) -> list[bytes]:
    """Return the bytes of the figures by their index; empty for those that are not shown."""
    images = [b""] * (1 + max((figure.image_index for figure in document.figures), default=-1))
    left = MOST_FIGURE_BYTES
    for index in sorted({figure.image_index for figure in document.figures})[:MOST_FIGURES]:
        try:
            key = keys.result_image_key(batch.customer_id, result_id, index)
            images[index] = service.objects.read(key, max_bytes=left)
        except (ObjectMissing, ObjectTooLarge):
            continue
        left -= len(images[index])
    return images
