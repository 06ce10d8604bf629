"""An API per test; `both_ledgers` runs a test over the real ledger too."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.objects.memory import MemoryObjects
from tests.unit.api.service import Api, MovableClock, make_service, settings


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def ledger(request: pytest.FixtureRequest, clock: MovableClock, tmp_path: Path) -> Iterator[Ledger]:
    kind = getattr(request, "param", "memory")
    kept: Ledger = memory_ledger(clock) if kind == "memory" else DuckdbLedger(tmp_path / "ledger.duckdb", clock=clock)
    yield kept
    kept.close()


@pytest.fixture
async def api(anyio_backend: str, ledger: Ledger, clock: MovableClock, tmp_path: Path) -> AsyncIterator[Api]:
    objects = MemoryObjects()
    made = Api.make(make_service(settings(tmp_path), ledger, objects), objects, clock)
    yield made
    await made.close()
