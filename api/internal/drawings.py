"""`/internal/drawings`: pages that somebody wants to see, on their way to a worker and back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.http import auth
from api.http.dependencies import ServiceDep
from octavo.client.drawing_protocol import DrawingClaim, DrawingClaims, DrawingEnd, DrawingTaken

router = APIRouter(prefix="/internal/drawings", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0


@router.post("/claims")
async def claim(
    body: DrawingClaim, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> DrawingClaims:
    """Hand out a page that somebody waits for."""
    return DrawingClaims(page=await service.drawings.claim(body.worker_id, wait))


@router.post("/end")
async def end(body: DrawingEnd, service: ServiceDep) -> DrawingTaken:
    """Take a worker's word about a page."""
    return DrawingTaken(taken=await service.drawings.end(body))
