"""`/v1/files`: stage a file, get its status."""

from typing import Any

from fastapi import APIRouter, Response

from api.http.auth import CustomerDep
from api.http.json_bodies import StrictJsonRoute
from api.http.json_response import json_response
from api.http.problems import problems
from api.http.use_cases import StagingDep
from api.v1.rate_limits import FileSubmission
from api.v1.schemas import CreateFileRequest, CreateFileResponse, FileResource, file_fields
from octavo.errors import (
    CustomerDisabled,
    FileTooLarge,
    InvalidApiKey,
    RateLimited,
    StorageUnavailable,
    UnknownFiles,
    UploadsNotConfigured,
)
from octavo.identifiers import FileId
from octavo.service.staging import NewFile, Upload
from octavo.timestamps import to_wire

router = APIRouter(prefix="/v1/files", tags=["v1", "async-batch"], route_class=StrictJsonRoute)


@router.post(
    "",
    operation_id="create_file_v1",
    summary="Create File Endpoint",
    response_model=CreateFileResponse,
    dependencies=[FileSubmission],
    responses=problems(InvalidApiKey, CustomerDisabled, FileTooLarge, RateLimited, UploadsNotConfigured),
)
def create_file(request: CreateFileRequest, customer: CustomerDep, staging: StagingDep) -> Response:
    """Stage one file; the answer says where to PUT its bytes."""
    return json_response(upload_body(staging.stage(customer, new_file(request))))


def new_file(request: CreateFileRequest) -> NewFile:
    """Return a file as the request announces it."""
    return NewFile(request.size_bytes, request.filename, request.content_type)


def upload_body(upload: Upload) -> dict[str, Any]:
    """Return a staged file and where its bytes go."""
    where = {"method": "PUT", "url": upload.url.url, "expires_at": to_wire(upload.url.expires_at)}
    return {"object": "file", **file_fields(upload.file), "upload": where}


@router.get(
    "/{file_id}",
    operation_id="get_file_v1",
    summary="Get File Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, UnknownFiles, StorageUnavailable),
)
def get_file(file_id: str, customer: CustomerDep, staging: StagingDep) -> FileResource:
    """Get a file's status; a pending one is looked up in storage."""
    return FileResource(**file_fields(staging.find(customer, FileId(file_id))))
