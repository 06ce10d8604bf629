"""The ledger's interface: small facets, and every one of them there."""

import inspect

import pytest

from octavo.ledger import contract
from octavo.ledger.contract import Ledger
from octavo.ledger.duckdb import DuckdbLedger

MOST_METHODS = 15
FACETS = {name: getattr(contract, name) for name in contract.__all__ if name.endswith("Ledger") and name != "Ledger"}


def methods(facet: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(facet, inspect.isfunction) if not name.startswith("_")]


@pytest.mark.parametrize("facet", FACETS.values(), ids=FACETS)
def test_a_facet_is_small(facet: type) -> None:
    assert 5 <= len(methods(facet)) <= MOST_METHODS


def test_a_ledger_is_its_facets() -> None:
    assert len(FACETS) == 10
    assert methods(Ledger) == ["close"]
    assert methods(DuckdbLedger) == ["close"]
