"""A worker that runs flows in its own process: no start-up of 4 to 7 seconds for every flow run.

It is notified by Octavo's API, drains on SIGTERM, and turns a cancel in the Prefect UI into a cancel of
the batch. Prefect's poll, once a second, is the fallback.
"""

import asyncio
import importlib
import logging
import os
import sys
from collections.abc import Coroutine
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
from prefect.client.schemas.responses import WorkerFlowRunResponse
from prefect.flow_engine import run_flow
from prefect.settings import get_current_settings
from prefect.workers.base import BaseJobConfiguration, BaseVariables, BaseWorker, BaseWorkerResult

from deployments.worker.assigned_runs import AssignedRuns
from deployments.worker.customer_slots import CustomerSlots
from deployments.worker.run_listener import RunListener
from octavo import process_tuning, wiring
from octavo.client.worker import WorkerClient
from octavo.errors import OctavoError
from octavo.extraction.extractor import Extractor
from octavo.identifiers import RunId
from octavo.settings import read_settings
from octavo.worker import SliceWorker
from octavo.worker.page_render_worker import PageRenderWorker
from octavo.worker.sync_worker import SyncWorker
from tasks import worker as process_worker

logger = logging.getLogger(__name__)
FLOW_ROOM = "flows."
MOST_RUNS = 256
CANCEL_PERIOD_SECONDS = 2.0
RESTORE_PERIOD_SECONDS = 10.0
"""Between two looks whether somebody has deleted the work pool or a deployment."""
SWITCH_SECONDS = 0.0005
READY_FILE = "OCTAVO_READY_FILE"
"""Variable with the name of a file that is created once the worker is set up, for its supervisor."""


class OctavoWorkerResult(BaseWorkerResult):
    """The exit status of a run: 0 for any state that the engine recorded."""


