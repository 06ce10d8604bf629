"""What runs as long as the app does: the loops of the dispatcher, the reconciler and the background tasks."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_fixed

from api.http.dependencies import Service
from api.orchestrator.orphans import Orphans
from api.orchestrator.reconciler import Reconciler
from api.threads import in_thread
from octavo.errors import StorageUnavailable

logger = logging.getLogger(__name__)
BUCKET_PAUSE_SECONDS = 0.5
STARTING_ATTEMPTS = 60


def lifespan_of(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the lifespan of an app around these parts; it owns their loops, not their lives."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loops = [asyncio.create_task(work) for work in _loops(service)]
        for loop in loops:
            loop.add_done_callback(_end_process_if_dead)
        yield
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await service.archive.close()
        await service.dispatcher.close()

    return lifespan


def _loops(service: Service) -> list[Coroutine[Any, Any, None]]:
    loops = [
        service.dispatcher.run(),
        service.run_delivery.run(),
        Reconciler(service.ledger, service.dispatcher, service.workers, service.estimates, service.run_delivery).run(),
        Orphans(service.ledger, service.dispatcher, service.workers).run(),
        service.deliveries.run(),
        service.schedules.run(),
    ]
    if service.storage is not None:
        loops += [_ensure_bucket(service), service.archive.run(), service.retention.run()]
    return loops


async def _ensure_bucket(service: Service) -> None:
    """Make the bucket as soon as storage answers; the embedded server may start later than this process."""

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        # The first attempts are made while storage is being started.
        level = logging.INFO if state.attempt_number <= STARTING_ATTEMPTS else logging.WARNING
        if state.attempt_number in (1, STARTING_ATTEMPTS + 1):
            logger.log(level, "no bucket yet, tried again: %s", error)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(StorageUnavailable),
        wait=wait_fixed(BUCKET_PAUSE_SECONDS),
        before_sleep=tell,
        sleep=asyncio.sleep,
    )
    await retrying(in_thread, service.objects.ensure_bucket)


def _end_process_if_dead(loop: asyncio.Task[None]) -> None:
    """End the process when one of its loops met a defect: half an API is worse than one that is started again."""
    if not loop.cancelled() and loop.exception() is not None:
        logger.critical("a loop of the API died; the process exits", exc_info=loop.exception())
        os.kill(os.getpid(), signal.SIGTERM)
