"""The HTTP service: its dialects, the service's own addresses, and what every request passes."""

from collections.abc import Sequence
from types import ModuleType

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute

from api.about import description, front_page, health, source
from api.admin import customers, keys, usage
from api.http.auth import Identify, sending_admin, sending_worker
from api.http.body_reception import BodyReception
from api.http.dependencies import Service
from api.http.dialects import Dialect, Dialects
from api.http.empty_parameters import EmptyParameters
from api.http.problems import problem_answer
from api.http.rate_limit import RateLimitFields
from api.http.reception_rules import reception_rules
from api.http.sender_first import SenderFirst
from api.http.unread_bodies import UnreadBodies
from api.internal import deliveries, page_renders, retention, sync_extractions, work, workers
from api.lifespan import lifespan_of
from api.v1.dialect import FIELDS, v1
from octavo import __version__
from octavo.settings import Settings

ABOUT = (front_page, source, health)
INTERNAL = (workers, work, retention, deliveries, sync_extractions, page_renders)
ADMIN = (customers, keys, usage)
INTERNAL_PREFIX, ADMIN_PREFIX = "/internal", "/admin"
_BUILT: dict[int, Sequence[BaseRoute]] = {}


def create_app(service: Service, further: Sequence[Dialect] = ()) -> FastAPI:
    """Return the app around these parts; `further` are dialects besides `/v1`."""
    # The pages include their scripts, so /docs works without a network.
    app = FastAPIOffline(
        redoc_url=None,
        # Swagger UI would send the document to its makers' validation service.
        swagger_ui_parameters={"validatorUrl": None},
        title="Octavo",
        version=__version__,
        summary="Documents in, structured data out, in batches.",
        description=description.ABOUT,
        openapi_tags=description.TAGS,
        lifespan=lifespan_of(service),
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
    )
    app.state.service = service
    spoken = [v1(service.settings), *further]
    app.state.dialects = dialects = Dialects([*spoken, *closed(service.settings)], otherwise=own(service.settings))
    dialects.install(app)
    description.install(app)
    # The last one is the first that a request passes.
    app.add_middleware(BodyReception, dialects=dialects, rules=reception_rules(service.settings))
    app.add_middleware(SenderFirst, service=service, dialects=dialects)
    app.add_middleware(RateLimitFields, dialects=dialects)
    app.add_middleware(EmptyParameters)
    if origins := service.settings.api.allowed_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["*"], allow_headers=["*"], expose_headers=FIELDS
        )
    spoken_routers = [router for dialect in spoken for router in dialect.routers]
    app.add_middleware(UnreadBodies)
    for router in (*_routers(ABOUT), *spoken_routers, *_routers((*INTERNAL, *ADMIN))):
        app.router.routes.extend(_routes(router))
    return app


def _routers(modules: Sequence[ModuleType]) -> list[APIRouter]:
    return [module.router for module in modules]


def _routes(router: APIRouter) -> Sequence[BaseRoute]:
    """Return a router's routes for all apps of this process: to build them is most of what an app costs."""
    if id(router) not in _BUILT:  # a router cannot be a key; kept in its own routes, it stays and so does its id
        built = APIRouter()
        built.include_router(router)
        _BUILT[id(router)] = built.routes
    return _BUILT[id(router)]


def own(settings: Settings, prefix: str = "", identify: Identify | None = None) -> Dialect:
    """Return how addresses are answered that belong to no dialect: the service's own pages."""
    return Dialect(
        prefix=prefix,
        write_failure=problem_answer,
        max_body_bytes=settings.api.max_body_bytes,
        larger_bodies={sync_extractions.RESULT_PATH: sync_extractions.MOST_RESULT_BYTES},
        identify=identify,
    )


def closed(settings: Settings) -> list[Dialect]:
    """Return how the addresses of workers and of the admin are answered; the public listener does not serve them."""
    return [own(settings, INTERNAL_PREFIX, sending_worker), own(settings, ADMIN_PREFIX, sending_admin)]
