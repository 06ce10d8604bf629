"""One ledger of each kind, with a clock that stands still until a test moves it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import DuckdbLedger
from octavo.ledger.memory import MemoryLedger
from tests.contract.ledger.world import StandingClock, World, recount

_STATEFUL = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("ledger", _STATEFUL, max_examples=6, stateful_step_count=25)
settings.register_profile("long", _STATEFUL, max_examples=500, stateful_step_count=60)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture(params=["memory", "duckdb"])
def ledger(request: pytest.FixtureRequest, clock: StandingClock, tmp_path: Path) -> Iterator[Ledger]:
    in_memory = request.param == "memory"
    path = tmp_path / "ledger.duckdb"
    kept: Ledger = MemoryLedger(clock) if in_memory else DuckdbLedger(path, clock=clock)
    yield kept
    kept.close()


@pytest.fixture
def world(ledger: Ledger, clock: StandingClock) -> Iterator[World]:
    """A world whose batches, whatever a test did to them, have the counts that their items make."""
    made = World(ledger, clock)
    yield made
    for customer in ledger.customers():
        for batch in ledger.batches(customer.customer_id, limit=1000):
            assert batch.counts == recount(made.items(batch))
            assert batch.counts.total == batch.total_items