class OctavoWorker(BaseWorker[BaseJobConfiguration, BaseVariables, OctavoWorkerResult]):
    """Runs the flows of this installation in this process."""

    type = "octavo"
    job_configuration = BaseJobConfiguration
    _description = "Runs Octavo's flows in one long-lived process, notified by Octavo's API."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._active: set[UUID] = set()
        self._assigned = AssignedRuns(
            lambda run_id: self._slice_worker is not None and self._slice_worker.is_stale(run_id)
        )
        self._idle = anyio.Event()
        self._threads = anyio.CapacityLimiter(MOST_RUNS)
        self._services: list[asyncio.Task[None]] = []
        self._is_leaving = False
        self._slice_worker: SliceWorker | None = None
        self._connection: WorkerClient | None = None
        self._reader: Extractor | None = None
        self._customer_slots: CustomerSlots | None = None
        self._sync_worker: SyncWorker | None = None
        self._page_render_worker: PageRenderWorker | None = None
        self._listener: RunListener | None = None

    async def setup(self) -> None:
        """Register at the API, warm up the parsers, begin to listen; if cancelled, leave in an orderly way."""
        try:
            await self._set_up()
        except BaseException:
            # No teardown follows a set-up that did not come to its end.
            with anyio.CancelScope(shield=True):
                await self._leave()
            raise

    async def _set_up(self) -> None:
        # Prefect's engine computes in a thread per task run; a thread that only has to send a report must not wait
        # behind each of them for Python's 5 ms.
        sys.setswitchinterval(SWITCH_SECONDS)
        settings = read_settings()
        self._connection = wiring.worker_client(settings, self.name)
        self._reader = wiring.extractor(settings)
        connection, reader = self._connection, self._reader
        # Before registering: a worker whose sandbox cannot be set up must not claim anything.
        await anyio.to_thread.run_sync(reader.warm_up)
        objects = await anyio.to_thread.run_sync(lambda: wiring.greet(settings, connection, reader))
        self._slice_worker = wiring.slice_worker(settings, connection, reader, objects)
        if settings.prefect.lane_slots:
            self._customer_slots = CustomerSlots(
                self._slice_worker, get_current_settings().home / "lane-slots" / f"{self.name}.json"
            )
            self._slice_worker.on_change = self._customer_slots.changed
        self._slice_worker.start()
        self._sync_worker = wiring.sync_worker(settings, connection, reader)
        self._sync_worker.start()
        self._page_render_worker = wiring.page_render_worker(settings, connection, reader, objects)
        self._page_render_worker.start()
        process_worker.install(self._slice_worker)
        await super().setup()
        # Tasks, not a task group: a group entered here could not be left from within `teardown`'s shield.
        self._start_service(self._watch_cancels(self._slice_worker))
        self._start_service(self._restore_missing())
        if self._customer_slots is not None:
            self._start_service(self._customer_slots.run())
        loop = asyncio.get_running_loop()
        self._listener = RunListener(connection, lambda: asyncio.run_coroutine_threadsafe(self._fetch(), loop))
        self._listener.start()
        process_tuning.exempt_existing_objects()
        if READY_FILE in os.environ:
            await anyio.Path(os.environ[READY_FILE]).touch()

    def _start_service(self, service: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(service)
        task.add_done_callback(_show_defect)
        self._services.append(task)

    async def teardown(self, *exc_info: Any) -> None:
        """Drain: claim nothing more, let what is in progress finish, then leave."""
        self._is_leaving = True
        if self._listener is not None:
            self._listener.stop()
        with anyio.CancelScope(shield=True):
            if self._sync_worker is not None:
                self._sync_worker.drain()
            if self._page_render_worker is not None:
                self._page_render_worker.drain()
            if self._slice_worker is not None:
                await anyio.to_thread.run_sync(self._slice_worker.drain)
            while self._active:
                await self._idle.wait()
            await self._leave()
        await super().teardown(*exc_info)

    async def _leave(self) -> None:
        for service in self._services:
            service.cancel()
        await asyncio.gather(*self._services, return_exceptions=True)
        if self._customer_slots is not None:
            await self._customer_slots.release_all()
        if self._connection is not None:
            try:
                await anyio.to_thread.run_sync(self._connection.goodbye)
            except OctavoError as error:
                logger.warning("the API cannot be told that this worker leaves: %s", error.message)
        if self._slice_worker is not None:
            await anyio.to_thread.run_sync(self._slice_worker.close)
        if self._reader is not None:
            await anyio.to_thread.run_sync(self._reader.close)

    async def _submit_scheduled_flow_runs(self, flow_run_response: list[WorkerFlowRunResponse]) -> list[FlowRun]:
        """Take one run of a batch at a time: further ones are meant for other workers, and wait for them."""
        chosen = [] if self._is_leaving else self._assigned.choose(flow_run_response)
        submitted = await super()._submit_scheduled_flow_runs(chosen)
        are_submitted = {flow_run.id for flow_run in submitted}
        for entry in chosen:
            if entry.flow_run.id not in are_submitted:
                self._assigned.drop(entry.flow_run.id)
        return submitted

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Submit a run; one that another worker took first is dropped."""
        try:
            await super()._submit_run(flow_run)
        finally:
            if flow_run.id not in self._active:
                self._assigned.drop(flow_run.id)

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
        """Report to the ledger that the run has ended, however the flow ended."""
        run_id, connection = RunId(str(flow_run_id)), self._connection
        if self._slice_worker is not None and connection is not None:
            self._slice_worker.forget_run(run_id)
            try:
                await anyio.to_thread.run_sync(lambda: connection.end_run(run_id))
            except OctavoError as error:
                logger.warning("the API cannot be told that run %s ended: %s", run_id, error.message)
        self._active.discard(flow_run_id)
        self._assigned.drop(flow_run_id)
        if not self._active:
            self._idle.set()
            self._idle = anyio.Event()

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        """Skip a call to Prefect that nothing here needs and that would delay the first item."""

    async def _propose_submitting_state(self, flow_run: FlowRun) -> None:
        """Leave out the state between Pending and Running: there is no infrastructure to wait for."""

    async def _flow(self, flow_run: FlowRun) -> Flow[..., Any]:
        if flow_run.deployment_id is None:
            raise ValueError("this worker runs deployments only")
        deployment = await self.client.read_deployment(flow_run.deployment_id)
        entrypoint = deployment.entrypoint or ""
        module, _, name = entrypoint.rpartition(".")
        # A deployment is data from another process: only our own package of flows is imported.
        if not module.startswith(FLOW_ROOM):
            raise ValueError(f"entrypoint {entrypoint!r} is not one of ours; it must begin with {FLOW_ROOM!r}")
        flow: Flow[..., Any] = getattr(importlib.import_module(module), name)
        return flow

    async def _fetch(self) -> None:
        try:
            await self.get_and_submit_flow_runs()
        except Exception:  # the base class's own poll, a second later, is the fallback
            logger.warning("flow runs could not be fetched", exc_info=True)

    async def _restore_missing(self) -> None:
        # Here, because registering imports this module.
        from deployments.register import restore_missing

        while True:
            await anyio.sleep(RESTORE_PERIOD_SECONDS)
            try:
                for name in await restore_missing(self.client):
                    logger.warning("%s was deleted in Prefect, or its work pool; it was created again", name)
            except Exception:  # Prefect is away, or another worker did the same just now; looked at again in a moment
                logger.info("what is registered in Prefect cannot be looked at", exc_info=True)

    async def _watch_cancels(self, slice_worker: SliceWorker) -> None:
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
                await self._cancel(slice_worker, RunId(str(flow_run.id)))

    async def _cancel(self, slice_worker: SliceWorker, run_id: RunId) -> None:
        if slice_worker.is_cancelled(run_id):
            return
        logger.info("run %s was cancelled in Prefect", run_id)
        try:
            await anyio.to_thread.run_sync(lambda: slice_worker.cancel_run(run_id))
        except OctavoError as error:
            logger.warning("the batch of run %s is not cancelled yet: %s", run_id, error.message)


def _show_defect(service: asyncio.Task[None]) -> None:
    if not service.cancelled() and (error := service.exception()) is not None:
        logger.error("a service of this worker has ended", exc_info=error)
