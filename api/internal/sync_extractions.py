"""`/internal/sync`: documents that a customer waits for, on their way to a worker and back."""

import tempfile
from typing import Annotated, BinaryIO, cast

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse
from starlette.datastructures import UploadFile

from api.http import auth
from api.http.dependencies import ServiceDep
from octavo.client.broker_protocol import Accepted, WorkRequest
from octavo.client.sync_protocol import OfferedSyncTask, SyncFailure, SyncPages, SyncWatch
from octavo.identifiers import CallId

router = APIRouter(prefix="/internal/sync", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0
RESULT_PATH = "/internal/sync/result"
MOST_RESULT_BYTES = 256 * 1024 * 1024
IN_MEMORY_BYTES = 1024 * 1024
"""What a result may have before it goes to disk."""


@router.post("/claims")
async def claim(
    body: WorkRequest, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> OfferedSyncTask:
    """Hand out a document that a customer waits for."""
    return OfferedSyncTask(task=await service.sync_extractions.claim(body.worker_id, wait))


@router.post("/watch")
async def watch(
    body: SyncWatch, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> Accepted:
    """Tell a worker when nobody waits any more for what it reads."""
    return Accepted(accepted=await service.sync_extractions.watch(body.call_id, body.attempt, wait))


@router.get("/{call_id}/document")
async def document(call_id: str, attempt: int, service: ServiceDep) -> FileResponse:
    """Send the bytes of a document that was claimed."""
    path = service.sync_extractions.document(CallId(call_id), attempt)
    return FileResponse(path, media_type="application/octet-stream")


@router.post("/pages")
async def pages(body: SyncPages, service: ServiceDep) -> Accepted:
    """Set the pages of a document aside before they are read."""
    return Accepted(accepted=await service.sync_extractions.reserve(body))


@router.post("/failure")
async def fail(body: SyncFailure, service: ServiceDep) -> Accepted:
    """Take a worker's word that a document has no result."""
    service.sync_extractions.fail(body)
    return Accepted(accepted=True)


@router.put("/result")
async def succeed(
    call_id: str, attempt: int, pages: Annotated[int, Query(ge=0)], request: Request, service: ServiceDep
) -> Accepted:
    """Take the result of a document, as it arrives, and hand it on to whoever waits."""
    service.sync_extractions.require_lease(CallId(call_id), attempt)
    # Closed by the answer to the customer, or by the extractions where nobody waits any more.
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES))  # noqa: SIM115
    has_arrived = False
    try:
        result = UploadFile(file, size=0)
        async for piece in request.stream():
            await result.write(piece)
        has_arrived = True
    finally:
        if not has_arrived:
            file.close()
    return Accepted(accepted=await service.sync_extractions.succeed(CallId(call_id), attempt, pages, file))
