"""A worker among others: it leaves runs of a batch that it has open to them."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import anyio
import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.settings import PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from prefect.states import Scheduled

from deployments.worker import OctavoWorker

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_server_of_prefect() -> Iterator[None]:
    # Its logger would start one in this process, to send its lines to.
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield


class Worker(OctavoWorker):
    """A worker at which a run goes on until it is told to end; Prefect is not asked for anything."""

    type = "octavo-in-a-test"

    def __init__(self) -> None:
        super().__init__(work_pool_name="octavo", name="one")
        self.begun: list[FlowRun] = []
        self.ends: dict[Any, anyio.Event] = {}

    async def _propose_pending_state(self, flow_run: FlowRun) -> bool:
        self.begun.append(flow_run)
        self.ends[flow_run.id] = anyio.Event()
        await self.ends[flow_run.id].wait()
        return False  # as when another worker was quicker

    async def offer(self, *flow_runs: FlowRun) -> list[FlowRun]:
        """Let Prefect offer these runs; returns those that were taken."""
        before = len(self.begun)
        await self._submit_scheduled_flow_runs(
            [
                WorkerFlowRunResponse(work_pool_id=uuid4(), work_queue_id=uuid4(), flow_run=flow_run)
                for flow_run in flow_runs
            ]
        )
        await anyio.wait_all_tasks_blocked()
        return self.begun[before:]


def a_run(batch_id: str | None = None) -> FlowRun:
    parameters = {} if batch_id is None else {"batch_id": batch_id}
    return FlowRun(flow_id=uuid4(), name="run", parameters=parameters, state=Scheduled())


async def test_of_two_runs_of_a_batch_a_worker_takes_one_and_leaves_the_other() -> None:
    worker = Worker()
    first, second, other = a_run("batch_1"), a_run("batch_1"), a_run("batch_2")
    async with anyio.create_task_group() as worker._runs_task_group:
        assert await worker.offer(first, second, other) == [first, other]
        assert await worker.offer(second) == []
        assert await worker.offer(first, other) == [], "what it has it does not take again"
        worker.ends[first.id].set()
        await anyio.wait_all_tasks_blocked()
        assert await worker.offer(second) == [second], "it may help once its own run is over"
        for end in worker.ends.values():
            end.set()


async def test_runs_that_are_about_no_batch_do_not_hinder_each_other() -> None:
    worker = Worker()
    runs = [a_run(), a_run()]
    async with anyio.create_task_group() as worker._runs_task_group:
        assert await worker.offer(*runs) == runs
        for end in worker.ends.values():
            end.set()


async def test_a_worker_that_leaves_takes_nothing() -> None:
    worker = Worker()
    worker._is_leaving = True
    async with anyio.create_task_group() as worker._runs_task_group:
        assert await worker.offer(a_run("batch_1"), a_run()) == []
