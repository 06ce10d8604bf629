"""The contract's suite, run on every ledger there is, with a clock that stands still until a test moves it.

A second implementation joins by a line in `LEDGERS`.
"""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings

from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import memory_ledger
from octavo.timestamps import Clock
from tests.contract.ledger.world import StandingClock, World, recount

_STATEFUL = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("ledger", _STATEFUL, max_examples=6, stateful_step_count=25)
settings.register_profile("long", _STATEFUL, max_examples=500, stateful_step_count=60)


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


MakeLedger = Callable[[Clock], Ledger]
LEDGERS: dict[str, MakeLedger] = {"duckdb": memory_ledger}


@pytest.fixture(params=LEDGERS)
def make_ledger(request: pytest.FixtureRequest) -> MakeLedger:
    """Make an empty ledger of the kind that the test runs on."""
    return LEDGERS[request.param]


@pytest.fixture
def ledger(make_ledger: MakeLedger, clock: StandingClock) -> Iterator[Ledger]:
    kept = make_ledger(clock)
    yield kept
    kept.close()


@pytest.fixture
def world(ledger: Ledger, clock: StandingClock) -> Iterator[World]:
    """A world whose batches, whatever a test did to them, have the counts that their items make."""
    made = World(ledger, clock)
    yield made
    for customer in ledger.accounts.customers():
        for batch in ledger.batches.of_customer(customer.customer_id, limit=1000):
            assert batch.counts == recount(made.items(batch))
            assert batch.counts.total == batch.total_items
