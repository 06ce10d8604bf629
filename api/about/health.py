"""`GET /health`: the state of each part; 200 if everything that requests need works."""

import asyncio
import time
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Literal

import httpx
from fastapi import APIRouter, Response
from pydantic import BaseModel

from api.http.dependencies import Service, ServiceDep
from api.threads import in_thread
from octavo import __version__
from octavo.authorities import authorities
from octavo.engines.sandbox.confinement import WALLS
from octavo.errors import OctavoError
from octavo.identifiers import WorkerId

router = APIRouter(tags=["operation"])
PROBE_SECONDS = 3.0
UNSERVED_SECONDS = 60.0
"""How long items may wait for a first worker before that is worth a word: workers start after their node."""


class PartHealth(BaseModel):
    """One part."""

    status: Literal["ok", "down"]
    message: str | None = None
    milliseconds: int | None = None


class Protection(BaseModel):
    """Which of the sandbox's walls are up around a worker's children, and which are missing."""

    active: list[str]
    missing: list[str]


class LastRun(BaseModel):
    """When a scheduled flow ended the last time, how, and when it runs next."""

    ended_at: datetime | None
    state: str | None
    next_at: datetime | None


class Health(BaseModel):
    """The whole stack; `sandbox` has an entry for each worker by its name, `scheduled` for each scheduled flow."""

    status: Literal["ok", "degraded"]
    version: str
    parts: dict[str, PartHealth]
    workers: list[str]
    sandbox: dict[str, Protection]
    scheduled: dict[str, LastRun]
    api_url: str
    docs_url: str


@router.get("/health", responses={503: {"model": Health, "description": "A part is down."}})
async def health(response: Response, service: ServiceDep) -> Health:
    """Get the state of each part: ledger, storage, disk, Prefect, workers, archive, schedules, and waiting work."""
    names = ("ledger", "storage", "disk", "prefect", "worker")
    parts = await asyncio.gather(
        _timed(_ledger(service)),
        _timed(_storage(service)),
        _timed(_disk(service)),
        _timed(_prefect(service)),
        _timed(_worker(service)),
    )
    found = dict(zip(names, parts, strict=True))
    response.status_code = 200 if all(part.status == "ok" for part in parts) else 503
    # The service answers without its archive, and while batches wait, but its operator should know.
    others = {"archive": service.archive.trouble, "schedules": service.schedules.trouble(), "work": _work(service)}
    for name, trouble in others.items():
        found[name] = PartHealth(status="down" if trouble else "ok", message=trouble)
    api_url = service.settings.api.public_url or ""
    there = service.workers.alive()
    return Health(
        status="ok" if all(part.status == "ok" for part in found.values()) else "degraded",
        version=__version__,
        parts=found,
        workers=[_name(worker_id) for worker_id in there],
        sandbox={
            _name(worker_id): told for worker_id in there if (told := _protection(service, worker_id)) is not None
        },
        scheduled={
            flow.name: LastRun(ended_at=flow.ended_at, state=flow.state, next_at=flow.next_at)
            for flow in service.schedules.flows
        },
        api_url=api_url,
        docs_url=f"{api_url}/docs",
    )


def _name(worker_id: WorkerId) -> str:
    return worker_id.partition("/")[0]


def _protection(service: Service, worker_id: WorkerId) -> Protection | None:
    active = service.workers.protection(worker_id)
    if not active:
        return None
    return Protection(active=list(active), missing=[wall for wall in WALLS if wall not in active])


async def _timed(probe: Coroutine[Any, Any, str | None]) -> PartHealth:
    began = time.monotonic()
    try:
        trouble = await asyncio.wait_for(probe, PROBE_SECONDS)
    except TimeoutError:
        trouble = f"no answer within {PROBE_SECONDS:.0f} s"
    spent = int((time.monotonic() - began) * 1000)
    return PartHealth(status="down" if trouble else "ok", message=trouble, milliseconds=spent)


async def _ledger(service: Service) -> str | None:
    try:
        await in_thread(service.ledger.work.workers)
    except OctavoError as error:
        return error.message
    return None


async def _storage(service: Service) -> str | None:
    try:
        await in_thread(service.objects.check)
    except OctavoError as error:
        return error.message
    return None


async def _disk(service: Service) -> str | None:
    trouble = await in_thread(service.disk.trouble)
    return None if trouble is None else f"the data directory takes no bytes: {trouble}"


async def _prefect(service: Service) -> str | None:
    """Ask Prefect, with its login if it has one; strangers read this, so no address is told."""
    given = service.settings.prefect
    if given.api_url is None:
        return "no Prefect API is configured"
    login = given.auth_string.get_secret_value().split(":", 1) if given.auth_string else None
    # `/health` is answered without a login; a wrong one would be noticed by nobody.
    path, auth = ("/health", None) if login is None else ("/version", httpx.BasicAuth(login[0], "".join(login[1:])))
    try:
        async with httpx.AsyncClient(trust_env=False, verify=authorities(), auth=auth) as client:
            answer = await client.get(f"{given.api_url}{path}", timeout=PROBE_SECONDS)
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    if answer.status_code == 401:
        return "the login is refused"
    return None if answer.status_code == 200 else f"HTTP {answer.status_code}"


def _work(service: Service) -> str | None:
    """Return why batches wait that need not wait."""
    if (trouble := service.run_delivery.trouble) is not None:
        return trouble
    waited = service.estimates.unserved_seconds()
    return f"items have waited {waited:.0f} s and no worker has registered" if waited > UNSERVED_SECONDS else None


async def _worker(service: Service) -> str | None:
    there, own = service.workers.alive(), service.settings.worker.count
    if not own:
        # A node without workers of its own is healthy: workers must be able to reach it before they can register.
        return None
    if not there:
        return "no worker has registered yet"
    return f"{len(there)} of {own} workers are alive" if len(there) < own else None
