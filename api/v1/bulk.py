"""`/v1/files/bulk`: stage up to 10,000 files in one call."""

from datetime import datetime

from fastapi import APIRouter, Response

from api.http.auth import CustomerDep
from api.http.dependencies import Service, ServiceDep
from api.http.json_bodies import StrictJsonRoute
from api.http.json_response import json_response
from api.http.problems import problems
from api.v1.files import staged_body, staged_file
from api.v1.rate_limits import FileSubmission
from api.v1.schemas import CreateFilesRequest, CreateFilesResponse
from octavo.batches import Customer, StagedFile
from octavo.errors import (
    CustomerDisabled,
    FileTooLarge,
    InvalidApiKey,
    RateLimited,
    RequestTooLarge,
    UploadsNotConfigured,
)
from octavo.timestamps import now

PATH = "/v1/files/bulk"
BODY_FACTOR = 4
"""How much larger than others a body of this route may be, to fit 10,000 entries with the longest names."""
router = APIRouter(tags=["v1", "async-batch"], route_class=StrictJsonRoute)


@router.post(
    PATH,
    operation_id="create_files_v1",
    summary="Create Files Endpoint",
    response_model=CreateFilesResponse,
    dependencies=[FileSubmission],
    responses=problems(
        InvalidApiKey, CustomerDisabled, FileTooLarge, RequestTooLarge, RateLimited, UploadsNotConfigured
    ),
)
def create_files(request: CreateFilesRequest, customer: CustomerDep, service: ServiceDep) -> Response:
    """Stage many files at once, all or none; the answer lists, in the same order, where to PUT the bytes of each."""
    created_at = now()
    files = [_staged(service, customer, request, index, created_at) for index in range(len(request.files))]
    rows = [staged_body(service, file) for file in files]
    service.ledger.files.add(files)
    return json_response({"object": "list", "data": rows})


def _staged(
    service: Service, customer: Customer, request: CreateFilesRequest, index: int, created_at: datetime
) -> StagedFile:
    try:
        return staged_file(service, customer, request.files[index], created_at)
    except FileTooLarge as error:
        message = f"Entry {index} of `files`: {error.message} Nothing was staged."
        raise FileTooLarge(message, index=index, **error.facts) from error
