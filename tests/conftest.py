"""What holds for every test."""

import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import temporary

if TYPE_CHECKING:
    from xdist.scheduler import Scheduling


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the workers inherit it
        config.add_cleanup(temporary.use_memory())


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    from tests.distribution import workers

    return workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "Scheduling":
    from tests.distribution import Distribution

    return Distribution(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        from tests.distribution import share_stacks

        share_stacks(items)


def pytest_collection_finish() -> None:
    # What is imported by now stays: it need not be looked at after each module.
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def what_a_module_left_open_fails_in_that_module() -> Iterator[None]:
    """Collect garbage where it was made: a socket left open would else fail whichever test the collector met."""
    yield
    gc.collect()
