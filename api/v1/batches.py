"""`/v1/batches`: submit, watch, cancel."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from api.http.auth import CustomerDep
from api.http.dependencies import LongPollsDep
from api.http.json_bodies import StrictJsonRoute
from api.http.json_response import json_response
from api.http.long_poll import LONGEST_WAIT_SECONDS
from api.http.problems import problems
from api.http.use_cases import BatchesDep, EstimatesDep, SubmissionDep
from api.threads import in_thread
from api.v1.rate_limits import BatchSubmission
from api.v1.schemas import (
    BatchDetail,
    BatchListResponse,
    BatchResource,
    CreateBatchRequest,
    batch_body,
    item_bodies,
)
from octavo.batch_options import ExtractPageOptions
from octavo.batches import BatchStatus, Customer, NewItem
from octavo.errors import (
    BatchNotFound,
    CustomerDisabled,
    FilesNotUploaded,
    IdempotencyKeyReused,
    InvalidApiKey,
    InvalidCursor,
    InvalidIdempotencyKey,
    InvalidStatus,
    MetadataTooLarge,
    QuotaExceeded,
    RateLimited,
    StorageUnavailable,
    UnknownEngine,
    UnknownFiles,
)
from octavo.identifiers import BatchId, FileId
from octavo.service.batches import BatchState
from octavo.service.estimates import Estimates
from octavo.service.submission import BatchRequest

router = APIRouter(prefix="/v1/batches", tags=["v1", "async-batch"], route_class=StrictJsonRoute)


@router.post(
    "",
    operation_id="create_batch_v1",
    summary="Create Batch Endpoint",
    dependencies=[BatchSubmission],
    responses=problems(
        InvalidApiKey,
        CustomerDisabled,
        RateLimited,
        QuotaExceeded,
        UnknownFiles,
        FilesNotUploaded,
        IdempotencyKeyReused,
        InvalidIdempotencyKey,
        UnknownEngine,
        MetadataTooLarge,
        StorageUnavailable,
    ),
)
def create_batch(
    request: CreateBatchRequest,
    customer: CustomerDep,
    submission: SubmissionDep,
    estimates: EstimatesDep,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> BatchResource:
    """Submit staged files as one batch; the same `Idempotency-Key` within 24 hours returns the same batch."""
    batch = submission.submit(customer, _batch_request(request, idempotency_key))
    return BatchResource(**batch_body(estimates, customer, batch))


def _batch_request(request: CreateBatchRequest, idempotency_key: str | None) -> BatchRequest:
    return BatchRequest(
        items=NewItem.of_files(FileId(file_id) for file_id in request.source.file_ids),
        engine=request.engine,
        shown=ExtractPageOptions(
            extract_text=request.extract_text, extract_images=request.extract_images, ocr=request.ocr
        ),
        metadata=request.metadata,
        idempotency_key=idempotency_key,
        body=lambda: request.model_dump(mode="json"),
    )


@router.get(
    "",
    operation_id="list_batches_v1",
    summary="List Batches Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, InvalidStatus, InvalidCursor),
)
def list_batches(
    customer: CustomerDep,
    batches: BatchesDep,
    estimates: EstimatesDep,
    status: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> BatchListResponse:
    """List batches, newest first."""
    page = batches.page(customer, _status(status), cursor, limit)
    data = [BatchResource(**batch_body(estimates, customer, batch)) for batch in page.batches]
    return BatchListResponse(data=data, next_cursor=page.next_cursor)


def _status(name: str | None) -> BatchStatus | None:
    known = [status.value for status in BatchStatus]
    if name is not None and name not in known:
        raise InvalidStatus(f"There is no batch status {name!r}; use one of {', '.join(known)}.", statuses=known)
    return None if name is None else BatchStatus(name)


@router.get(
    "/{batch_id}",
    operation_id="get_batch_v1",
    response_model=BatchDetail,
    summary="Get Batch Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, BatchNotFound, InvalidCursor),
)
async def get_batch(
    request: Request,
    batch_id: str,
    customer: CustomerDep,
    batches: BatchesDep,
    estimates: EstimatesDep,
    long_polls: LongPollsDep,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)] = 0,
) -> Response:
    """Get a batch and those of its items that have changed since the cursor, oldest change first.

    With `wait`, the answer comes as soon as there is such an item or the batch has ended, at the latest after
    that many seconds.
    """
    wanted = BatchId(batch_id)

    def answer() -> tuple[Response, bool]:
        state = batches.state(customer.customer_id, wanted, cursor, limit)
        return json_response(_detail(estimates, customer, state)), state.is_news

    async def look() -> tuple[Response, bool]:
        return await in_thread(answer)

    if wait:
        return await long_polls.until_news(request, lambda tell: batches.watch(wanted, tell), look, wait)
    return (await look())[0]


def _detail(estimates: Estimates, customer: Customer, state: BatchState) -> dict[str, Any]:
    """Return a batch with a page of its items."""
    items = item_bodies(estimates, customer, state.items)
    return {**batch_body(estimates, customer, state.batch), "items": items, "next_cursor": state.next_cursor}


@router.post(
    "/{batch_id}/cancel",
    operation_id="cancel_batch_v1",
    summary="Cancel Batch Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, BatchNotFound),
)
def cancel_batch(batch_id: str, customer: CustomerDep, batches: BatchesDep, estimates: EstimatesDep) -> BatchResource:
    """Cancel pending items; running items finish, and a batch that has ended stays as it is."""
    return BatchResource(**batch_body(estimates, customer, batches.cancel(customer, BatchId(batch_id))))
