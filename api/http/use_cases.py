"""The use cases as dependencies: a route asks for the one it calls.

All are async, though they wait for nothing: a plain function would be called in a thread at each request.
"""

from typing import Annotated

from fastapi import Depends

from api.http.dependencies import ServiceDep
from octavo.service.batches import Batches
from octavo.service.deletions import Deletions
from octavo.service.estimates import Estimates
from octavo.service.exports import Exports
from octavo.service.page_images import PageImages
from octavo.service.results import Results
from octavo.service.staging import Staging
from octavo.service.submission import Submission
from octavo.service.sync_extraction import SyncExtraction
from octavo.service.usage import Usage
from octavo.service.webhooks import Webhooks


async def staging(service: ServiceDep) -> Staging:
    """Return what stages files."""
    limits, storage = service.settings.limits, service.settings.storage
    return Staging(
        service.ledger.files,
        service.objects,
        max_file_bytes=limits.max_file_bytes,
        retention_seconds=limits.retention_seconds,
        upload_seconds=storage.presign_put_seconds,
    )


async def submission(service: ServiceDep) -> Submission:
    """Return what takes batches in."""
    return Submission(
        service.ledger,
        service.objects,
        service.engines,
        service.dispatcher,
        retention_seconds=service.settings.limits.retention_seconds,
    )


async def batches(service: ServiceDep) -> Batches:
    """Return what shows and changes batches."""
    return Batches(service.ledger, service.dispatcher)


async def estimates(service: ServiceDep) -> Estimates:
    """Return what knows how long batches still take."""
    return service.estimates


async def results(service: ServiceDep) -> Results:
    """Return what finds results."""
    ledger = service.ledger
    seconds = service.settings.storage.presign_get_seconds
    return Results(ledger.batches, ledger.files, ledger.lifetimes, service.objects, link_seconds=seconds)


ResultsDep = Annotated[Results, Depends(results)]


async def page_images(service: ServiceDep, results: ResultsDep) -> PageImages:
    """Return what shows pages as images."""
    return PageImages(results, service.page_renders, render_seconds=service.settings.limits.drawing_seconds)


async def exports(service: ServiceDep, results: ResultsDep) -> Exports:
    """Return what reads all results of a batch."""
    return Exports(service.ledger.batches, service.ledger.files, results)


async def deletions(service: ServiceDep) -> Deletions:
    """Return what deletes files and batches."""
    return Deletions(service.ledger.files, service.ledger.batches, service.retention)


async def sync_extraction(service: ServiceDep) -> SyncExtraction:
    """Return what reads documents at once."""
    outbound = service.settings.outbound
    return SyncExtraction(
        service.sync_extractions,
        service.ledger.billing,
        service.engines,
        fetches_addresses=outbound.url_inputs,
        allowed=outbound.allow,
        max_file_bytes=service.settings.limits.max_file_bytes,
    )


async def webhooks(service: ServiceDep) -> Webhooks:
    """Return what keeps webhooks."""
    return Webhooks(
        service.ledger.webhooks,
        service.ledger.deliveries,
        service.webhook_messages,
        allowed=service.settings.outbound.allow,
        limit_per_customer=service.settings.webhooks.per_customer,
    )


async def usage(service: ServiceDep) -> Usage:
    """Return what reports usage."""
    return Usage(service.ledger.billing)


StagingDep = Annotated[Staging, Depends(staging)]
SubmissionDep = Annotated[Submission, Depends(submission)]
BatchesDep = Annotated[Batches, Depends(batches)]
PageImagesDep = Annotated[PageImages, Depends(page_images)]
ExportsDep = Annotated[Exports, Depends(exports)]
EstimatesDep = Annotated[Estimates, Depends(estimates)]
DeletionsDep = Annotated[Deletions, Depends(deletions)]
SyncExtractionDep = Annotated[SyncExtraction, Depends(sync_extraction)]
WebhooksDep = Annotated[Webhooks, Depends(webhooks)]
UsageDep = Annotated[Usage, Depends(usage)]
