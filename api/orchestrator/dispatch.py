"""Starts flow runs by name.

Runs are made one at a time, because Prefect on SQLite answers 503 to concurrent writes, with an
idempotency key `BATCH_ID:RUN_NO`, so that a start repeated after a lost answer finds its run.
A failure never reaches the one who submits a batch: it is tried again until Prefect answers.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from api.orchestrator.limits import CustomerLimits
from api.threads import in_thread
from api.workers.registry import WorkerRegistry
from octavo.batches import Batch, Customer, Run, RunStatus
from octavo.errors import BatchNotFound, LedgerUnavailable, OrchestratorUnavailable
from octavo.identifiers import BatchId, RunId
from octavo.ledger.contract import Ledger

logger = logging.getLogger(__name__)
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
LATE_SECONDS = 60.0
"""After this long without a flow run for a batch the log warns: Prefect may be starting, or a worker registering."""
TROUBLE = (httpx.HTTPError, PrefectHTTPStatusError, ObjectNotFound, OrchestratorUnavailable)


class RunView(StrEnum):
    """How a flow run stands in Prefect's eyes."""

    WAITING = "waiting"
    STRANDED = "stranded"
    """It waits in no queue, as its work pool was deleted: no worker will ever be given it."""
    BEGUN = "begun"
    CANCELLED = "cancelled"
    GONE = "gone"


