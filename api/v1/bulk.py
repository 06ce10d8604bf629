"""`/v1/files/bulk`: stage up to 10,000 files in one call."""

from fastapi import APIRouter, Response

from api.http.auth import CustomerDep
from api.http.json_bodies import StrictJsonRoute
from api.http.json_response import json_response
from api.http.problems import problems
from api.http.use_cases import StagingDep
from api.v1.files import new_file, upload_body
from api.v1.rate_limits import FileSubmission
from api.v1.schemas import CreateFilesRequest, CreateFilesResponse
from octavo.errors import (
    CustomerDisabled,
    FileTooLarge,
    InvalidApiKey,
    RateLimited,
    RequestTooLarge,
    UploadsNotConfigured,
)

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
        InvalidApiKey,
        CustomerDisabled,
        FileTooLarge,
        RequestTooLarge,
        RateLimited,
        UploadsNotConfigured,
        file_too_large={"index": 1},
    ),
)
def create_files(request: CreateFilesRequest, customer: CustomerDep, staging: StagingDep) -> Response:
    """Stage many files at once, all or none; the answer lists, in the same order, where to PUT the bytes of each."""
    uploads = staging.stage_all(customer, [new_file(one) for one in request.files])
    return json_response({"object": "list", "data": [upload_body(upload) for upload in uploads]})
