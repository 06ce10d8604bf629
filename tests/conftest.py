"""What holds for every test."""

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def what_a_module_left_open_fails_in_that_module() -> Iterator[None]:
    """Collect garbage where it was made: a socket left open would else fail whichever test the collector met."""
    yield
    gc.collect()
