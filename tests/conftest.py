"""What holds for every test."""

import compileall
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests import temporary
from tests.budgets import Budgets

if TYPE_CHECKING:
    from xdist.scheduler import Scheduling

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("octavo", "api", "flows", "tasks", "deployments")
BUDGETS = Budgets.read()
# How long an example takes says more about what else the machine does.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # the workers inherit it
        config.add_cleanup(temporary.use_memory())
        _compile_once()


def _compile_once() -> None:
    """Compile the checkout, also where Python is told not to: else each of a hundred processes does so for itself."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for room in ROOMS:
        compileall.compile_dir(ROOT / room, quiet=2)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    from tests.distribution import workers

    return workers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "Scheduling":
    from tests.distribution import Distribution

    return Distribution(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    from tests.distribution import start_stack_before

    start_stack_before(item)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    from tests.distribution import end_stack_after

    end_stack_after(item, nextitem)


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


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    BUDGETS.add(report.nodeid, report.duration)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("seconds of all workers by group, of its budget")
    for line in BUDGETS.lines():
        terminalreporter.write_line(line)
    for warning in BUDGETS.warnings():
        terminalreporter.write_line(f"WARNING: {warning}", yellow=True)


@pytest.fixture(scope="module", autouse=True)
def what_a_module_left_open_fails_in_that_module() -> Iterator[None]:
    """Collect garbage where it was made: a socket left open would else fail whichever test the collector met."""
    yield
    gc.collect()
