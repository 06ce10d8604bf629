"""An API whose dispatcher speaks to a real Prefect, where no worker picks its runs up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.exceptions import ObjectNotFound

from api.orchestrator.limits import limit_name
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import Api, MovableClock, make_service, settings


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment in a work pool of its own, which has no worker."""

    prefect_url: str
    login: str | None
    name: str


@contextlib.asynccontextmanager
async def orchestrated(
    prefect: PrefectClient,
    deployed: Deployed,
    folder: Path,
    *,
    ledger: DuckdbLedger | None = None,
    silence_seconds: float = 600.0,
    tag_limits: bool = False,
) -> AsyncIterator[Api]:
    """Yield an API whose dispatcher makes runs of that deployment; the clock of its own ledger can be moved."""
    clock, objects = MovableClock(), MemoryObjects()
    given = settings(folder, prefect={"deployment": deployed.name, "tag_limits": tag_limits})
    service = make_service(given, ledger or memory_ledger(clock), objects, silence_seconds=silence_seconds)
    made = Api.make(service, objects, clock)
    loops = [asyncio.create_task(service.dispatcher.run())]
    await asyncio.sleep(0)
    yield made
    for loop in loops:
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
    await service.dispatcher.close()
    await made.close()
    with contextlib.suppress(ObjectNotFound):
        await prefect.delete_global_concurrency_limit_by_name(limit_name(made.customer.customer_id))
