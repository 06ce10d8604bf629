"""`/internal/calls`: what a worker's sync lane asks for and reports."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import FileResponse

from api.http import auth
from api.http.dependencies import ServiceDep
from octavo.client.call_protocol import CallClaim, CallClaims, CallEnd, CallPages, CallTaken, CallWatch
from octavo.identifiers import CallId

router = APIRouter(prefix="/internal/calls", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0
END_PATH = "/internal/calls/end"
MOST_RESULT_BYTES = 256 * 1024 * 1024
"""Of a result on its way from a worker, which is read at once."""


@router.post("/claims")
async def claim(
    body: CallClaim, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> CallClaims:
    """Hand out a document that somebody waits for."""
    return CallClaims(call=await service.calls.claim(body.worker_id, wait))


@router.post("/watch")
async def watch(
    body: CallWatch, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> CallTaken:
    """Tell a worker when nobody waits any more for what it reads."""
    return CallTaken(taken=await service.calls.watch(body.call_id, body.attempt, wait))


@router.get("/{call_id}/document")
async def document(call_id: str, attempt: int, service: ServiceDep) -> FileResponse:
    """Send the bytes of a call that was claimed."""
    return FileResponse(service.calls.document(CallId(call_id), attempt), media_type="application/octet-stream")


@router.post("/pages")
async def pages(body: CallPages, service: ServiceDep) -> CallTaken:
    """Set the pages of a call aside before they are read."""
    return CallTaken(taken=await service.calls.reserve(body))


@router.post("/end")
async def end(body: CallEnd, service: ServiceDep) -> CallTaken:
    """Take a worker's word about a call."""
    return CallTaken(taken=await service.calls.end(body))
