"""Prefect's background services: which of them failed lately is heard from their loggers, docket's included."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from sqlite3 import OperationalError

import pytest
from docket import Docket, Perpetual, Worker

from deployments.service_failures import LATELY_SECONDS, LOGGERS, ServiceFailures


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failures(clock: Clock) -> Iterator[ServiceFailures]:
    made = ServiceFailures(clock)
    made.listen()
    yield made
    for name in LOGGERS:
        logging.getLogger(name).removeHandler(made)


def names(failures: ServiceFailures) -> list[object]:
    return [one["service"] for one in failures.recent()]


def fail(logger: str, error: Exception) -> None:
    try:
        raise error
    except Exception:
        logging.getLogger(logger).exception("it went wrong")


@pytest.mark.anyio
async def test_a_perpetual_task_that_raises_is_told_by_its_name(failures: ServiceFailures) -> None:
    async def schedule_deployments(
        perpetual: Perpetual = Perpetual(every=timedelta(seconds=30)),  # noqa: B008 - how docket reads it
    ) -> None:
        raise ValueError("Can't evaluate bulk DML statement")

    async with Docket(name="test", url="memory://failures") as docket:
        docket.register(schedule_deployments)
        await docket.add(schedule_deployments, key="schedule_deployments")()
        async with Worker(docket) as worker:
            await worker.run_at_most({"schedule_deployments": 1})
    assert [(one["service"], one["error"]) for one in failures.recent()] == [("schedule_deployments", "ValueError")]


def test_what_a_service_logs_itself_is_told_by_its_module(failures: ServiceFailures) -> None:
    fail("prefect.server.services.scheduler", ValueError("no cron"))
    fail("prefect.server.api.server", ValueError("a request"))
    assert names(failures) == ["services.scheduler"]


def test_a_failure_is_told_for_some_minutes(failures: ServiceFailures, clock: Clock) -> None:
    fail("prefect.server.services.db_vacuum", ValueError("no"))
    clock.seconds = LATELY_SECONDS - 1
    assert names(failures) == ["services.db_vacuum"]
    clock.seconds = LATELY_SECONDS + 1
    assert names(failures) == []


def test_a_busy_database_is_no_failure(failures: ServiceFailures) -> None:
    fail("prefect.server.services.late_runs", OperationalError("database is locked"))
    logging.getLogger("prefect.server.services.late_runs").warning("slow")
    assert names(failures) == []
