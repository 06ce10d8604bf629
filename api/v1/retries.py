"""`/v1/batches/{id}/retry_failed`: run failed items again."""

from typing import Annotated, Literal, Self, get_args

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from api.http.auth import CustomerDep
from api.http.json_bodies import StrictJsonRoute
from api.http.problems import problems
from api.http.use_cases import BatchesDep, EstimatesDep
from api.v1.rate_limits import BatchRetry
from api.v1.schemas import BatchResource, batch_body
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
        description="Selects failed items by these codes; null selects all, an empty list none, "
        "for use with `failed_pages`.",
    )
    failed_pages: bool = Field(
        False,
        description="Also selects items that succeeded without some of their pages: only these pages are read again, "
        "and nothing is billed. Until such an item ends its result cannot be fetched; then it has the new result "
        "if that has fewer failed pages, otherwise the previous one.",
    )

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.codes == [] and not self.failed_pages:
            raise ValueError("codes: give at least one, or set failed_pages")
        return self


class RetriedBatch(BatchResource):
    """The batch as it continues."""

    retried: int = Field(description="Items that run again, including those with failed pages.")
    expired: int = Field(description="Selected items that stay as they are, because their file is gone.")
    next_cursor: str | None = Field(
        description="Where to continue reading its items: what runs again comes after it. "
        "Null if the batch has ended and nothing runs again."
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
    batch_id: str,
    customer: CustomerDep,
    batches: BatchesDep,
    estimates: EstimatesDep,
    request: RetryRequest | None = None,
) -> RetriedBatch:
    """Run failed items again, all or some, and optionally those with failed pages; ids stay the same."""
    wanted = request or RetryRequest(codes=None, failed_pages=False)
    asked = Retry(
        customer_id=customer.customer_id,
        batch_id=BatchId(batch_id),
        codes=None if wanted.codes is None else frozenset(wanted.codes),
        failed_pages=wanted.failed_pages,
    )
    found = batches.retry_failed(customer, asked)
    return RetriedBatch(
        **batch_body(estimates, customer, found.retried.batch),
        retried=found.retried.items,
        expired=found.retried.expired,
        next_cursor=found.next_cursor,
    )
