"""One extractor with the test engines for all tests here."""

from collections.abc import Iterator

import pytest

from octavo.engines.contract import Limits
from octavo.engines.registry import EngineRegistry
from octavo.extraction.extractor import Extractor


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    registry = EngineRegistry.installed(test_engines=True)
    with Extractor(processes=1, limits=Limits(max_bytes=1000), registry=registry) as made:
        yield made
