"""`/v1/batches/{id}/retry_failed`: let what failed run again."""

from typing import Annotated, Literal, Self, get_args

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from api.http.auth import CustomerDep
from api.http.dependencies import ServiceDep
from api.http.json_bodies import StrictJsonRoute
from api.http.problems import problems
from api.http.quota import require_pages
from api.v1.batch_bodies import batch_body
from api.v1.rate_limits import BatchRetry
from api.v1.schemas import BatchResource
from octavo import cursors
from octavo.errors import (
    BatchCancelling,
    BatchNotFound,
    CustomerDisabled,
    InvalidApiKey,
    QuotaExceeded,
    RateLimited,
    UnknownFiles,
)
from octavo.identifiers import BatchId
from octavo.ledger.contract import Retry

router = APIRouter(prefix="/v1/batches", tags=["v1", "async-batch"], route_class=StrictJsonRoute)
ItemErrorCode = Literal[
    "payment_required",
    "unsupported_input",
    "document_too_large",
    "page_limit_exceeded",
    "extraction_failed",
    "ocr_provider_error",
    "upload_missing",
    "internal_error",
]
CODES: tuple[str, ...] = get_args(ItemErrorCode)


class RetryRequest(BaseModel):
    """Which items run again."""

    codes: Annotated[list[ItemErrorCode], Field(max_length=len(CODES))] | None = Field(
        None,
        description="Failed items: only those that failed with one of these codes; null: all. "
        "Empty: none, for `failed_pages` alone.",
    )
    failed_pages: bool = Field(
        False,
        description="Also items that succeeded without some of their pages: only these pages are read again, and "
        "nothing is billed for it. Until such an item ends it has no result to fetch; then it has the new one if fewer "
        "of its pages failed, else the one it had, whatever came of the reading.",
    )

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.codes == [] and not self.failed_pages:
            raise ValueError("codes: name one at least, or ask for failed_pages")
        return self


class RetriedBatch(BatchResource):
    """The batch as it goes on."""

    retried: int = Field(description="Items that run again, those with failed pages among them.")
    expired: int = Field(description="Items that were meant and stay as they are, because their file is gone.")
    next_cursor: str | None = Field(
        description="Where to go on reading its items: what runs again comes after it. "
        "Null when the batch has ended and nothing runs again."
    )


@router.post(
    "/{batch_id}/retry_failed",
    operation_id="retry_failed_v1",
    summary="Retry Failed Endpoint",
    dependencies=[BatchRetry],
    responses=problems(
        InvalidApiKey, CustomerDisabled, RateLimited, QuotaExceeded, BatchNotFound, UnknownFiles, BatchCancelling
    ),
)
def retry_failed(
    batch_id: str, customer: CustomerDep, service: ServiceDep, request: RetryRequest | None = None
) -> RetriedBatch:
    """Let failed items run again, all or some, and such with failed pages; ids stay, a batch that had ended goes on."""
    wanted = request or RetryRequest(codes=None, failed_pages=False)
    if wanted.codes != []:
        require_pages(service, customer)
    asked = Retry(
        customer_id=customer.customer_id,
        batch_id=BatchId(batch_id),
        codes=None if wanted.codes is None else frozenset(wanted.codes),
        failed_pages=wanted.failed_pages,
    )
    found = service.ledger.batches.retry_failed(asked)
    if found.items and found.had_ended:
        service.dispatcher.start(found.batch.batch_id)
    is_over = found.batch.status.is_terminal
    return RetriedBatch(
        **batch_body(service.estimates, customer, found.batch),
        retried=found.items,
        expired=found.expired,
        next_cursor=None if is_over else cursors.encode(batch_id, found.since, ""),
    )
