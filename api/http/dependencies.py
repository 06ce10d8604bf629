"""The parts of the service, as routes get them."""

from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from api.background.archive import Archive
from api.background.deliveries import Deliveries
from api.background.expiry import Retention
from api.http.long_poll import LongPolls
from api.http.submission_rates import SubmissionRates
from api.orchestrator.dispatch import Dispatcher
from api.orchestrator.run_delivery import RunDelivery
from api.orchestrator.schedules import ScheduleWatch
from api.workers.claims import Claims
from api.workers.page_renders import PageRenders
from api.workers.registry import WorkerRegistry
from api.workers.sync_extractions import SyncExtractions
from octavo.disk_room import DiskWatch
from octavo.engines.registry import EngineRegistry
from octavo.ledger.contract import Ledger
from octavo.objects.contract import ObjectStore
from octavo.objects.s3 import S3Settings
from octavo.service.estimates import Estimates
from octavo.service.webhook_messages import WebhookMessages
from octavo.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of one API process."""

    settings: Settings
    ledger: Ledger
    objects: ObjectStore
    storage: S3Settings | None
    """How workers reach storage; None where the store lives in this process (tests)."""
    engines: EngineRegistry
    dispatcher: Dispatcher
    run_delivery: RunDelivery
    claims: Claims
    workers: WorkerRegistry
    archive: Archive
    retention: Retention
    deliveries: Deliveries
    webhook_messages: WebhookMessages
    sync_extractions: SyncExtractions
    page_renders: PageRenders
    estimates: Estimates
    disk: DiskWatch
    schedules: ScheduleWatch
    admin_token: str
    worker_token: str
    rates: SubmissionRates = field(default_factory=SubmissionRates)
    long_polls: LongPolls = field(default_factory=LongPolls)


async def service(request: Request) -> Service:
    """Return the parts of this app; async, as a plain function would be called in a thread at each request."""
    return cast(Service, request.app.state.service)


ServiceDep = Annotated[Service, Depends(service)]


async def long_polls(service: ServiceDep) -> LongPolls:
    """Return the long polls of this process."""
    return service.long_polls


LongPollsDep = Annotated[LongPolls, Depends(long_polls)]
