"""A worker that runs flows in its own process: no start-up of 4 to 7 seconds for every flow run.

It is woken by Octavo's API, drains on SIGTERM, and turns a cancel in the Prefect UI into a cancel of
the batch. Prefect's poll of once a second is the fallback.
"""

import importlib
import logging
import os
from typing import Any
from uuid import UUID

import anyio
import anyio.abc
import anyio.to_thread
from prefect import Flow
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.flow_engine import run_flow
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from deployments.worker.lane_slots import LaneSlots
from octavo import wiring
from octavo.client.worker import WorkerClient
from octavo.errors import OctavoError
from octavo.extraction.extractor import Extractor
from octavo.identifiers import RunId
from octavo.settings import read_settings
from octavo.workbench import Workbench
from tasks import bench as process_bench

logger = logging.getLogger(__name__)
FLOW_ROOM = "flows."
MOST_RUNS = 256
WAKE_SECONDS = 20.0
CANCEL_PERIOD_SECONDS = 2.0
PAUSE_SECONDS = 1.0


class OctavoWorkerResult(BaseWorkerResult):
    """What a run came to: 0 for any state that the engine recorded."""


class OctavoWorker(BaseWorker[BaseJobConfiguration, BaseVariables, OctavoWorkerResult]):
    """Runs the flows of this installation in this process."""

    type = "octavo"
    job_configuration = BaseJobConfiguration
    _description = "Runs Octavo's flows in one long-lived process, woken by Octavo's API."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._active: set[UUID] = set()
        self._idle = anyio.Event()
        self._threads = anyio.CapacityLimiter(MOST_RUNS)
        self._services: anyio.abc.TaskGroup | None = None
        self._bench: Workbench | None = None
        self._connection: WorkerClient | None = None
        self._reader: Extractor | None = None
        self._lane_slots: LaneSlots | None = None

    async def setup(self) -> None:
        """Say hello to Octavo's API, warm the parsers up, begin to listen."""
        settings = read_settings()
        self._connection = wiring.worker_client(settings, self.name)
        self._reader = wiring.extractor(settings)
        connection, reader = self._connection, self._reader
        # Before hello: a worker whose sandbox cannot be set up must not claim anything.
        await anyio.to_thread.run_sync(reader.warm_up)
        self._bench = await anyio.to_thread.run_sync(lambda: wiring.workbench(settings, connection, reader))
        self._lane_slots = LaneSlots(self._bench)
        self._bench.on_change = self._lane_slots.changed
        self._bench.start()
        process_bench.install(self._bench)
        await super().setup()
        self._services = anyio.create_task_group()
        await self._services.__aenter__()
        self._services.start_soon(self._listen, connection)
        self._services.start_soon(self._watch_cancels, self._bench)
        self._services.start_soon(self._lane_slots.run)

    async def teardown(self, *exc_info: Any) -> None:
        """Drain: claim nothing more, let what is in work finish, then leave."""
        with anyio.CancelScope(shield=True):
            if self._bench is not None:
                await anyio.to_thread.run_sync(self._bench.drain)
            while self._active:
                await self._idle.wait()
            await self._leave()
        await super().teardown(*exc_info)

    async def _leave(self) -> None:
        if self._services is not None:
            self._services.cancel_scope.cancel()
            await self._services.__aexit__(None, None, None)
        if self._lane_slots is not None:
            await self._lane_slots.release_all()
        if self._connection is not None:
            try:
                await anyio.to_thread.run_sync(self._connection.goodbye)
            except OctavoError as error:
                logger.warning("the API does not hear the goodbye: %s", error.message)
        if self._bench is not None:
            await anyio.to_thread.run_sync(self._bench.close)
        if self._reader is not None:
            await anyio.to_thread.run_sync(self._reader.close)

    async def run(
        self,
        flow_run: FlowRun,
        configuration: BaseJobConfiguration,
        task_status: anyio.abc.TaskStatus[int] | None = None,
    ) -> OctavoWorkerResult:
        """Run one flow run in a thread of this process."""
        flow = await self._flow(flow_run)
        if task_status is not None:
            task_status.started(os.getpid())
        self._active.add(flow_run.id)
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(
                    lambda: run_flow(flow, flow_run=flow_run, return_type="state"), limiter=self._threads
                )
        except Exception:  # the engine itself failed: the base class shows the run as Crashed
            logger.exception("the engine lost flow run %s", flow_run.id)
            return OctavoWorkerResult(identifier=str(flow_run.id), status_code=1)
        finally:
            with anyio.CancelScope(shield=True):
                await self._forget(flow_run.id)
        return OctavoWorkerResult(identifier=str(flow_run.id), status_code=0)

    async def _forget(self, flow_run_id: UUID) -> None:
        """Whatever way the flow ended, the ledger hears that its run has."""
        run_id, connection = RunId(str(flow_run_id)), self._connection
        if self._bench is not None and connection is not None:
            self._bench.forget_run(run_id)
            try:
                await anyio.to_thread.run_sync(lambda: connection.end_run(run_id))
            except OctavoError as error:
                logger.warning("the API does not hear that run %s ended: %s", run_id, error.message)
        self._active.discard(flow_run_id)
        if not self._active:
            self._idle.set()
            self._idle = anyio.Event()

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        """Leave out a call to Prefect that nothing here reads: it stands between submission and first item."""

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Leave out the state between Pending and Running: there is no infrastructure to wait for."""

    async def _flow(self, flow_run: FlowRun) -> Flow[..., Any]:
        if flow_run.deployment_id is None:
            raise ValueError("a warm worker runs deployments only")
        deployment = await self.client.read_deployment(flow_run.deployment_id)
        entrypoint = deployment.entrypoint or ""
        module, _, name = entrypoint.rpartition(".")
        # A deployment is data from another process: only our own room of flows is imported.
        if not module.startswith(FLOW_ROOM):
            raise ValueError(f"entrypoint {entrypoint!r} is not one of ours; it must begin with {FLOW_ROOM!r}")
        flow: Flow[..., Any] = getattr(importlib.import_module(module), name)
        return flow

    async def _listen(self, connection: WorkerClient) -> None:
        """Fetch runs as soon as the API rings."""
        rings = -1
        while True:
            heard = rings

            def wait(heard: int = heard) -> int:
                return connection.wait_for_runs(heard, WAKE_SECONDS)

            try:
                rings = await anyio.to_thread.run_sync(wait, abandon_on_cancel=True, limiter=self._threads)
            except OctavoError as error:
                logger.warning("the API cannot wake this worker: %s", error.message)
                await anyio.sleep(PAUSE_SECONDS)
                continue
            if rings != heard and self.is_setup:
                await self._fetch()

    async def _fetch(self) -> None:
        try:
            await self.get_and_submit_flow_runs()
        except Exception:  # the base class's own poll, a second later, is the fallback
            logger.warning("flow runs could not be fetched", exc_info=True)

    async def _watch_cancels(self, bench: Workbench) -> None:
        while True:
            await anyio.sleep(CANCEL_PERIOD_SECONDS)
            if not self._active:
                continue
            try:
                found = await self.client.read_flow_runs(
                    flow_run_filter=FlowRunFilter(
                        id=FlowRunFilterId(any_=list(self._active)),
                        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CANCELLING])),
                    )
                )
            except Exception:  # Prefect is away; it is asked again in two seconds
                logger.warning("Prefect cannot be asked for cancelled runs", exc_info=True)
                continue
            for flow_run in found:
                await self._cancel(bench, RunId(str(flow_run.id)))

    async def _cancel(self, bench: Workbench, run_id: RunId) -> None:
        if not bench.is_cancelled(run_id):
            logger.info("run %s was cancelled in Prefect", run_id)
            await anyio.to_thread.run_sync(lambda: bench.cancel_run(run_id))