class Dispatcher:
    """Makes the flow runs that the ledger's batches need."""

    def __init__(self, ledger: Ledger, workers: WorkerRegistry, *, deployment: str, tag_limits: bool = False) -> None:
        self._ledger = ledger
        self._workers = workers
        self.deployment = deployment
        """Full name of the deployment that runs batches."""
        self._wanted: asyncio.Queue[BatchId | Run] = asyncio.Queue()
        self._in_hand: set[BatchId] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deployment_id: UUID | None = None
        self._limits = CustomerLimits(tag_limits=tag_limits)
        self._client: PrefectClient | None = None

    def start(self, batch_id: BatchId) -> None:
        """Ask, from any thread, for a new run of this batch; asked twice before it is made, it is one."""
        self._put(batch_id, batch_id)

    def resume(self, run: Run) -> None:
        """Ask for the flow run of a run that an earlier life of this process had begun to start."""
        self._put(run.batch_id, run)

    def is_starting(self, batch_id: BatchId) -> bool:
        """Whether a run of this batch is being made."""
        return batch_id in self._in_hand

    def _put(self, batch_id: BatchId, wanted: BatchId | Run) -> None:
        if self._loop is not None and batch_id not in self._in_hand:
            self._in_hand.add(batch_id)
            self._loop.call_soon_threadsafe(self._wanted.put_nowait, wanted)

    async def run(self) -> None:
        """Make runs for ever, one after the other."""
        self._loop = asyncio.get_running_loop()
        while True:
            wanted = await self._wanted.get()
            batch_id = wanted.batch_id if isinstance(wanted, Run) else wanted
            try:
                run = wanted if isinstance(wanted, Run) else await in_thread(partial(self._ledger.runs.add, batch_id))
                await self._make_until_made(run)
            except BatchNotFound:
                logger.warning("batch %s is gone; no run is created for it", batch_id)
            except LedgerUnavailable as error:
                logger.warning("no run for batch %s yet, the reconciler asks again: %s", batch_id, error.message)
            finally:
                self._in_hand.discard(batch_id)

    async def _make_until_made(self, run: Run) -> None:
        is_warned = False

        def note(state: RetryCallState) -> None:
            nonlocal is_warned
            error = state.outcome.exception() if state.outcome is not None else None
            is_late = state.seconds_since_start is not None and state.seconds_since_start > LATE_SECONDS
            if state.attempt_number == 1 or (is_late and not is_warned):
                is_warned = is_late
                level = logging.WARNING if is_late else logging.INFO
                logger.log(level, "no flow run for batch %s yet, tried again: %s", run.batch_id, told(error))
            self.forget()

        retrying = AsyncRetrying(
            retry=retry_if_exception_type((*TROUBLE, LedgerUnavailable)),
            wait=wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            before_sleep=note,
            sleep=asyncio.sleep,
        )
        await retrying(self._make, run)

    def forget(self) -> None:
        """Ask Prefect again for what was asked before: it was away, is another one, or somebody has changed it."""
        self._deployment_id = None
        self._limits.forget()

    async def show_limits(self, customers: Sequence[Customer]) -> None:
        """Make the limits of these customers again where they are missing in Prefect."""
        self._limits.forget()
        client = await self._connected()
        for customer in customers:
            await self._limits.show(client, customer)

    async def _make(self, run: Run) -> None:
        batch = await in_thread(lambda: self._ledger.batches.get(run.customer_id, run.batch_id))
        customer = await in_thread(lambda: self._ledger.accounts.customer(run.customer_id))
        client = await self._connected()
        await self._limits.show(client, customer)
        made = await client.create_flow_run_from_deployment(
            await self.deployment_id(),
            parameters={"batch_id": run.batch_id},
            name=run_name(batch, customer, run.run_no),
            tags=[f"customer:{run.customer_id}", f"name:{customer.name}", f"batch:{run.batch_id}"],
            idempotency_key=f"{run.batch_id}:{run.run_no}",
        )
        run_id = RunId(str(made.id))
        await in_thread(lambda: self._ledger.runs.name(run.batch_id, run.run_no, run_id))
        await self._workers.notify()
        logger.info("batch %s run %d is flow run %s", run.batch_id, run.run_no, run_id)

    async def prefect(self) -> PrefectClient:
        """Return the connection to Prefect, made if need be. Raises OrchestratorUnavailable."""
        return await self._connected()

    async def deployment_id(self) -> UUID:
        """Return the deployment that runs batches. Raises OrchestratorUnavailable before a worker has registered it."""
        if self._deployment_id is None:
            try:
                self._deployment_id = (await (await self._connected()).read_deployment_by_name(self.deployment)).id
            except ObjectNotFound:
                raise OrchestratorUnavailable(
                    f"Prefect has no deployment {self.deployment} yet; a worker registers it when it starts."
                ) from None
        return self._deployment_id

    async def _connected(self) -> PrefectClient:
        if self._client is None:
            if get_current_settings().api.url is None:
                # Prefect would start a whole server in this process instead, and talk to that.
                raise OrchestratorUnavailable("Prefect's address is not known: set PREFECT_API_URL.")
            self._client = await get_client().__aenter__()
        return self._client

    async def close(self) -> None:
        """Let the connection to Prefect go."""
        if self._client is not None:
            await self._client.__aexit__(None, None, None)

    # What the reconciler asks and tells

    async def look(self, run_id: RunId) -> RunView:
        """Return what Prefect says of a flow run that never reported."""
        try:
            flow_run = await (await self._connected()).read_flow_run(UUID(run_id))
        except ObjectNotFound:
            return RunView.GONE
        state = flow_run.state
        if state is None or state.is_scheduled():
            return RunView.WAITING if flow_run.work_queue_id is not None else RunView.STRANDED
        if state.is_cancelled() or state.is_cancelling():
            return RunView.CANCELLED
        return RunView.GONE if state.is_final() else RunView.BEGUN

    async def crash(self, run: Run) -> None:
        """Show a lost run as Crashed, or as Cancelled if it was to be; nobody else would: its worker is dead."""
        if run.run_id is not None:
            client = await self._connected()
            try:
                flow_run = await client.read_flow_run(UUID(run.run_id))
                if (state := await self._last_state(run, flow_run.state)) is not None:
                    await client.set_flow_run_state(UUID(run.run_id), state, force=True)
            except ObjectNotFound:
                logger.info("flow run %s is unknown to Prefect", run.run_id)
        await in_thread(lambda: self._ledger.runs.forget_lost(run.batch_id, run.run_no))

    async def _last_state(self, run: Run, shown: State[Any] | None) -> State[None] | None:
        """Return what a lost run has to be shown as; None when Prefect shows an end already."""
        if shown is None or shown.type in (StateType.RUNNING, StateType.PENDING):
            return Crashed(message="The worker was lost; the rest continues in a new run of this batch.")
        if shown.is_cancelling():
            # Whether its worker had passed the cancel on before it died, nobody knows; twice does no harm.
            with contextlib.suppress(BatchNotFound):
                await in_thread(lambda: self._ledger.batches.cancel(run.customer_id, run.batch_id))
            return Cancelled(message="The worker was lost; the batch is cancelled.")
        return None

    async def withdraw(self, run: Run, why: str) -> None:
        """Show a run that no worker has taken as Cancelled, and end it; its batch is left alone."""
        if run.run_id is not None:
            await (await self._connected()).set_flow_run_state(UUID(run.run_id), Cancelled(message=why))
            await self.ended_in_silence(run)

    async def ended_in_silence(self, run: Run) -> None:
        """End a run in the ledger that Prefect has no living flow run for."""
        run_id = run.run_id
        if run_id is not None:
            await in_thread(lambda: self._ledger.runs.end(run_id, RunStatus.ENDED))


def told(error: BaseException | None) -> str:
    """Return an error in words; Prefect's own for what is not there says "None"."""
    return "Prefect does not know of it" if isinstance(error, ObjectNotFound) else str(error)


def run_name(batch: Batch, customer: Customer, run_no: int) -> str:
    """Return a name a person understands: customer, batch, how many files, which part."""
    files = "1 file" if batch.total_items == 1 else f"{batch.total_items} files"
    part = f" (part {run_no})" if run_no > 1 else ""
    return f"{customer.name}: {files}, {batch.batch_id}{part}"
