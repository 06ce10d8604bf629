"""The HTTP service: routes, error answers, and the loops that live as long as it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from api import front_page, health, problems
from api.admin import customers
from api.body_limit import BodyLimit
from api.deps import Service
from api.internal import work, workers
from api.reconciler import Reconciler
from api.v1 import batches, files, results
from octavo import __version__


def create_app(service: Service) -> FastAPI:
    """Return the app around these parts; it owns their loops, not their lives."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reconciler = Reconciler(service.ledger, service.dispatcher, service.lanes, service.presence)
        loops = [
            asyncio.create_task(service.lanes.run()),
            asyncio.create_task(service.dispatcher.run()),
            asyncio.create_task(reconciler.run()),
        ]
        yield
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await service.dispatcher.close()

    app = FastAPI(
        title="Octavo",
        version=__version__,
        summary="Documents in, structured data out, in batches.",
        lifespan=lifespan,
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
    )
    app.state.service = service
    problems.install(app)
    app.add_middleware(BodyLimit, max_bytes=service.settings.api.max_body_bytes)
    if service.settings.api.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=service.settings.api.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
        )
    for room in (front_page, health, files, batches, results, workers, work, customers):
        app.include_router(room.router)
    return app
