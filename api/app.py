"""The HTTP service: routes, error answers, and the loops that live as long as it does."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from api.about import description, front_page, health, source
from api.admin import customers, keys
from api.admin import usage as admin_usage
from api.http import problems
from api.http.body_limit import BodyLimit
from api.http.dependencies import Service
from api.http.rate_limit import FIELDS, RateLimitFields
from api.internal import deliveries, page_renders, retention, sync_extractions, work, workers
from api.orchestrator.orphans import Orphans
from api.orchestrator.reconciler import Reconciler
from api.threads import in_thread
from api.v1 import (
    batches,
    bulk,
    deletions,
    engines,
    exports,
    extract,
    files,
    images,
    page_images,
    results,
    retries,
    usage,
    webhooks,
)
from octavo import __version__
from octavo.errors import StorageUnavailable

logger = logging.getLogger(__name__)
BUCKET_PAUSE_SECONDS = 0.5


async def _ensure_bucket(service: Service) -> None:
    """Make the bucket as soon as storage answers; the embedded server may start later than this process."""
    while True:
        try:
            return await in_thread(service.objects.ensure_bucket)
        except StorageUnavailable as error:
            logger.warning("no bucket yet: %s", error.message)
        await asyncio.sleep(BUCKET_PAUSE_SECONDS)


def _end_process_if_dead(loop: asyncio.Task[None]) -> None:
    """End the process when one of its loops met a defect: half an API is worse than one that is started again."""
    if not loop.cancelled() and loop.exception() is not None:
        logger.critical("a loop of the API died; the process ends", exc_info=loop.exception())
        os.kill(os.getpid(), signal.SIGTERM)


def create_app(service: Service) -> FastAPI:
    """Return the app around these parts; it owns their loops, not their lives."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reconciler = Reconciler(service.ledger, service.dispatcher, service.workers, service.outlook)
        loops = [
            asyncio.create_task(service.dispatcher.run()),
            asyncio.create_task(reconciler.run()),
            asyncio.create_task(Orphans(service.ledger, service.dispatcher, service.workers).run()),
            asyncio.create_task(service.deliveries.run()),
        ]
        if service.storage is not None:
            loops += [
                asyncio.create_task(_ensure_bucket(service)),
                asyncio.create_task(service.archive.run()),
                asyncio.create_task(service.retention.run()),
            ]
        for loop in loops:
            loop.add_done_callback(_end_process_if_dead)
        yield
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await service.archive.close()
        await service.dispatcher.close()

    # Its pages carry their scripts with them: /docs works without a network.
    app = FastAPIOffline(
        redoc_url=None,
        # Swagger UI would have a service of its makers look at the document.
        swagger_ui_parameters={"validatorUrl": None},
        title="Octavo",
        version=__version__,
        summary="Documents in, structured data out, in batches.",
        description=description.ABOUT,
        openapi_tags=description.TAGS,
        lifespan=lifespan,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
    )
    app.state.service = service
    problems.install(app)
    description.install(app)
    max_bytes = service.settings.api.max_body_bytes
    documents = service.settings.limits.max_file_bytes + extract.FORM_BYTES
    larger = dict.fromkeys(extract.FORM_PATHS, documents)
    larger |= {bulk.PATH: max_bytes * bulk.BODY_FACTOR, sync_extractions.END_PATH: sync_extractions.MOST_RESULT_BYTES}
    app.add_middleware(BodyLimit, max_bytes=max_bytes, larger=larger)
    app.add_middleware(RateLimitFields)
    if service.settings.api.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.api.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=FIELDS,
        )
    for room in (
        front_page,
        source,
        health,
        bulk,
        files,
        batches,
        retries,
        exports,
        results,
        images,
        page_images,
        deletions,
        extract,
        webhooks,
        usage,
        workers,
        work,
        retention,
        deliveries,
        sync_extractions,
        page_renders,
        customers,
        keys,
        admin_usage,
        engines,
    ):
        app.include_router(room.router)
    return app
