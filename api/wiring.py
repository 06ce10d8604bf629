"""Puts the parts of an API process together: the one place where they meet."""

from dataclasses import dataclass

from api.background.archive import Archive
from api.background.deliveries import Deliveries
from api.background.expiry import Retention
from api.http.dependencies import Service
from api.orchestrator.dispatch import Dispatcher
from api.orchestrator.run_delivery import RunDelivery
from api.orchestrator.schedules import ScheduleWatch
from api.v1.events import WEBHOOKS
from api.workers.claims import Claims
from api.workers.page_renders import PageRenders
from api.workers.registry import WorkerRegistry
from api.workers.sync_extractions import SyncExtractions
from octavo import wiring
from octavo.directory import DataDirectory
from octavo.disk_room import DiskWatch
from octavo.engines.registry import EngineRegistry
from octavo.ledger.contract import Ledger
from octavo.objects.contract import ObjectStore
from octavo.objects.s3 import S3Settings
from octavo.objects.unconfigured import UnconfiguredObjects
from octavo.service.estimates import Estimates
from octavo.service.webhook_messages import WebhookMessages
from octavo.settings import Settings
from octavo.webhooks.records import V1


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What this process knows admins and workers by, and what signing secrets of webhooks are made of."""

    admin_token: str
    worker_token: str
    webhook_key: str

    @classmethod
    def read(cls, settings: Settings, directory: DataDirectory) -> "Secrets":
        """Return the secrets of the settings; those not given there are made once and kept in the data directory."""
        token, key = settings.worker.token, settings.webhooks.key
        return cls(
            admin_token=directory.secret("admin_token"),
            worker_token=token.get_secret_value() if token else directory.secret("worker_token"),
            webhook_key=key.get_secret_value() if key else directory.secret("webhook_key"),
        )


def build_service(settings: Settings, storage: S3Settings | None) -> Service:
    """Open ledger and storage and put the parts together. Raises OperationError."""
    directory = DataDirectory(settings.data)
    directory.prepare()
    return assemble(
        settings,
        ledger=wiring.open_ledger(settings),
        objects=UnconfiguredObjects() if storage is None else wiring.open_objects(storage),
        storage=storage,
        engines=wiring.engine_registry(settings),
        secrets=Secrets.read(settings, directory),
    )


def assemble(
    settings: Settings,
    *,
    ledger: Ledger,
    objects: ObjectStore,
    storage: S3Settings | None,
    engines: EngineRegistry,
    secrets: Secrets,
) -> Service:
    """Return the parts of an API around this ledger and this storage."""
    workers = WorkerRegistry(silence_seconds=settings.worker.silence_seconds)
    archive = Archive(ledger, objects)
    retention = Retention(ledger, objects, archive, orphan_hours=settings.limits.orphan_hours)
    dispatcher = Dispatcher(
        ledger, workers, deployment=settings.prefect.deployment, tag_limits=settings.prefect.tag_limits
    )
    run_delivery = RunDelivery(dispatcher)
    directory = DataDirectory(settings.data)
    messages = WebhookMessages({V1: WEBHOOKS}, secrets.webhook_key)
    return Service(
        settings=settings,
        ledger=ledger,
        objects=objects,
        storage=storage,
        engines=engines,
        dispatcher=dispatcher,
        run_delivery=run_delivery,
        claims=Claims(ledger),
        workers=workers,
        archive=archive,
        retention=retention,
        sync_extractions=SyncExtractions(
            ledger,
            workers,
            seconds=settings.limits.sync_seconds,
            limit=settings.limits.sync_calls,
            limit_per_customer=settings.limits.sync_calls_per_customer,
        ),
        page_renders=PageRenders(
            ledger,
            workers,
            retention.expiry,
            seconds=settings.limits.drawing_seconds,
            limit=settings.limits.drawings,
            limit_per_customer=settings.limits.drawings_per_customer,
        ),
        deliveries=Deliveries(ledger, dispatcher, workers, messages, settings.webhooks),
        webhook_messages=messages,
        estimates=Estimates(ledger, workers, run_delivery),
        disk=DiskWatch([directory.objects, directory.prefect, directory.path]),
        schedules=ScheduleWatch(dispatcher),
        admin_token=secrets.admin_token,
        worker_token=secrets.worker_token,
    )
