"""`/internal/deliveries`: what the flow asks that sends webhooks' deliveries."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.http import auth
from api.http.dependencies import ServiceDep
from octavo.client.delivery_protocol import (
    AttemptTaken,
    DeliveryClaim,
    Outgoing,
    PrunedDeliveries,
    PruneDeliveriesRequest,
)
from octavo.webhooks.records import AttemptReport

router = APIRouter(prefix="/internal/deliveries", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0


@router.post("/claims")
async def claim(
    body: DeliveryClaim, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> list[Outgoing]:
    """Hand out deliveries that are due, composed and signed."""
    return await service.deliveries.claim(body, wait)


@router.post("/attempts")
async def attempt(body: AttemptReport, service: ServiceDep) -> AttemptTaken:
    """Take a worker's report about an attempt."""
    return AttemptTaken(taken=await service.deliveries.report(body))


@router.post("/prune")
async def prune(_: PruneDeliveriesRequest, service: ServiceDep) -> PrunedDeliveries:
    """Remove deliveries that are old enough; the flow `prune` asks for it."""
    return PrunedDeliveries(deliveries=await service.deliveries.prune())
