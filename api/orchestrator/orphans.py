"""Ends runs in Prefect that nobody works on any more, so that its UI eventually shows the truth.

A run that a dead worker held is ended by the reconciler. What is left over: a worker that was killed between
its last word to the ledger and its last word to Prefect, a run that was never begun when its batch ended without
it, and the task runs of a lost run, which Prefect leaves Running for ever.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType
from prefect.states import Cancelled, Crashed

from api.orchestrator.dispatch import TROUBLE, Dispatcher
from api.periodic_task import PeriodicTask
from api.threads import in_thread
from api.workers.registry import WorkerRegistry
from octavo.batches import Run, RunStatus
from octavo.errors import BatchNotFound
from octavo.identifiers import RunId
from octavo.ledger.contract import Ledger
from octavo.timestamps import now

logger = logging.getLogger(__name__)
PERIOD_SECONDS = 10.0
GRACE = timedelta(seconds=60)
"""How long Prefect may lag behind before its states are doubted: it records task runs from events, with delay."""
CRASHED_GRACE = timedelta(seconds=10)
"""The same after a crash: a dead worker sends no more events."""
LAST_WORD = timedelta(seconds=120)
"""How long a living worker may take to end a run in Prefect that it has ended in the ledger."""
PAGE = 200
"""As many as Prefect returns at once."""
UNDONE = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING, StateType.SCHEDULED]
LOST = "The worker was lost when the run's work was done; nothing of the batch is missing."
NOT_NEEDED = "The batch ended before a worker was free for this run."
LOST_WITH_RUN = "Its flow run has ended without it; the rest continues in a new run of the batch."


class Orphans:
    """Looks for flow runs and task runs without a worker."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, workers: WorkerRegistry) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._workers = workers
        self._task = PeriodicTask(
            "the search for orphaned runs",
            self._pass,
            seconds=PERIOD_SECONDS,
            longest_pause_seconds=PERIOD_SECONDS,
            passing=TROUBLE,
            logger=logger,
        )

    async def run(self) -> None:
        """Look for orphans until this is cancelled; while Prefect is unavailable nothing is ended."""
        await self._task.run()

    async def _pass(self) -> None:
        await self.look()

    async def look(self) -> int:
        """End what is orphaned now; return how many flow runs and task runs that were."""
        client = await self._dispatcher.prefect()
        deployment = await self._dispatcher.deployment_id()
        ended = await self._end_flow_runs(client, deployment)
        ended += await _end_task_runs(client, deployment, [StateType.CRASHED], now() - CRASHED_GRACE)
        return ended + await _end_task_runs(client, deployment, list(TERMINAL_STATES), now() - GRACE)

    async def _end_flow_runs(self, client: PrefectClient, deployment: UUID) -> int:
        undone = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDONE)))
        ended, seen = 0, 0
        while True:
            page = await client.read_flow_runs(
                flow_run_filter=undone, deployment_filter=_of(deployment), limit=PAGE, offset=seen
            )
            for flow_run in page:
                if (state := await self._last_state(flow_run)) is not None:
                    await client.set_flow_run_state(flow_run.id, state, force=True)
                    logger.info("flow run %s is shown as %s", flow_run.id, state.name)
                    ended += 1
                else:
                    seen += 1
            if len(page) < PAGE:
                return ended

    async def _last_state(self, flow_run: FlowRun) -> State[None] | None:
        """Return the state in which to show an orphaned flow run, after ending it in the ledger; None for others."""
        run_id, shown, moment = RunId(str(flow_run.id)), flow_run.state, now()
        run = await in_thread(lambda: self._ledger.runs.get(run_id))
        if run is None or shown is None or moment - shown.timestamp < GRACE:
            return None
        # One that is scheduled again was retried by somebody, and waits for a worker.
        if run.status is RunStatus.ENDED and not shown.is_scheduled() and self._is_left(run, moment):
            return Cancelled(message=LOST) if shown.is_cancelling() else Crashed(message=LOST)
        if run.status is RunStatus.STARTING and await self._is_over(run):
            await in_thread(lambda: self._ledger.runs.end(run_id))
            return Cancelled(message=NOT_NEEDED)
        return None

    def _is_left(self, run: Run, moment: datetime) -> bool:
        """Whether no worker will end the run in Prefect: it is silent, or has had enough time for that."""
        is_silent = run.worker_id is None or self._workers.is_silent(run.worker_id)
        return is_silent or moment - run.seen_at > LAST_WORD

    async def _is_over(self, run: Run) -> bool:
        try:
            batch = await in_thread(lambda: self._ledger.batches.get(run.customer_id, run.batch_id))
        except BatchNotFound:
            return True
        return batch.status.is_terminal


async def _end_task_runs(
    client: PrefectClient, deployment: UUID, flow_run_states: list[StateType], before: datetime
) -> int:
    """End the task runs that ended flow runs left behind: one page now, the rest in the next look."""
    page = await client.read_task_runs(
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=flow_run_states)),
            end_time=FlowRunFilterEndTime(before_=before),
        ),
        task_run_filter=TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=UNDONE))),
        deployment_filter=_of(deployment),
        limit=PAGE,
    )
    for task_run in page:
        await client.set_task_run_state(task_run.id, Crashed(message=LOST_WITH_RUN), force=True)
    if page:
        logger.info("%d task runs of ended flow runs are shown as Crashed", len(page))
    return len(page)


def _of(deployment: UUID) -> DeploymentFilter:
    return DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
