"""`/internal/workers`: a worker's life, from hello to goodbye."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.http import auth
from api.http.dependencies import Service, ServiceDep
from api.threads import in_thread
from octavo.client.worker_protocol import Heartbeat, Hello, Lost, Notifications, StorageAccess, Welcome
from octavo.errors import UploadsNotConfigured
from octavo.identifiers import WorkerId

router = APIRouter(prefix="/internal/workers", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0


@router.post("/hello")
async def hello(body: Hello, service: ServiceDep) -> Welcome:
    """Welcome a worker; it ends earlier processes of the same name."""
    if service.storage is None:
        raise UploadsNotConfigured("This API has no storage that a worker could reach.")
    name = body.worker_id.partition("/")[0]
    for other in {*await in_thread(service.ledger.work.workers), *service.deliveries.senders()}:
        if other.partition("/")[0] == name and other != body.worker_id:
            await _revoke(service, other)
    service.workers.heartbeat(body.worker_id, slots=body.slots, protection=body.protection)
    storage = service.storage
    access = StorageAccess(
        endpoint_url=storage.endpoint_url,
        public_url=storage.public_url,
        bucket=storage.bucket,
        access_key=storage.access_key,
        secret_key=storage.secret_key,
        region=storage.region,
    )
    return Welcome(storage=access, notifications=service.workers.notifications)


async def _revoke(service: Service, worker_id: WorkerId) -> None:
    await in_thread(lambda: service.ledger.work.revoke(worker_id=worker_id))
    await service.deliveries.take_from(worker_id)
    service.workers.forget(worker_id)


@router.post("/drain")
async def drain(body: Hello, service: ServiceDep) -> Notifications:
    """Answer the waiting claims of a worker that takes nothing new."""
    service.workers.drains(body.worker_id)
    service.claims.close_for(body.worker_id)
    return Notifications(count=service.workers.notifications)


@router.post("/goodbye")
async def goodbye(body: Hello, service: ServiceDep) -> Notifications:
    """Take back whatever a worker that ends in an orderly way still holds."""
    await _revoke(service, body.worker_id)
    return Notifications(count=service.workers.notifications)


@router.post("/wait")
async def wait(
    body: Hello,
    service: ServiceDep,
    seen: int,
    seconds: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)],
) -> Notifications:
    """Wait for runs to fetch."""
    service.workers.accepts_runs(body.worker_id)
    return Notifications(count=await service.workers.wait(seen, seconds))


@router.post("/heartbeat")
async def heartbeat(body: Heartbeat, service: ServiceDep) -> Lost:
    """Renew a worker's leases."""
    service.workers.heartbeat(body.worker_id, slots=body.slots, protection=body.protection)
    lost: list[str] = []
    if body.slice_ids:
        lost = await in_thread(lambda: service.ledger.work.renew(body.worker_id, body.slice_ids, body.lease_seconds))
    if body.progress:
        await in_thread(lambda: service.ledger.work.note_progress(body.progress))
    if body.run_ids:
        await in_thread(lambda: service.ledger.runs.note_seen(body.run_ids))
    return Lost(slice_ids=tuple(lost))
