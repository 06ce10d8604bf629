"""`/v1/files`: stage a file, get its status."""

from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Response

from api.http.auth import CustomerDep
from api.http.dependencies import Service, ServiceDep
from api.http.json_bodies import StrictJsonRoute
from api.http.json_response import json_response
from api.http.problems import problems
from api.v1.rate_limits import FileSubmission
from api.v1.schemas import CreateFileRequest, CreateFileResponse, FileResource, file_fields
from octavo.batches import Customer, FileStatus, StagedFile
from octavo.errors import (
    CustomerDisabled,
    FileTooLarge,
    InvalidApiKey,
    RateLimited,
    StorageUnavailable,
    UnknownFiles,
    UploadsNotConfigured,
)
from octavo.identifiers import FileId, new_file_id
from octavo.objects import keys
from octavo.timestamps import now, to_wire

router = APIRouter(prefix="/v1/files", tags=["v1", "async-batch"], route_class=StrictJsonRoute)


@router.post(
    "",
    operation_id="create_file_v1",
    summary="Create File Endpoint",
    response_model=CreateFileResponse,
    dependencies=[FileSubmission],
    responses=problems(InvalidApiKey, CustomerDisabled, FileTooLarge, RateLimited, UploadsNotConfigured),
)
def create_file(request: CreateFileRequest, customer: CustomerDep, service: ServiceDep) -> Response:
    """Stage one file; the answer says where to PUT its bytes."""
    file = staged_file(service, customer, request, now())
    body = staged_body(service, file)
    service.ledger.files.add([file])
    return json_response(body)


def staged_file(service: Service, customer: Customer, request: CreateFileRequest, created_at: datetime) -> StagedFile:
    """Return a file as it is staged. Raises FileTooLarge."""
    limits = service.settings.limits
    if request.size_bytes > limits.max_file_bytes:
        raise FileTooLarge(
            f"The file has {request.size_bytes} bytes; at most {limits.max_file_bytes} are accepted.",
            limit_bytes=limits.max_file_bytes,
        )
    file_id = new_file_id()
    return StagedFile(
        file_id=file_id,
        customer_id=customer.customer_id,
        status=FileStatus.PENDING,
        filename=request.filename,
        content_type=request.content_type,
        size_bytes=request.size_bytes,
        sha256=None,
        object_key=keys.input_key(customer.customer_id, created_at.date(), file_id),
        created_at=created_at,
        expires_at=created_at + timedelta(seconds=service.retention_seconds(customer)),
    )


def staged_body(service: Service, file: StagedFile) -> dict[str, Any]:
    """Return a staged file and where its bytes go."""
    url = service.objects.presign_put(
        file.object_key,
        size_bytes=file.size_bytes,
        expires_seconds=service.settings.storage.presign_put_seconds,
    )
    upload = {"method": "PUT", "url": url.url, "expires_at": to_wire(url.expires_at)}
    return {"object": "file", **file_fields(file), "upload": upload}


@router.get(
    "/{file_id}",
    operation_id="get_file_v1",
    summary="Get File Endpoint",
    responses=problems(InvalidApiKey, CustomerDisabled, UnknownFiles, StorageUnavailable),
)
def get_file(file_id: str, customer: CustomerDep, service: ServiceDep) -> FileResource:
    """Get a file's status; a pending one is looked up in storage."""
    wanted = FileId(file_id)
    file = service.ledger.files.find(customer.customer_id, [wanted]).get(wanted)
    if file is None:
        raise UnknownFiles("There is no such file; stage it with POST /v1/files.", file_ids=[file_id])
    if file.status is FileStatus.PENDING:
        seen = service.objects.sizes([file.object_key], time_limit_seconds=10)
        if seen.get(file.object_key) == file.size_bytes:
            service.ledger.files.mark_ready([wanted])
            file = service.ledger.files.find(customer.customer_id, [wanted])[wanted]
    return FileResource(**file_fields(file))
