"""`/v1/batches`: submit, watch, cancel."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from api.http.auth import CustomerDep
from api.http.dependencies import Service, ServiceDep
from api.http.json_bodies import StrictJsonRoute
from api.http.json_response import json_response
from api.http.long_poll import LONGEST_WAIT_SECONDS
from api.http.problems import problems
from api.http.quota import require_pages
from api.threads import in_thread
from api.v1.batch_bodies import batch_body, item_bodies
from api.v1.rate_limits import BatchSubmission
from api.v1.schemas import (
    BatchDetail,
    BatchListResponse,
    BatchResource,
    CreateBatchRequest,
)
from octavo import cursors
from octavo.batch_options import BatchOptions
from octavo.batches import BatchStatus, Customer, NewBatch, NewItem
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
from octavo.identifiers import BatchId, FileId, ItemId, new_batch_id
from octavo.ledger.contract import BatchCursor, ItemCursor

router = APIRouter(prefix="/v1/batches", tags=["v1", "async-batch"], route_class=StrictJsonRoute)
MAX_KEY_CHARACTERS = 255
MAX_METADATA_BYTES = 64 * 1024
MAX_METADATA_DEPTH = 32
STORAGE_CHECK_SECONDS = 30.0


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
    service: ServiceDep,
    idempotency_key: Annotated[str | None, Header()] = None,
) -> BatchResource:
    """Submit staged files as one batch; the same `Idempotency-Key` within 24 hours returns the same batch."""
    new = _new_batch(request, customer, service, idempotency_key)
    if idempotency_key is not None:
        replayed = service.ledger.batches.replay(customer.customer_id, idempotency_key, new.body_digest)
        if replayed is not None:
            return BatchResource(**batch_body(service.estimates, customer, replayed))
    require_pages(service, customer)
    _mark_uploaded(service, customer, new.file_ids)
    batch, created = service.ledger.batches.create(new)
    if created:
        service.dispatcher.start(batch.batch_id)
    return BatchResource(**batch_body(service.estimates, customer, batch))


def _new_batch(
    request: CreateBatchRequest, customer: Customer, service: Service, idempotency_key: str | None
) -> NewBatch:
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= MAX_KEY_CHARACTERS:
        raise InvalidIdempotencyKey(f"An Idempotency-Key must have 1 to {MAX_KEY_CHARACTERS} characters.")
    _check_metadata(request.metadata)
    engine = service.engines.resolve(request.engine)
    body = json.dumps(request.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return NewBatch(
        batch_id=new_batch_id(),
        customer_id=customer.customer_id,
        items=NewItem.of_files(FileId(file_id) for file_id in request.source.file_ids),
        engine=request.engine,
        options=BatchOptions.of_values(
            {
                "extract_text": request.extract_text,
                "extract_images": request.extract_images,
                "ocr": request.ocr,
                "engine": engine.name,
                "engine_version": engine.version,
            }
        ),
        metadata=request.metadata,
        retention_seconds=service.retention_seconds(customer),
        idempotency_key=idempotency_key,
        body_digest=hashlib.sha256(body.encode()).hexdigest(),
    )


def _check_metadata(metadata: dict[str, Any] | None) -> None:
    level: list[Any] = [metadata]
    for _ in range(MAX_METADATA_DEPTH):
        level = [
            inner
            for value in level
            if isinstance(value, dict | list)
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    is_deeper = any(isinstance(value, dict | list) for value in level)
    if is_deeper or len(_compact(metadata)) > MAX_METADATA_BYTES:
        raise MetadataTooLarge(
            f"Metadata may have {MAX_METADATA_BYTES} bytes as JSON and {MAX_METADATA_DEPTH} levels; keep the rest "
            "on your side under an id."
        )


def _compact(metadata: dict[str, Any] | None) -> bytes:
    """Return metadata as the shortest JSON a client can send it in."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()


def _mark_uploaded(service: Service, customer: Customer, file_ids: tuple[FileId, ...]) -> None:
    """Look up in storage the files whose upload has not been seen yet; clients need not confirm uploads."""
    pending = {file.object_key: file for file in service.ledger.files.pending(customer.customer_id, file_ids)}
    if pending:
        seen = service.objects.sizes(list(pending), time_limit_seconds=STORAGE_CHECK_SECONDS)
        service.ledger.files.mark_ready(
            [pending[key].file_id for key, size in seen.items() if size == pending[key].size_bytes]
        )


@router.get(
    "",
    operation_id="list_batches_v1",
    summary="List Batches Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, InvalidStatus, InvalidCursor),
)
def list_batches(
    customer: CustomerDep,
    service: ServiceDep,
    status: str | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> BatchListResponse:
    """List batches, newest first."""
    scope = f"batches:{customer.customer_id}"
    after = None
    if cursor is not None:
        created_at, batch_id = cursors.decode(scope, cursor)
        after = BatchCursor(created_at, BatchId(batch_id))
    found = service.ledger.batches.of_customer(
        customer.customer_id, status=_status(status), after=after, limit=limit + 1
    )
    page = found[:limit]
    more = cursors.encode(scope, page[-1].created_at, page[-1].batch_id) if len(found) > limit else None
    return BatchListResponse(
        data=[BatchResource(**batch_body(service.estimates, customer, batch)) for batch in page], next_cursor=more
    )


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
    service: ServiceDep,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)] = 0,
) -> Response:
    """Get a batch and those of its items that have changed since the cursor, oldest change first.

    With `wait`, the answer comes as soon as there is such an item or the batch has ended, at the latest after
    that many seconds.
    """
    after = _place(batch_id, cursor)

    async def look() -> tuple[Response, bool]:
        return await in_thread(lambda: _detail(service, customer, BatchId(batch_id), after, cursor, limit))

    if wait:
        return await service.long_polls.until_news(
            request, lambda tell: service.ledger.batches.watch(BatchId(batch_id), tell), look, wait
        )
    return (await look())[0]


def _place(batch_id: str, cursor: str | None) -> ItemCursor | None:
    if cursor is None:
        return None
    updated_at, item_id = cursors.decode(batch_id, cursor)
    return ItemCursor(updated_at, ItemId(item_id))


def _detail(
    service: Service, customer: Customer, batch_id: BatchId, after: ItemCursor | None, cursor: str | None, limit: int
) -> tuple[Response, bool]:
    """Return a batch with a page of its items, and whether that is worth an answer to one who waits."""
    batch = service.ledger.batches.get(customer.customer_id, batch_id)
    found = service.ledger.batches.items(batch.batch_id, after=after, limit=limit + 1)
    page = found[:limit]
    next_cursor = cursor
    if page:
        next_cursor = cursors.encode(batch_id, page[-1].updated_at, page[-1].item_id)
    if len(found) <= limit and batch.status.is_terminal:
        next_cursor = None  # nothing more can come
    items = item_bodies(service.estimates, customer, page)
    body = {**batch_body(service.estimates, customer, batch), "items": items, "next_cursor": next_cursor}
    return json_response(body), bool(page) or batch.status.is_terminal


@router.post(
    "/{batch_id}/cancel",
    operation_id="cancel_batch_v1",
    summary="Cancel Batch Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, BatchNotFound),
)
def cancel_batch(batch_id: str, customer: CustomerDep, service: ServiceDep) -> BatchResource:
    """Cancel pending items; running items finish, and a batch that has ended stays as it is."""
    batch = service.ledger.batches.cancel(customer.customer_id, BatchId(batch_id))
    return BatchResource(**batch_body(service.estimates, customer, batch))
