"""`DELETE /v1/files/{id}` and `DELETE /v1/batches/{id}`: only what was billed remains."""

from fastapi import APIRouter, Response

from api.http.auth import CustomerDep
from api.http.problems import problems
from api.http.use_cases import DeletionsDep
from octavo.errors import (
    BatchNotFinished,
    BatchNotFound,
    CustomerDisabled,
    FileInUse,
    InvalidApiKey,
    UnknownFiles,
)
from octavo.identifiers import BatchId, FileId

router = APIRouter(prefix="/v1", tags=["v1", "async-batch"])


@router.delete(
    "/files/{file_id}",
    operation_id="delete_file_v1",
    summary="Delete File Endpoint",
    status_code=204,
    response_class=Response,
    responses=problems(InvalidApiKey, CustomerDisabled, UnknownFiles, FileInUse),
)
async def delete_file(file_id: str, customer: CustomerDep, deletions: DeletionsDep) -> Response:
    """Delete a file and its bytes; results made from it stay until their batch is deleted."""
    await deletions.delete_file(customer, FileId(file_id))
    return Response(status_code=204)


@router.delete(
    "/batches/{batch_id}",
    operation_id="delete_batch_v1",
    summary="Delete Batch Endpoint",
    status_code=204,
    response_class=Response,
    responses=problems(InvalidApiKey, CustomerDisabled, BatchNotFound, BatchNotFinished),
)
async def delete_batch(batch_id: str, customer: CustomerDep, deletions: DeletionsDep) -> Response:
    """Delete a batch that has ended, with its items and results; delete its files separately."""
    await deletions.delete_batch(customer, BatchId(batch_id))
    return Response(status_code=204)
