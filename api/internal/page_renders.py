"""`/internal/page-renders`: pages that somebody wants to see, on their way to a worker and back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.http import auth
from api.http.dependencies import ServiceDep
from octavo.client.broker_protocol import Accepted, WorkRequest
from octavo.client.page_render_protocol import OfferedPageRender, PageRenderResult

router = APIRouter(prefix="/internal/page-renders", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0


@router.post("/claims")
async def claim(
    body: WorkRequest, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> OfferedPageRender:
    """Hand out a page that somebody waits for."""
    return OfferedPageRender(task=await service.page_renders.claim(body.worker_id, wait))


@router.post("/end")
async def end(body: PageRenderResult, service: ServiceDep) -> Accepted:
    """Take a worker's result."""
    return Accepted(accepted=await service.page_renders.end(body))
