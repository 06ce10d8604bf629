"""`/internal/sweep` and `/internal/forget`: what the flow `expire` asks for."""

from datetime import timedelta

from fastapi import APIRouter, Depends

from api.http import auth
from api.http.dependencies import Service, ServiceDep
from api.threads import in_thread
from octavo.client.worker_protocol import RemovedRecords, SweepRequest, SweepResult
from octavo.objects import keys
from octavo.timestamps import now

router = APIRouter(prefix="/internal", dependencies=[Depends(auth.worker)], include_in_schema=False)
ITEMS_AT_ONCE = 10_000


@router.post("/sweep")
async def sweep(body: SweepRequest, service: ServiceDep) -> SweepResult:
    """Delete those of the objects shown that nobody names; none while ledger and archive disagree."""
    return await in_thread(lambda: _sweep(body, service))


def _sweep(body: SweepRequest, service: Service) -> SweepResult:
    archived = {keys.batch_of(info.key) for info in body.stored if info.key.startswith(keys.BATCHES)}
    objection = service.retention.sweep.objection(sorted(archived))
    if objection is not None:
        return SweepResult(deleted=0, objection=objection)
    return SweepResult(deleted=service.retention.sweep.sweep(body.stored), objection=None)


@router.post("/forget")
async def forget(service: ServiceDep) -> RemovedRecords:
    """Delete some of the batches and files that have been records for long enough; none is the end."""
    before = now() - timedelta(days=service.settings.limits.keep_records_days)
    batches = await in_thread(lambda: service.ledger.lifetimes.forget_batches(before, ITEMS_AT_ONCE))
    files = await in_thread(lambda: service.ledger.lifetimes.forget_files(before, ITEMS_AT_ONCE))
    return RemovedRecords(batches=batches, files=files)
