"""`/internal/sync`: documents that a customer waits for, on their way to a worker and back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse

from api.http import auth
from api.http.dependencies import ServiceDep
from octavo.client.broker_protocol import Accepted, WorkRequest
from octavo.client.sync_protocol import OfferedSyncTask, SyncPages, SyncResult, SyncWatch
from octavo.identifiers import CallId

router = APIRouter(prefix="/internal/sync", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0
END_PATH = "/internal/sync/end"
MOST_RESULT_BYTES = 256 * 1024 * 1024
"""Of a result on its way from a worker, which is read at once."""


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


@router.post("/end")
async def end(body: SyncResult, service: ServiceDep) -> Accepted:
    """Take a worker's result."""
    return Accepted(accepted=await service.sync_extractions.end(body))
