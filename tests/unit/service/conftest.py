"""A world per test."""

from collections.abc import Iterator

import pytest

from octavo.ledger.duckdb import memory_ledger
from tests.unit.api.service import MovableClock
from tests.unit.service.world import World


@pytest.fixture
def world() -> Iterator[World]:
    clock = MovableClock()
    ledger = memory_ledger(clock)
    yield World(ledger, clock)
    ledger.close()
