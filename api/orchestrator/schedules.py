"""Whether what is scheduled in Prefect runs: seen by its effect, whatever Prefect's own services say of themselves.

A scheduler that fails every minute writes that into a log that nobody reads, while its server answers and all states
are green. So this looks at what a scheduler that works leaves behind: a next run for each schedule of ours, and none
that waits long after its time. The embedded server also tells which of its services have failed lately.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from api.orchestrator.dispatch import TROUBLE, Dispatcher
from api.periodic_task import PeriodicTask
from octavo.supervisor.prefect_access import FAILURES_PATH
from octavo.timestamps import now

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 30.0
SCHEDULED_FLOWS = ("prune", "expire")
UNPLANNED_SECONDS = 240.0
"""How long a schedule may be without a next run: Prefect's scheduler looks once a minute."""
OVERDUE = timedelta(minutes=15)
"""How long after its time a run may wait for a worker that is busy or being restarted."""
ENDS = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED]


@dataclass(frozen=True, slots=True)
class ScheduledFlow:
    """When a scheduled flow ended the last time, and when it runs next."""

    name: str
    is_active: bool
    """Whether it has a schedule, and neither that nor its deployment is paused."""
    ended_at: datetime | None
    state: str | None
    next_at: datetime | None


class ScheduleWatch:
    """Looks every half minute; what it saw last is shown in `/health`."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._unplanned: dict[str, float] = {}
        """Since when schedules have no next run, in monotonic seconds."""
        self._failures: list[str] = []
        self.flows: Sequence[ScheduledFlow] = ()
        self._task = PeriodicTask(
            "the look at schedules",
            self._pass,
            seconds=PERIOD_SECONDS,
            longest_pause_seconds=PERIOD_SECONDS,
            passing=TROUBLE,
            # What is shown here must not end what it looks after.
            survives_defects=True,
            logger=logger,
        )

    async def run(self) -> None:
        """Look until this is cancelled."""
        await self._task.run(at_once=True)

    async def _pass(self) -> None:
        await self.look()

    async def look(self) -> None:
        """See how the scheduled flows stand now."""
        client = await self._dispatcher.prefect()
        self.flows = [found for name in SCHEDULED_FLOWS if (found := await _look_at(client, name)) is not None]
        self._failures = await _failures(client)
        self.note(self.flows, time.monotonic())

    def note(self, flows: Sequence[ScheduledFlow], moment: float) -> None:
        """Note since when which schedules have no next run."""
        unplanned = [flow.name for flow in flows if flow.is_active and flow.next_at is None]
        self._unplanned = {name: self._unplanned.get(name, moment) for name in unplanned}

    def trouble(self, moment: float | None = None) -> str | None:
        """Return what is wrong with schedules, in words for `/health`; None while all is well."""
        monotonic = time.monotonic() if moment is None else moment
        unplanned = [name for name, since in self._unplanned.items() if monotonic - since > UNPLANNED_SECONDS]
        late = [
            flow.name
            for flow in self.flows
            if flow.is_active and flow.next_at is not None and now() - flow.next_at > OVERDUE
        ]
        told = [
            f"Prefect's scheduler plans no next run of {', '.join(unplanned)}" if unplanned else "",
            f"late: {', '.join(late)}" if late else "",
            f"services of Prefect have failed lately: {', '.join(self._failures)}" if self._failures else "",
        ]
        return "; ".join(filter(None, told)) or None


async def _look_at(client: PrefectClient, name: str) -> ScheduledFlow | None:
    """Return how a flow of ours stands; None before a worker has registered its deployment."""
    try:
        deployment = await client.read_deployment_by_name(f"{name}/{name}")
    except ObjectNotFound:
        return None
    of_flow = FlowFilter(name=FlowFilterName(any_=[name]))
    ended = await client.read_flow_runs(
        flow_filter=of_flow, flow_run_filter=_in(ENDS), sort=FlowRunSort.END_TIME_DESC, limit=1
    )
    planned = await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
        flow_run_filter=_in([StateType.SCHEDULED]),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=1,
    )
    return ScheduledFlow(
        name=name,
        is_active=_is_active(deployment),
        ended_at=ended[0].end_time if ended else None,
        state=ended[0].state_name if ended else None,
        next_at=_planned_at(planned),
    )


def _in(states: list[StateType]) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)))


def _planned_at(runs: Sequence[FlowRun]) -> datetime | None:
    return runs[0].expected_start_time if runs else None


def _is_active(deployment: DeploymentResponse) -> bool:
    return not deployment.paused and any(schedule.active for schedule in deployment.schedules)


async def _failures(client: PrefectClient) -> list[str]:
    """Return the names of services that have failed lately; a server that was not started by Octavo tells none."""
    try:
        found: list[dict[str, Any]] = (await client.request("GET", FAILURES_PATH)).json()  # type: ignore[arg-type]
    except (ObjectNotFound, PrefectHTTPStatusError) as error:
        if isinstance(error, ObjectNotFound) or error.response.status_code == 404:
            return []
        raise
    return [str(one["service"]) for one in found]
