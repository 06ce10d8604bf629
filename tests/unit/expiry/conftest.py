"""A ledger of each kind, storage in memory, and one clock for both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from octavo.expiry.expiring import Expiry
from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import DuckdbLedger, memory_ledger
from octavo.objects.memory import MemoryObjects
from tests.contract.ledger.world import StandingClock, World


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def objects(clock: StandingClock) -> MemoryObjects:
    return MemoryObjects(clock)


@pytest.fixture(params=["memory", "duckdb"])
def ledger(request: pytest.FixtureRequest, clock: StandingClock, tmp_path: Path) -> Iterator[Ledger]:
    in_memory = request.param == "memory"
    kept: Ledger = memory_ledger(clock) if in_memory else DuckdbLedger(tmp_path / "ledger.duckdb", clock=clock)
    yield kept
    kept.close()


@pytest.fixture
def world(ledger: Ledger, clock: StandingClock) -> World:
    return World(ledger, clock)


@pytest.fixture
def expiry(ledger: Ledger, objects: MemoryObjects) -> Expiry:
    return Expiry(ledger, objects)
