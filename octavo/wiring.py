"""Where settings become real parts: ledger, objects, engines, the parts of a worker. Nothing else builds them."""

import math
import secrets
from pathlib import Path

from octavo.client.worker import WorkerClient
from octavo.directory import DataDirectory
from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.errors import InvalidSettings
from octavo.extraction.extractor import Extractor
from octavo.extraction.items import ItemWork
from octavo.identifiers import WorkerId
from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import DuckdbLedger
from octavo.objects.contract import ObjectStore
from octavo.objects.s3 import S3Objects, S3Settings
from octavo.outbound import Allowed, Outbound, TimeLimits
from octavo.settings import Settings
from octavo.worker import SliceWorker, WebhookSender
from octavo.worker.page_render_worker import PageRenderWorker
from octavo.worker.sweeper import Sweeper
from octavo.worker.sync_worker import SyncWorker


def open_ledger(settings: Settings) -> Ledger:
    """Open the ledger of the data directory. Raises OperationError if another process has it open."""
    return open_ledger_file(DataDirectory(settings.data).ledger)


def open_ledger_file(path: Path) -> Ledger:
    """Open the ledger in this file, creating it if it is new. Raises OperationError."""
    return DuckdbLedger(path)


def open_objects(storage: S3Settings | None) -> ObjectStore:
    """Return the object store at this address."""
    if storage is None:
        raise InvalidSettings("No storage is configured: set storage.endpoint_url, or start the embedded stack.")
    return S3Objects(storage)


def engine_registry(settings: Settings) -> EngineRegistry:
    """Return the installed engines."""
    return EngineRegistry.installed(test_engines=settings.worker.test_engines)


def limits(settings: Settings) -> Limits:
    """Return the limits for one document."""
    given, walls = settings.limits, settings.sandbox
    return Limits(
        wall_seconds=given.document_seconds,
        page_seconds=given.page_seconds,
        cpu_seconds=math.ceil(given.document_cpu_seconds),
        memory_bytes=given.document_memory_bytes,
        file_bytes=walls.file_bytes,
        scratch_bytes=walls.scratch_bytes,
        open_files=walls.open_files,
        processes=walls.processes,
        max_bytes=given.max_file_bytes,
        max_pages=given.max_pages,
        max_page_pixels=given.max_page_pixels,
        max_content_bytes=given.max_page_content_bytes,
        max_paths=given.max_page_paths,
        max_images=given.max_images,
        max_image_bytes=given.max_image_bytes,
        max_document_bytes=given.max_result_bytes,
        max_kept_bytes=given.max_kept_bytes,
        max_unpacked_bytes=given.max_unpacked_bytes,
        documents_per_child=walls.documents_per_child,
    )


def outbound(settings: Settings) -> Outbound:
    """Return the fetcher for documents by URL and webhooks."""
    given = settings.outbound
    return Outbound(
        allowed=Allowed.read(given.allow),
        time_limits=TimeLimits(connect=given.connect_seconds, read=given.read_seconds, total=given.total_seconds),
    )


def extractor(settings: Settings) -> Extractor:
    """Return an extractor with as many children as the settings give one worker."""
    return Extractor(
        processes=settings.worker.children,
        limits=limits(settings),
        registry=engine_registry(settings),
        sandbox_require=settings.sandbox.require,
        memory_bytes=settings.worker.document_memory,
        newcomer_processes=settings.worker.newcomer_processes,
        child_scope=settings.worker.child_scope,
    )


def worker_client(settings: Settings, name: str) -> WorkerClient:
    """Return a worker's connection to the API: from the settings, or from the stack on the data directory.

    Two workers that live at the same time need two names: a new life of a name ends the old one.
    """
    directory = DataDirectory(settings.data)
    api_url = settings.worker.api_url or directory.notes().get("internal_api_url")
    if api_url is None:
        raise InvalidSettings("The worker does not know its API: set OCTAVO_WORKER__API_URL.")
    token = settings.worker.token
    return WorkerClient(
        api_url,
        token.get_secret_value() if token else directory.kept_secret("worker_token"),
        WorkerId(f"{name.replace('/', '-')}/{secrets.token_hex(6)}"),
    )


def greet(settings: Settings, client: WorkerClient, reader: Extractor) -> ObjectStore:
    """Register at the API and return the storage it names. Raises ServiceUnreachable."""
    access = client.hello(slots=settings.worker.slots, protection=reader.protection).storage
    return S3Objects(
        S3Settings(
            # A worker on another machine may reach storage at a different address than the API does.
            endpoint_url=settings.storage.endpoint_url or access.endpoint_url,
            public_url=access.public_url,
            bucket=access.bucket,
            access_key=access.access_key,
            secret_key=access.secret_key,
            region=access.region,
        )
    )


def slice_worker(settings: Settings, client: WorkerClient, reader: Extractor, objects: ObjectStore) -> SliceWorker:
    """Return what processes slices on a worker."""
    work = ItemWork(
        objects,
        reader,
        folder=None,
        keep_seconds=settings.worker.keep_pages_seconds,
        reuse=settings.worker.reuse_results,
    )
    return SliceWorker(
        client,
        work,
        slots=settings.worker.slots,
        lease_seconds=settings.worker.lease_seconds,
        on_change=lambda: None,
        sweeper=Sweeper(client, objects),
    )


def webhook_sender(settings: Settings, client: WorkerClient) -> WebhookSender:
    """Return what sends webhooks' deliveries from a worker."""
    return WebhookSender(client, outbound(settings))


def sync_worker(settings: Settings, client: WorkerClient, reader: Extractor) -> SyncWorker:
    """Return what reads documents that customers wait for, on a worker."""
    return SyncWorker(
        client,
        reader,
        outbound(settings),
        slots=settings.worker.sync_slots,
        max_bytes=settings.limits.max_file_bytes,
    )


def page_render_worker(
    settings: Settings, client: WorkerClient, reader: Extractor, objects: ObjectStore
) -> PageRenderWorker:
    """Return what renders page images for viewers, on a worker."""
    return PageRenderWorker(client, reader, objects, slots=settings.worker.drawing_slots)
