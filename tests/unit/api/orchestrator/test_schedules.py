"""What `/health` says of schedules: a scheduler that plans nothing, a run that waits too long, services that fail."""

from datetime import timedelta

import pytest

from api.orchestrator.schedules import OVERDUE, UNPLANNED_SECONDS, ScheduledFlow, ScheduleWatch
from octavo.timestamps import now
from tests.unit.api.service import Api

pytestmark = pytest.mark.anyio


def flow(*, is_active: bool = True, next_in: timedelta | None = timedelta(minutes=7)) -> ScheduledFlow:
    moment = now()
    return ScheduledFlow(
        name="prune",
        is_active=is_active,
        ended_at=moment - timedelta(minutes=53),
        state="Completed",
        next_at=None if next_in is None else moment + next_in,
    )


def watch_of(api: Api, *flows: ScheduledFlow) -> ScheduleWatch:
    watch = api.service.schedules
    watch.flows = flows
    watch.note(flows, 0.0)
    return watch


async def test_a_schedule_without_a_next_run_is_told_after_some_rounds_of_the_scheduler(api: Api) -> None:
    watch = watch_of(api, flow(next_in=None))
    assert watch.trouble(UNPLANNED_SECONDS - 1) is None
    assert watch.trouble(UNPLANNED_SECONDS + 1) == "Prefect's scheduler plans no next run of prune"
    watch.note((flow(),), UNPLANNED_SECONDS + 2)
    assert watch.trouble(UNPLANNED_SECONDS + 3) is None


@pytest.mark.parametrize("planned", [None, -2 * OVERDUE])
async def test_what_somebody_paused_is_no_trouble(api: Api, planned: timedelta | None) -> None:
    assert watch_of(api, flow(is_active=False, next_in=planned)).trouble(2 * UNPLANNED_SECONDS) is None


async def test_a_run_that_waits_long_after_its_time_is_told_and_health_is_degraded(api: Api) -> None:
    watch_of(api, flow(next_in=-2 * OVERDUE))
    answer = (await api.client().get("/health")).json()
    assert answer["parts"]["schedules"]["message"] == "late: prune"
    assert answer["status"] == "degraded"


async def test_the_last_end_of_each_scheduled_flow_is_told_by_name_and_time(api: Api) -> None:
    found = flow()
    watch_of(api, found)
    answer = (await api.client().get("/health")).json()
    assert answer["parts"]["schedules"] == {"status": "ok", "message": None, "milliseconds": None}
    assert set(answer["scheduled"]["prune"]) == {"ended_at", "state", "next_at"}
    assert answer["scheduled"]["prune"]["state"] == "Completed"
