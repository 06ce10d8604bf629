"""`/internal`: runs, claims and reports."""

import asyncio
import time
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.http import auth
from api.http.dependencies import Service, ServiceDep
from api.http.use_cases import BatchesDep
from api.threads import in_thread
from octavo.batches import Batch, BatchStatus, Item, ItemStatus, Run, RunStatus
from octavo.client.worker_protocol import (
    NamedRun,
    Notifications,
    OpenedRun,
    OpenRun,
    PruneRequest,
    Reports,
    Reserved,
    RetriedRun,
    RunSummary,
)
from octavo.errors import BatchNotFound, OctavoError
from octavo.identifiers import BatchId
from octavo.ledger.contract import Claim, ClaimRequest, ItemCursor, Pruned, ReportResult, Reservation, Retry
from octavo.timestamps import now

router = APIRouter(prefix="/internal", dependencies=[Depends(auth.worker)], include_in_schema=False)
LONGEST_WAIT_SECONDS = 30.0
NAMING_SECONDS = 3.0
MAX_FAILURES_SHOWN = 100


@router.post("/runs/open")
async def open_run(body: OpenRun, service: ServiceDep) -> OpenedRun:
    """Open a run; one that was started by hand in Prefect is taken in as a further run of its batch."""
    service.workers.heartbeat(body.worker_id)
    limit = time.monotonic() + NAMING_SECONDS
    run = await in_thread(lambda: service.ledger.runs.open(body.run_id, body.worker_id))
    # The worker may be faster than the dispatcher, which names the run when Prefect has answered.
    while run is None and time.monotonic() < limit and service.dispatcher.is_starting(body.batch_id):
        await asyncio.sleep(0.02)
        run = await in_thread(lambda: service.ledger.runs.open(body.run_id, body.worker_id))
    if run is None:
        run = await in_thread(lambda: _take_in(service, body))
    batch, customer = await in_thread(lambda: _owned(service, run))
    return OpenedRun(
        batch_id=batch.batch_id,
        customer_id=batch.customer_id,
        customer_name=customer,
        run_no=run.run_no,
        item_cap=service.ledger.accounts.customer(batch.customer_id).item_cap,
        total_items=batch.total_items,
        options=batch.options.to_values(),
        status=batch.status,
        tag_limits=service.settings.prefect.tag_limits,
    )


def _take_in(service: Service, body: OpenRun) -> Run:
    run = service.ledger.runs.add(BatchId(body.batch_id))
    service.ledger.runs.name(run.batch_id, run.run_no, body.run_id)
    opened = service.ledger.runs.open(body.run_id, body.worker_id)
    return opened or run


def _owned(service: Service, run: Run) -> tuple[Batch, str]:
    return service.ledger.batches.get(run.customer_id, run.batch_id), service.ledger.accounts.customer(
        run.customer_id
    ).name


@router.post("/runs/end")
async def end_run(body: NamedRun, service: ServiceDep) -> Notifications:
    """End a run; what it held goes back to the next worker."""
    await in_thread(lambda: service.ledger.runs.end(body.run_id, RunStatus.ENDED))
    return Notifications(count=service.workers.notifications)


@router.post("/runs/cancel")
async def cancel_run(body: NamedRun, service: ServiceDep) -> Notifications:
    """Cancel the batch of a run: somebody pressed Cancel in the Prefect UI."""
    run = _known(service.ledger.runs.get(body.run_id))
    await in_thread(lambda: service.ledger.batches.cancel(run.customer_id, run.batch_id))
    return Notifications(count=service.workers.notifications)


@router.post("/runs/retry")
def retry(body: NamedRun, service: ServiceDep, batches: BatchesDep) -> RetriedRun:
    """Have the failed items of a run's batch run again: its flow run was retried in the Prefect UI."""
    run = service.ledger.runs.get(body.run_id)
    if run is None:
        return RetriedRun(items=0, refusal="The batch of this run is gone.")
    asked = Retry(customer_id=run.customer_id, batch_id=run.batch_id, codes=None, failed_pages=False)
    try:
        found = batches.retry_failed(service.ledger.accounts.customer(run.customer_id), asked)
    except OctavoError as error:
        return RetriedRun(items=0, refusal=error.message)
    return RetriedRun(items=found.retried.items)


@router.post("/runs/summary")
def summary(body: NamedRun, service: ServiceDep) -> RunSummary:
    """Tell how a run's batch stands, with the first hundred failures."""
    try:
        run = _known(service.ledger.runs.get(body.run_id))
        batch = service.ledger.batches.get(run.customer_id, run.batch_id)
    except BatchNotFound:
        # Deleted the moment it had ended, and its ended runs with it: nothing of it is left to be told.
        return RunSummary(status=BatchStatus.COMPLETED, succeeded=0, failed=0, cancelled=0, unfinished=0, failures=())
    return RunSummary(
        status=batch.status,
        succeeded=batch.counts.succeeded,
        failed=batch.counts.failed,
        cancelled=batch.counts.cancelled,
        unfinished=batch.counts.unfinished,
        failures=tuple(_failures(service, batch)) if batch.counts.failed else (),
    )


def _known(run: Run | None) -> Run:
    if run is None:
        raise BatchNotFound("No batch has such a run.")
    return run


def _failures(service: Service, batch: Batch) -> list[dict[str, object]]:
    found: list[Item] = []
    after: ItemCursor | None = None
    while len(found) < min(MAX_FAILURES_SHOWN, batch.counts.failed):
        page = service.ledger.batches.items(batch.batch_id, after=after, limit=500)
        if not page:
            break
        found += [item for item in page if item.status is ItemStatus.FAILED]
        after = ItemCursor(page[-1].updated_at, page[-1].item_id)
    found = found[:MAX_FAILURES_SHOWN]
    files = service.ledger.files.find(batch.customer_id, [item.file_id for item in found])
    return [
        {
            "position": item.position,
            "filename": files[item.file_id].filename if item.file_id in files else None,
            "item_id": item.item_id,
            "code": item.error_code,
            "message": item.error_message,
        }
        for item in found
    ]


@router.post("/claims")
async def claim(
    body: ClaimRequest, service: ServiceDep, wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS)]
) -> Claim:
    """Lease slices to a run, waiting for some if need be."""
    service.workers.heartbeat(body.worker_id)
    return await service.claims.claim(body, wait)


@router.post("/reports")
async def report(body: Reports, service: ServiceDep) -> list[ReportResult]:
    """Take a worker's reports about its items."""
    service.workers.heartbeat(body.worker_id)
    return await in_thread(lambda: _report(body, service))


def _report(body: Reports, service: Service) -> list[ReportResult]:
    with service.retention.expiry.deletion_guard.reporting(body.reports) as reports:
        return service.ledger.work.report(reports)


@router.post("/reservations")
async def reserve(body: Reservation, service: ServiceDep) -> Reserved:
    """Set pages aside for an item whose customer has a page quota."""
    return Reserved(is_reserved=await in_thread(lambda: service.ledger.billing.reserve(body)))


@router.post("/prune")
async def prune(body: PruneRequest, service: ServiceDep) -> Pruned:
    """Remove from the ledger what is old enough; the flow `prune` asks for it."""
    seen_before = now() - timedelta(seconds=body.keep_runs_seconds)
    return await in_thread(lambda: service.ledger.runs.prune(seen_before))
